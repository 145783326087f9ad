# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sets of ipset in a kernel in memory. Complaints are those of ipset 7.17 to 7.24 on the lab's hosts."""

from __future__ import annotations

from dataclasses import dataclass, field


class IpsetError(Exception):
    """What ipset says before it exits with 1."""


@dataclass
class Ipset:
    kinds: dict[str, str] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)

    def run(self, argv: list[str], given: str) -> str:
        """``save``, ``list -n`` and ``restore``."""
        if argv[1:] == ["save"]:
            return "".join(
                f"create {name} {kind} hashsize 1024 maxelem 65536\n"
                + "".join(f"add {name} {each}\n" for each in sorted(self.members[name]))
                for name, kind in self.kinds.items()
            )
        if argv[1:] == ["list", "-n"]:
            return "".join(f"{name}\n" for name in self.kinds)
        for number, line in enumerate(given.splitlines(), 1):
            self._line(number, *line.split(" ", 2))
        return ""

    def _line(self, number: int, verb: str, name: str, rest: str = "") -> None:
        if (name in self.kinds) == (verb == "create"):
            problem = "already exists" if verb == "create" else "does not exist"
            raise IpsetError(f"ipset v7.22: Error in line {number}: The set with the given name {problem}")
        if verb == "create":
            assert len(name) <= 31, name
            self.kinds[name], self.members[name] = rest, set()
        elif verb == "add":
            self.members[name].add(rest)
        elif verb == "swap":
            self.members[name], self.members[rest] = self.members[rest], self.members[name]
        elif verb == "destroy":
            del self.kinds[name], self.members[name]
        else:
            raise IpsetError(f"ipset v7.22: Error in line {number}: Unknown argument {verb}")
