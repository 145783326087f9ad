# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies in nftables: tables whose rules stand still while the elements of their sets come and go.

The table of family inet judges what the host routes, takes and sends. What passes a bridge it sees by br_netfilter, or
a second table of family bridge judges it by the same rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from .._model import boxes
from .._model.errors import HostError
from .._model.network import LiveNetwork
from .._model.policy import BR_NETFILTER, NF_CONNTRACK_BRIDGE, Element, Table
from .command import run
from .policy_rules import HOOKS, JUDGED, PRIORITY, SETS, as_text, chains_of, mark, marked

_PREFIX = "breakwater-"


class Policies(Mapping[str, Table]):
    """The tables of policies by name, each read when it is asked for."""

    def __init__(self, networks: Iterable[LiveNetwork]) -> None:
        self._networks = tuple(networks)
        self._families: dict[str, list[str]] | None = None
        self._seen: dict[str, Table] = {}

    def _all(self) -> dict[str, list[str]]:
        if self._families is None:
            self._families = _families()
        return self._families

    def __getitem__(self, name: str) -> Table:
        if name not in self._all():
            raise KeyError(name)
        if name not in self._seen:
            found = _look(name, self._all()[name])
            self._seen[name] = found.get("inet", _Found()).table(self._networks, found.get("bridge"))
        return self._seen[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._all()))

    def __len__(self) -> int:
        return len(self._all())


def apply(name: str, table: Table | None, networks: Iterable[LiveNetwork]) -> None:
    """Make ``table`` the whole of what the policy has in the kernel; with none it goes.

    The kernel takes a transaction as a whole, but its sets do not change at one moment: the elements of a hash come and
    go at once, those of intervals a little later. What moves from the one to the other would be in neither meanwhile.
    So what is allowed afterwards is allowed first, beside what was; then comes who is judged, and by which rules; and
    last goes what is allowed no longer.
    """
    bridges = {each.name: each.bridge for each in networks if each.bridge}
    gone = sorted(table.networks - bridges.keys()) if table else []
    if gone:
        raise HostError(f"network '{gone[0]}' is gone")
    there = _look(name, _families().get(name, ()))
    changes = []
    for family in HOOKS:
        own = f"{family} {_PREFIX}{name}"
        if table is not None and (family == "inet" or table.bridged_by == NF_CONNTRACK_BRIDGE):
            changes.append(_change(own, family, there.get(family), table, bridges))
        elif family in there:
            changes.append(_Change(forbid=[f"delete table {own}"]))
    _transact(line for each in changes for line in each.allow)
    try:
        _transact(line for each in changes for line in each.judge)
    except HostError:
        _transact(line for each in changes for line in each.undo)
        raise
    _transact(line for each in changes for line in each.forbid)


@dataclass(frozen=True)
class _Change:
    """The lines that change one table, in the order of the transactions; ``undo`` takes ``allow`` back."""

    allow: list[str] = field(default_factory=list)
    judge: list[str] = field(default_factory=list)
    forbid: list[str] = field(default_factory=list)
    undo: list[str] = field(default_factory=list)


def _change(own: str, family: str, found: _Found | None, table: Table, bridges: Mapping[str, str]) -> _Change:
    """How what is ``found`` becomes the table of ``family``; ``own`` is what nft calls it."""
    sets = SETS[family]
    there = found if found is not None and found.sets.keys() == sets.keys() else _Found()
    held = {kind: there.sets.get(kind, set()) for kind in sets}
    wanted = {kind: {as_text(kind, each) for each in table.sets.get(kind, ())} for kind in sets}
    wanted["bridges"] = {f'"{bridges[each]}"' for each in table.networks}
    chains = _rewritten(own, family, there.chains, chains_of(table, family))
    first = []
    if there is not found:
        first = [f"add table {own}", f"add counter {own} refused"]
        first += [f"add set {own} {kind} {{ {definition} }}" for kind, definition in sets.items()]
        if found is not None:  # of a shape that is not ours; it closes until ours does
            return _Change(judge=[f"delete table {own}", *first, *chains, *_elements(own, held, wanted)])
    between = {
        kind: held[kind] if kind in JUDGED else _either(kind, there.elements.get(kind), table.sets.get(kind))
        for kind in sets
    }
    judged = {**between, **{kind: wanted[kind] for kind in JUDGED if kind in sets}}
    return _Change(
        allow=[*first, *_elements(own, held, between)],
        judge=[*chains, *_elements(own, between, judged)],
        forbid=_elements(own, judged, wanted),
        undo=[f"delete table {own}"] if first else _elements(own, between, held),
    )


def _transact(script: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in script)
    if text:
        run(["nft", "-f", "-"], text)


def _rewritten(own: str, family: str, there: Mapping[str, list[str]], chains: Mapping[str, list[str]]) -> list[str]:
    """The lines that put ``chains`` in the place of the chains that are there; none where they are the same."""
    if there == marked(chains, family):
        return []
    hooks = {each: f" {{ type filter hook {each} priority {PRIORITY}; policy accept; }}" for each in HOOKS[family]}
    script = [f"add chain {own} {each}{hooks.get(each, '')}" for each in chains]
    script += [f"flush chain {own} {each}" for each in {**there, **chains}]
    script += [
        f'add rule {own} {each} {rule} comment "{mark(rule)}"' for each, rules in chains.items() for rule in rules
    ]
    return script + [f"delete chain {own} {each}" for each in there if each not in chains]


