# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains of our own in iptables, under the one root BREAKWATER, each swapped in one transaction.

In ``raw`` the root is the first that PREROUTING jumps to, in ``filter`` the first that DOCKER-USER does. Where FORWARD
does not jump to DOCKER-USER (IPv6 before Engine 27, an nftables backend, a flush), ours does so in its place, first of
all: an engine that starts keeps what is in that chain, and sets its own jump above. A comment on our jump says what
else there was not before. All else in these tables is somebody else's, and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .._model.errors import HostError
from .command import run

ROOT = "BREAKWATER"
TOOLS = {4: "iptables", 6: "ip6tables"}
DOCKER_USER = "DOCKER-USER"
_TO_ROOT = f"-j {ROOT}"
_TO_USER = f"-j {DOCKER_USER}"
_MADE = re.compile(r"-m comment --comment bw-made-the-(jump|chain|table) -j \S+")
"""A jump of ours, made with all that it needs: the chain that it leads to, the table."""


@dataclass(frozen=True)
class Table:
    """One table of one family: the policy of each chain (``-`` for one that is not built in), and its rules."""

    version: int
    name: str
    policies: Mapping[str, str]
    rules: Mapping[str, tuple[str, ...]]

    @property
    def hook(self) -> str:
        """The chain whose first rule leads, or is to lead, to the root."""
        return "PREROUTING" if self.name == "raw" else DOCKER_USER

    @property
    def made(self) -> list[tuple[str, str]]:
        """Our jumps that stand in for somebody else's, or for a table: the chain that each is in, and the rule."""
        return [(chain, rule) for chain, rules in self.rules.items() for rule in rules if _MADE.fullmatch(rule)]

    @property
    def is_dockers(self) -> bool:
        """Whether it is the engine that leads all that is forwarded to DOCKER-USER."""
        return _TO_USER in self.rules.get("FORWARD", ())

    @property
    def is_rooted(self) -> bool:
        """Whether the root is reached once, and before all else."""
        jumps = [rule for rules in self.rules.values() for rule in rules if _leads(rule)]
        if len(jumps) != 1 or self.rules.get(self.hook, ())[:1] != tuple(jumps):
            return False
        if self.name == "raw" or (self.is_dockers and not self.made):
            return True
        made = tuple(rule for _chain, rule in self.made)
        return not self.is_dockers and len(made) == 1 and self.rules.get("FORWARD", ())[:1] == made

    def reaches(self, chain: str) -> bool:
        """Whether all that passes the hook comes by ``chain``."""
        return self.is_rooted and f"-j {chain}" in self.rules.get(ROOT, ())


def _leads(rule: str) -> bool:
    return rule.endswith(_TO_ROOT) and (rule == _TO_ROOT or _MADE.fullmatch(rule) is not None)


def read(version: int, name: str, variant: str = "") -> Table:
    """A table as it is, by iptables or by the ``variant`` of it (``-nft``, ``-legacy``)."""
    policies: dict[str, str] = {}
    rules: dict[str, list[str]] = {}
    table = ""
    # Asked for one table, iptables-save prints it as though it were there; asked for all, those that are.
    for line in run([f"{TOOLS[version]}{variant}-save"]).splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif table != name:
            continue
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            policies[chain] = policy
            rules[chain] = []
        elif line.startswith("-A "):
            _verb, chain, rule = line.split(" ", 2)
            rules.setdefault(chain, []).append(rule)
    return Table(version, name, policies, {chain: tuple(each) for chain, each in rules.items()})


def put(there: Table, chain: str, rules: Iterable[str]) -> None:
    """Make ``rules`` the whole of ``chain``, reached from the root; none take the chain away, and the root if bare.

    HostError where iptables refuses: nothing has changed then.
    """
    wanted = list(rules)
    root = there.rules.get(ROOT, ())
    listed = tuple(sorted({each for each in root if each != f"-j {chain}"} | ({f"-j {chain}"} if wanted else set())))
    lines = [f"*{there.name}"]
    if wanted or chain in there.rules:
        lines.append(f":{chain} - [0:0]")
    lines += [f"-A {chain} {each}" for each in wanted]
    if listed != root or (ROOT in there.rules and not listed):
        lines.append(f":{ROOT} - [0:0]")
    if listed != root:
        lines += [f"-A {ROOT} {each}" for each in listed]
    if not (listed and there.is_rooted):
        lines += _unrooted(there)
        lines += _rooted(there) if listed else _given_back(there)
    if ROOT in there.rules and not listed:
        lines.append(f"-X {ROOT}")
    if not wanted and chain in there.rules:
        lines.append(f"-X {chain}")
    if len(lines) > 1:
        _restore(there, lines)
    if not listed and any("-the-table " in rule for _chain, rule in there.made):
        _drop_bare(there)


