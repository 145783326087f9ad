# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rulesets between the model and the host: chains of iptables, and the sets of ipset that they match by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from .._model.errors import HostError
from .._model.packet_filter import PacketFilter, Ruleset, set_prefix
from .._model.tag import same, tagged
from . import chains
from .command import has, run

_CHAIN = re.compile(r"BW[RT]-")
_SET = re.compile(r"BW[46]-[0-9a-f]{6}-")
_SWAP = "BW-swap"
_OTHER = {"nf_tables": ("-legacy", "iptables-legacy"), "legacy": ("-nft", "iptables-nft")}
"""The flavour of iptables that a host's tools are not, and what its tools are called."""

Sets = Mapping[str, "frozenset[str]"]


class Rulesets(Mapping[str, Ruleset]):
    """The rulesets that stand, by chain; read once, when first looked at."""

    def packet_filter(self) -> PacketFilter:
        """What a plan may ask of the same filter."""
        return PacketFilter(
            lambda version: self._tables[version].is_dockers, lambda: has("ipset"), self._built_in, chains.objection
        )

    def _built_in(self, version: int, chain: str) -> tuple[str, tuple[str, ...]]:
        table = self._tables[version]
        return table.policies.get(chain, "ACCEPT"), table.rules.get(chain, ())

    @cached_property
    def _tables(self) -> dict[int, chains.Table]:
        return _tables()

    @cached_property
    def _sets(self) -> Sets:
        return _sets()

    def __getitem__(self, chain: str) -> Ruleset:
        tables = {version: table for version, table in self._tables.items() if chain in table.rules}
        sets = _owned(chain, self._sets)
        if not tables and not sets:
            raise KeyError(chain)
        return Ruleset(
            {version: table.rules[chain] for version, table in tables.items()},
            sets,
            frozenset(version for version, table in tables.items() if table.reaches(chain)),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({each for table in self._tables.values() for each in table.rules if _CHAIN.match(each)}))

    def __len__(self) -> int:
        return sum(1 for _each in self)


def apply(chain: str, rules: Mapping[int, tuple[str, ...]], sets: Sets) -> None:
    """Make ``rules``, by IP version, the whole of ``chain``, and ``sets`` all that belong to it.

    HostError where the host refuses: the rules of before are in force then, family by family.
    """
    tables = _tables()
    there = _owned(chain, _sets())
    _fill({name: each for name, each in sets.items() if there.get(name) != each}, there)
    try:
        for version, table in tables.items():
            _put(table, chain, rules.get(version, ()))
    except HostError:
        _destroy({*sets} - {*there})
        raise
    _destroy({*there} - {*sets})


def _put(table: chains.Table, chain: str, rules: tuple[str, ...]) -> None:
    if _holds(table, chain, rules):
        return
    chains.put(table, chain, rules)
    now = chains.read(table.version, table.name)
    printed = now.rules.get(chain, ())
    if len(printed) == len(rules) and printed != rules:
        chains.put(now, chain, [one if one == other else tagged(one, other) for one, other in zip(rules, printed)])


def _holds(table: chains.Table, chain: str, rules: tuple[str, ...]) -> bool:
    seen = table.rules.get(chain)
    if not rules:
        return seen is None
    return seen is not None and len(seen) == len(rules) and all(map(same, rules, seen)) and table.reaches(chain)


def _tables() -> dict[int, chains.Table]:
    """Both families; HostError where Docker's chains are in the other flavour of iptables."""
    tables = {version: chains.read(version, "filter") for version in chains.TOOLS}
    if not _is_dockers(tables[4]):
        found = re.search(r"(\S+ v\S+) \((\w+)\)", run(["iptables", "-V"]))
        variant, other = _OTHER[found[2]] if found and found[2] in _OTHER else ("", "")
        if found and has(f"{other}-save") and _is_dockers(chains.read(4, "filter", variant)):
            ours = {"nf_tables": "iptables-nft", "legacy": "iptables-legacy"}[found[2]]
            raise HostError(
                f"Docker's chains are in {other}, and the host's iptables is {ours}: rules there would hold by"
                f" accident; make iptables the same: 'update-alternatives --set iptables /usr/sbin/{other}', ip6tables"
                " likewise"
            )
    return tables


def _is_dockers(table: chains.Table) -> bool:
    return chains.DOCKER_USER in table.rules or "DOCKER" in table.rules


def _sets() -> Sets:
    """The sets of all rulesets, by name."""
    if not has("ipset"):
        return {}
    found: dict[str, set[str]] = {}
    for line in run(["ipset", "save"]).splitlines():
        verb, name, rest = (*line.split(" ", 2), "")[:3]
        if not _SET.match(name):
            continue
        members = found.setdefault(name, set())
        if verb == "add":
            members.add(rest.split()[0])
    return {name: frozenset(each) for name, each in found.items()}


def _owned(chain: str, sets: Sets) -> dict[str, frozenset[str]]:
    prefixes = tuple(set_prefix(chain, version) for version in chains.TOOLS)
    return {name: each for name, each in sets.items() if name.startswith(prefixes)}


def _fill(sets: Sets, there: Sets) -> None:
    """Bring each of ``sets`` to its members, those that are ``there`` in one swap."""
    lines = []
    for name, members in sorted(sets.items()):
        kind = f"hash:net family {'inet6' if name.startswith('BW6') else 'inet'}"
        draft = f"{_SWAP}{name[2]}" if name in there else name
        lines += [f"create {draft} {kind}", *(f"add {draft} {each}" for each in sorted(members))]
        lines += [f"swap {draft} {name}", f"destroy {draft}"] if name in there else []
    if lines:
        # What a run that was cut off has left would be in the way.
        leftover = {f"{_SWAP}{version}" for version in chains.TOOLS} & set(run(["ipset", "list", "-n"]).split())
        run(["ipset", "restore"], "\n".join([*(f"destroy {each}" for each in sorted(leftover)), *lines, ""]))


def _destroy(names: Iterable[str]) -> None:
    lines = [f"destroy {each}" for each in sorted(names)]
    if lines:
        run(["ipset", "restore"], "\n".join([*lines, ""]))