def _elements(own: str, held: Mapping[str, set[str]], wanted: Mapping[str, set[str]]) -> list[str]:
    """The lines by which the sets hold what is wanted."""
    return [
        f"{verb} element {own} {kind} {{ {', '.join(sorted(changed))} }}"
        for kind, elements in wanted.items()
        for verb, changed in (("delete", held[kind] - elements), ("add", elements - held[kind]))
        if changed
    ]


def _either(kind: str, one: frozenset[Element] | None, other: frozenset[Element] | None) -> set[str]:
    """Elements that cover what either covers."""
    both = (one or frozenset()) | (other or frozenset())
    return {as_text(kind, each) for each in (boxes.disjoint(both) if both not in (one, other) else both)}


@dataclass(frozen=True)
class _Found:
    """A table as it was listed: the marks of the rules by chain, the texts of the elements by set."""

    chains: Mapping[str, list[str]] = field(default_factory=dict)
    sets: Mapping[str, set[str]] = field(default_factory=dict)
    elements: Mapping[str, frozenset[Element]] = field(default_factory=dict)
    default: str = "deny"
    log_prefix: str = ""
    log_rate: str = ""
    counted: tuple[int, int] = (0, 0)

    def table(self, networks: Iterable[LiveNetwork], bridged: _Found | None) -> Table:
        """The same in the words of the model, which knows networks by their names; ``bridged`` is of family bridge."""
        bridges = {each.bridge: each.name for each in networks if each.bridge}
        found = Table(
            self.default,
            self.log_prefix,
            self.log_rate,
            frozenset(bridges.get(each.strip('"'), each) for each in self.sets.get("bridges", ())),
            {kind: found for kind, found in self.elements.items() if found},
            bridged_by=BR_NETFILTER if bridged is None else NF_CONNTRACK_BRIDGE,
            counted=self.counted,
        )
        whole = self.is_whole("inet", found)
        if bridged is not None:
            packets, size = (one + other for one, other in zip(self.counted, bridged.counted))
            alike = all(bridged.sets.get(kind) == self.sets.get(kind) for kind in SETS["bridge"])
            whole = whole and alike and bridged.is_whole("bridge", found)
            found = replace(found, counted=(packets, size))
        return replace(found, whole=whole)

    def is_whole(self, family: str, table: Table) -> bool:
        """Whether its rules and sets are those that ``table`` has in ``family``."""
        return self.sets.keys() == SETS[family].keys() and self.chains == marked(chains_of(table, family), family)


def _families() -> dict[str, list[str]]:
    """The policies that have a table, by name, with its families."""
    listed = json.loads(run(["nft", "-j", "list", "tables"]))["nftables"]
    found: dict[str, list[str]] = {}
    for table in (each["table"] for each in listed if "table" in each):
        if table["family"] in HOOKS and table["name"].startswith(_PREFIX):
            found.setdefault(table["name"][len(_PREFIX) :], []).append(table["family"])
    return found


def _look(name: str, families: Iterable[str]) -> dict[str, _Found]:
    """The tables of a policy by family, as nft lists them."""
    return {each: _listed(each, name) for each in families}


def _listed(family: str, name: str) -> _Found:
    listed = json.loads(run(["nft", "-j", "-n", "list", "table", family, f"{_PREFIX}{name}"]))["nftables"]
    chains: dict[str, list[str]] = {}
    sets: dict[str, set[str]] = {}
    elements: dict[str, frozenset[Element]] = {}
    told: dict[str, Any] = {}
    for item in listed:
        for kind, each in item.items():
            if kind == "chain":
                hook = [f"{each['hook']} {each['prio']} {each['policy']}"] if "hook" in each else []
                chains[each["name"]] = hook
            elif kind == "rule":
                chains[each["chain"]].append(each.get("comment", ""))
                if each["chain"] == "refuse":
                    told.update((key, value) for part in each["expr"] for key, value in part.items())
            elif kind == "counter":
                told["counted"] = (each["packets"], each["bytes"])
            elif kind == "set" and each["name"] == "bridges":
                sets["bridges"] = {f'"{one}"' for one in each.get("elem", ())}
            elif kind == "set":
                found = frozenset(_element(one) for one in each.get("elem", ()))
                elements[each["name"]] = found
                sets[each["name"]] = {as_text(each["name"], one) for one in found}
    limit = told.get("limit")
    return _Found(
        chains,
        sets,
        elements,
        "deny" if "drop" in told else "audit",
        told["log"]["prefix"] if "log" in told else "",
        f"{limit['rate']}/{limit['per']}" if limit else "",
        told.get("counted", (0, 0)),
    )


def _element(found: Any) -> Element:
    """An element of a set from nft's JSON."""
    fields = found["concat"] if isinstance(found, dict) and "concat" in found else [found]
    return tuple(_span(each) for each in fields)


def _span(found: Any) -> tuple[int, int]:
    if isinstance(found, dict) and "prefix" in found:
        return boxes.span(f"{found['prefix']['addr']}/{found['prefix']['len']}")
    low, high = found["range"] if isinstance(found, dict) else (found, found)
    return _number(low), _number(high)


def _number(found: int | str) -> int:
    return found if isinstance(found, int) else int(ip_address(found))
