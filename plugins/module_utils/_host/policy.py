# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies in nftables: tables whose rules stand still while the elements of their sets come and go.

The table of family inet judges what the host routes, takes and sends. What passes a bridge it sees by br_netfilter, or
a second table of family bridge judges it by the same rules.

Every packet is judged by the addresses and ports of the first packet of its flow, replies by the same turned round.
Nothing is ever taken for good because a flow was good once: what is allowed no longer is cut with the next packet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from .._model import boxes
from .._model.errors import HostError
from .._model.network import LiveNetwork
from .._model.policy import BR_NETFILTER, NF_CONNTRACK_BRIDGE, Element, Table
from .command import run

_PREFIX = "breakwater-"
_ADDRESS = {4: "ipv4_addr", 6: "ipv6_addr"}
_FLOW = "inet_proto . inet_service"
_NEIGHBOURS = (
    "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, nd-router-solicit, nd-router-advert,"
    " nd-neighbor-solicit, nd-neighbor-advert, nd-redirect, mld2-listener-report } accept"
)
"""How IPv6 finds its neighbours: without it there is no IPv6 on a network at all."""


_PRIORITY = -5
"""Before Docker's rules and all of iptables: what is dropped here is dropped, what is accepted is for them to judge."""


@dataclass(frozen=True)
class _Hook:
    """Who judges what passes a hook: the packets of those who ask, the replies; what is ours; what never is."""

    asked: str
    answered: str
    ends: tuple[tuple[str, str], ...]
    unjudged: str = ""


_ENTERS, _LEAVES, _CROSSES = ("iifname", "saddr"), ("oifname", "daddr"), ("meta ibrname", "")
# The host's own addresses on the bridges are governed subnets', too, and nobody cuts the host off from itself. What
# goes to a published port leaves by `lo`, as the hook has it, though it is on its way to a container: so it is the
# address that counts there.
_HOOKS = {
    "inet": {
        "forward": _Hook("forward", "forward", (_ENTERS, _LEAVES)),
        "input": _Hook("to_host", "from_host", (_ENTERS,), 'iifname "lo" accept'),
        "output": _Hook("from_host", "to_host", (_LEAVES,), "fib daddr type local accept"),
    },
    "bridge": {"forward": _Hook("forward", "forward", (_CROSSES,))},
}
_VERSIONS = {
    "inet": "meta nfproto vmap {{ ipv4 : goto {0}4, ipv6 : goto {0}6 }}",
    "bridge": "meta protocol vmap {{ ip : goto {0}4, ip6 : goto {0}6 }}",
}


def _sets() -> dict[str, str]:
    found = {"bridges": "type ifname;"}
    for version, one in _ADDRESS.items():
        for name in ("governed", "local"):
            found[f"{name}{version}"] = f"type {one}; flags interval;"
        found[f"pairs{version}"] = f"type {one} . {one} . {_FLOW};"
        found[f"ranges{version}"] = f"type {one} . {one} . {_FLOW}; flags interval;"
        for name in ("from_world", "to_world", "from_host", "to_host"):
            found[f"{name}{version}"] = f"type {one} . {_FLOW}; flags interval;"
    return found


