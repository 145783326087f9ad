# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that containers find in their own /etc/hosts: as they are declared, and as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .address import address, is_address, version_of
from .errors import DeclarationError
from .spec import under

ENTRY_SPEC: dict[str, dict[str, Any]] = {
    "address": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
}

SPEC: dict[str, dict[str, Any]] = {
    "container": {"type": "str"},
    "network": {"type": "str"},
    "entries": {"type": "list", "elements": "dict", "options": ENTRY_SPEC},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}

MODULE = "hosts_file"
"""Owns the block of whom the module tells by itself; a topology has another."""

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def owner_of(topology: str) -> str:
    """Who owns the blocks of a topology."""
    return f"topology {topology}"


@dataclass(frozen=True)
class Entry:
    """A canonical address and the names for it, the first of which is what the address is called."""

    address: str
    names: tuple[str, ...]

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str) -> Entry:
        """The entry that ``args``, which ENTRY_SPEC has accepted, declare."""
        found = address(args["address"], under(path, "address"))
        if not args["names"]:
            raise DeclarationError(under(path, "names"), "lists no name")
        for n, each in enumerate(args["names"]):
            if not _NAME.fullmatch(each) or len(each) > 253 or is_address(each):
                raise DeclarationError(
                    f"{under(path, 'names')}[{n}]",
                    f"{each!r} is not a host's name: letters, digits, '-' and '_', with dots between parts of up to 63",
                )
        return cls(found, tuple(dict.fromkeys(args["names"])))


@dataclass(frozen=True)
class HostsFile:
    """The declared names of ``container``, or of each container on ``network``."""

    container: str | None = None
    network: str | None = None
    entries: tuple[Entry, ...] = ()
    state: str = "present"
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str = "") -> HostsFile:
        """The names that ``args``, which SPEC has accepted, declare."""
        container, network = args["container"], args["network"]
        if bool(container) == bool(network):
            found = "both" if container else "neither"
            raise DeclarationError(under(path, "container"), f"expected either container or network, found {found}")
        where = under(path, "entries")
        if args["entries"] is None and args["state"] == "present":
            raise DeclarationError(where, "is required; an empty list takes all entries away")
        entries = tuple(Entry.read(each, f"{where}[{n}]") for n, each in enumerate(args["entries"] or ()))
        return cls(container or None, network or None, entries, args["state"], path)

    def __str__(self) -> str:
        return f"hosts file of {self.container}" if self.container else f"hosts files on {self.network}"

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)


@dataclass(frozen=True)
class LiveHostsFile:
    """The hosts file of a running container: the lines between the marks of each owner.

    ``obstacle`` says why it cannot be written, if it cannot.
    """

    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    obstacle: str = ""


def lines(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Entries as a hosts file has them: a line for each address, IPv4 first."""
    names: dict[str, dict[str, None]] = {}
    for each in entries:
        names.setdefault(each.address, {}).update(dict.fromkeys(each.names))
    ordered = sorted(names, key=lambda one: (version_of(one), one))
    return tuple(f"{each} {' '.join(names[each])}" for each in ordered)