def _unrooted(there: Table) -> list[str]:
    """The lines that take every jump of ours away."""
    return [
        f"-D {chain} {rule}"
        for chain, rules in there.rules.items()
        for rule in rules
        if _leads(rule) or _MADE.fullmatch(rule)
    ]


def _rooted(there: Table) -> list[str]:
    """The lines that lead to the root, where no jump of ours is left."""
    former = _MADE.fullmatch(there.made[0][1]) if there.made else None
    what = former[1] if former else "table" if not there.policies else ""
    if there.name == "raw":
        mark = "-m comment --comment bw-made-the-table " if what else ""
        return [f"-I {there.hook} 1 {mark}{_TO_ROOT}"]
    lines = [] if DOCKER_USER in there.rules else [f":{DOCKER_USER} - [0:0]"]
    if not there.is_dockers:
        what = what or ("chain" if lines else "jump")
        lines.append(f"-I FORWARD 1 -m comment --comment bw-made-the-{what} {_TO_USER}")
    return [*lines, f"-I {DOCKER_USER} 1 {_TO_ROOT}"]


def _given_back(there: Table) -> list[str]:
    """The line that takes DOCKER-USER away, where it was made by us and nobody else has come to use it."""
    ours = any("-the-jump " not in rule for _chain, rule in there.made)
    if there.name == "raw" or not ours or there.is_dockers:
        return []
    rest = [rule for rule in there.rules.get(DOCKER_USER, ()) if not _leads(rule)]
    return [] if rest or DOCKER_USER not in there.rules else [f"-X {DOCKER_USER}"]


def objection(version: int, rules: Iterable[str]) -> tuple[int, str] | None:
    """The first of ``rules``, by its place, that iptables would refuse, and its complaint; nothing is changed."""
    head = ["*filter", ":BW-TEST - [0:0]"]
    lines = [*head, *(f"-A BW-TEST {each}" for each in rules), "COMMIT", ""]
    try:
        run([f"{TOOLS[version]}-restore", "--test", "--noflush", "-w"], "\n".join(lines))
    except HostError as error:
        number, complaint = _complaint(str(error))
        if number is None or not 0 <= number - 1 - len(head) < len(lines) - len(head) - 2:
            raise
        return number - 1 - len(head), complaint
    return None


def _restore(there: Table, lines: list[str]) -> None:
    try:
        run([f"{TOOLS[there.version]}-restore", "--noflush", "-w"], "\n".join([*lines, "COMMIT", ""]))
    except HostError as error:
        number, complaint = _complaint(str(error))
        if number is None or not 0 < number <= len(lines):
            raise
        raise HostError(f"{TOOLS[there.version]} refuses '{lines[number - 1]}': {complaint}") from error


def _complaint(message: str) -> tuple[int | None, str]:
    """The number of the line that a restore has failed at, counted from 1, and what it says of it."""
    found = re.search(r"(?:at line: |line )(\d+)", message)
    said = re.sub(r"^.*?failed: (?:\S+ v\S+ \(\w+\): )?", "", message)
    said = re.sub(r"(?:Error occurred at line: \d+| Try `.*|^line \d+ failed:?|^line \d+: )", "", said).strip(" .:")
    return (int(found[1]) if found else None), said or "it gives no reason"


def _drop_bare(there: Table) -> None:
    """Take away the table that was made for our chains, unless somebody else has come to use it."""
    if "nf_tables" not in run([TOOLS[there.version], "-V"]):
        return  # a table of iptables-legacy is a part of the kernel
    now = read(there.version, there.name)
    if now.policies and set(now.policies.values()) == {"ACCEPT"} and not any(now.rules.values()):
        run(["nft", "delete", "table", "ip" if there.version == 4 else "ip6", there.name])