_SETS = {"inet": _sets(), "bridge": {}}
# What passes a bridge is neither to the host nor from it, and the bridge says whether it is governed.
_SETS["bridge"] = {
    kind: each
    for kind, each in _SETS["inet"].items()
    if kind.startswith(("bridges", "local", "pairs", "ranges")) or "world" in kind
}
_JUDGED = tuple(each for each in _SETS["inet"] if each.startswith(("bridges", "governed", "local")))
"""Who is judged; the others hold what is allowed."""


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
    for family in _HOOKS:
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
    sets = _SETS[family]
    there = found if found is not None and found.sets.keys() == sets.keys() else _Found()
    held = {kind: there.sets.get(kind, set()) for kind in sets}
    wanted = {kind: {_text(kind, each) for each in table.sets.get(kind, ())} for kind in sets}
    wanted["bridges"] = {f'"{bridges[each]}"' for each in table.networks}
    chains = _rewritten(own, family, there.chains, _chains(table, family))
    first = []
    if there is not found:
        first = [f"add table {own}", f"add counter {own} refused"]
        first += [f"add set {own} {kind} {{ {definition} }}" for kind, definition in sets.items()]
        if found is not None:  # of a shape that is not ours; it closes until ours does
            return _Change(judge=[f"delete table {own}", *first, *chains, *_elements(own, held, wanted)])
    between = {
        kind: held[kind] if kind in _JUDGED else _either(kind, there.elements.get(kind), table.sets.get(kind))
        for kind in sets
    }
    judged = {**between, **{kind: wanted[kind] for kind in _JUDGED if kind in sets}}
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
    if there == _marked(chains, family):
        return []
    hooks = {each: f" {{ type filter hook {each} priority {_PRIORITY}; policy accept; }}" for each in _HOOKS[family]}
    script = [f"add chain {own} {each}{hooks.get(each, '')}" for each in chains]
    script += [f"flush chain {own} {each}" for each in {**there, **chains}]
    script += [
        f'add rule {own} {each} {rule} comment "{_mark(rule)}"' for each, rules in chains.items() for rule in rules
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
    return {_text(kind, each) for each in (boxes.disjoint(both) if both not in (one, other) else both)}


def _chains(table: Table, family: str) -> dict[str, list[str]]:
    """The rules of a table of ``family`` by chain."""
    hooks = _HOOKS[family]
    # What is never refused comes last: it is little, and all the rest need not pass it.
    refuse = ["ct state related accept", _NEIGHBOURS]
    if table.log_prefix:
        refuse.append(f'limit rate {table.log_rate} burst 5 packets log prefix "{table.log_prefix}"')
    refuse.append(f"counter name refused {'drop' if table.default == 'deny' else 'accept'}")
    chains = {"refuse": refuse}
    for version, protocol in ((4, "ip"), (6, "ip6")):
        source, destination = f"{protocol} saddr", f"{protocol} daddr"
        directions = (("original", source, destination, "dport"), ("reply", destination, source, "sport"))
        for direction, asks, asked, port in directions:
            what = f"meta l4proto . th {port}"
            chains[f"forward{version}_{direction}"] = [
                f"{asks} . {asked} . {what} @pairs{version} accept",
                f"{asks} . {asked} . {what} @ranges{version} accept",
                f"{asked} != @local{version} {asks} . {what} @to_world{version} accept",
                f"{asks} != @local{version} {asked} . {what} @from_world{version} accept",
                "goto refuse",
            ]
            hosts = ((f"to_host{version}", asks), (f"from_host{version}", asked)) if family == "inet" else ()
            for kind, peer in hosts:
                chains[f"{kind}_{direction}"] = [f"{peer} . {what} @{kind} accept", "goto refuse"]
        for name, hook in hooks.items():
            chains[f"{name}{version}"] = [
                *((hook.unjudged,) if hook.unjudged else ()),
                f"ct direction original goto {hook.asked}{version}_original",
                f"ct direction reply goto {hook.answered}{version}_reply",
                "goto refuse",
            ]
    for name, hook in hooks.items():
        chains[name] = [f"{interface} @bridges {_VERSIONS[family].format(name)}" for interface, at in hook.ends]
        for version, protocol in ((4, "ip"), (6, "ip6")):
            governed = [f"{protocol} {at} @governed{version}" for interface, at in hook.ends if at]
            chains[name] += [f"{each} goto {name}{version}" for each in governed]
    return chains


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
            alike = all(bridged.sets.get(kind) == self.sets.get(kind) for kind in _SETS["bridge"])
            whole = whole and alike and bridged.is_whole("bridge", found)
            found = replace(found, counted=(packets, size))
        return replace(found, whole=whole)

    def is_whole(self, family: str, table: Table) -> bool:
        """Whether its rules and sets are those that ``table`` has in ``family``."""
        return self.sets.keys() == _SETS[family].keys() and self.chains == _marked(_chains(table, family), family)


def _families() -> dict[str, list[str]]:
    """The policies that have a table, by name, with its families."""
    listed = json.loads(run(["nft", "-j", "list", "tables"]))["nftables"]
    found: dict[str, list[str]] = {}
    for table in (each["table"] for each in listed if "table" in each):
        if table["family"] in _HOOKS and table["name"].startswith(_PREFIX):
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
                sets[each["name"]] = {_text(each["name"], one) for one in found}
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


def _marked(chains: Mapping[str, list[str]], family: str) -> dict[str, list[str]]:
    """Chains as ``_look`` finds them."""
    return {
        name: [*([f"{name} {_PRIORITY} accept"] if name in _HOOKS[family] else ()), *(_mark(rule) for rule in rules)]
        for name, rules in chains.items()
    }


def _mark(rule: str) -> str:
    """The comment by which a rule is known again: nft lists rules in other words than it was given."""
    return hashlib.sha256(rule.encode()).hexdigest()[:12]


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


def _text(kind: str, element: Element) -> str:
    """An element as nft takes it; ``kind`` is the name of its set."""
    of_version = IPv4Address if kind.endswith("4") else IPv6Address
    addresses = len(element) if len(element) == 1 else len(element) - 2
    fields = [
        [str(of_version(each)) if n < addresses else str(each) for each in dict.fromkeys(span)]
        for n, span in enumerate(element)
    ]
    return " . ".join("-".join(each) for each in fields)
