# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a policy to the kernel's table that holds it: governed networks, and what is allowed as elements of sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from .._model import address, boxes
from .._model.connection import Drawn
from .._model.errors import DeclarationError, NotThere
from .._model.network import LiveNetwork
from .._model.policy import (
    BR_NETFILTER,
    NF_CONNTRACK_BRIDGE,
    PROTOCOLS,
    Allowed,
    Element,
    Policy,
    Table,
)
from .._model.step import Pending, Plan, SetBridgeFilter, SetPolicy, Step
from .._model.world import World
from .rulebook import Rulebook, Waits, check_governable, elements_of, lines_of, passed_over

_VERSIONS = (4, 6)


def plan(policy: Policy, world: World) -> Plan:
    """The steps to ``policy``; an entry whose container is not there waits for it."""
    pending: list[Pending] = []

    def waits(missing: NotThere, what: str) -> None:
        pending.append(Pending(missing.container, what, missing.reason))

    return whole(policy, governed(policy, world), world, waits) + Plan(pending=tuple(pending))


def report(policy: Policy, world: World) -> dict[str, Any]:
    """What the module returns beside the steps: what has been refused, or would have been, so far."""
    table = world.policies.get(policy.name)
    packets, size = table.counted if table else (0, 0)
    return {"refused": {"packets": packets, "bytes": size}, "bridged_by": table.bridged_by if table else ""}


def governed(policy: Policy, world: World, own: Iterable[str] | None = None) -> list[LiveNetwork]:
    """The networks that ``policy`` governs; if it names none, its topology's ``own``."""
    if policy.state == "absent" or policy.default == "allow":
        return []
    where = policy.at("networks")
    if policy.networks is None:
        if own is None:
            own = [each.name for each in world.networks.values() if each.owner == policy.name]
        found = [each for name in own if (each := world.network(name)) is not None]
        if not found:
            raise DeclarationError(
                where, f"there is no network of a topology '{policy.name}'; name those that the policy is to govern"
            )
        for each in found:
            check_governable(each, where)
    else:
        found = [world.require_network(each, f"{where}[{n}]") for n, each in enumerate(policy.networks)]
        for n, each in enumerate(found):
            check_governable(each, f"{where}[{n}]")
    return sorted(found, key=lambda each: each.name)


def whole(policy: Policy, networks: list[LiveNetwork], world: World, waits: Waits, kept: bool = False) -> Plan:
    """The steps to the whole of ``policy`` over ``networks``; ``kept``, an entry that cannot be allows nothing."""
    if policy.state == "absent" or policy.default == "allow":
        return removal(policy.name, world)
    rulebook = Rulebook(networks, world, waits)
    lines: set[Allowed] = set()
    wrong = []
    for entry in policy.entries:
        try:
            lines.update(rulebook.product(entry) if kept else rulebook.lines(entry))
        except DeclarationError as error:
            if not kept:
                raise
            wrong.append(str(error))
    warnings = tuple(dict.fromkeys((*rulebook.warnings, *wrong)))
    return _towards(policy, networks, frozenset(lines), world, "set") + Plan(warnings=warnings)


def closing(policy: Policy, networks: list[LiveNetwork], world: World) -> Plan:
    """The steps that close those of ``networks`` that are still open, before anyone is attached to them.

    What is allowed to those who are there already is allowed at once, so that nothing of it is cut meanwhile.
    """
    there = world.policies.get(policy.name)
    names = {each.name for each in networks}
    if not names or (there is not None and names <= there.networks):
        return Plan()
    rulebook = Rulebook(networks, world, passed_over, early=True)
    lines = frozenset(line for entry in policy.entries for line in rulebook.lines(entry))
    return _towards(policy, networks, lines, world, "close")


def removal(name: str, world: World) -> Plan:
    """The step that takes the table of a policy away, if there is one."""
    there = world.policies.get(name)
    if there is None:
        return Plan()
    before = _told(there, {str(line) for line in lines_of(there.sets, world)})
    step = Step(f"policy {name}", "remove", SetPolicy(name, None), before=before)
    return Plan((step, *_no_longer_shown(name, world)))


def _towards(policy: Policy, networks: list[LiveNetwork], lines: frozenset[Allowed], world: World, verb: str) -> Plan:
    """The steps to the table that allows ``lines``."""
    there = world.policies.get(policy.name)
    unknown = any(isinstance(end.where, Drawn) for line in lines for end in (line.source, line.destination))
    late = unknown or any(not each.definition.subnets for each in networks)
    has_conntrack = there is not None and there.bridged_by == NF_CONNTRACK_BRIDGE
    bridged_by = NF_CONNTRACK_BRIDGE if has_conntrack or world.bridge_filter.has_conntrack() else BR_NETFILTER
    table = replace(_table(policy, networks, lines, world), bridged_by=bridged_by)
    if late:
        table = replace(table, allowed=lines)
    steps = []
    if bridged_by == BR_NETFILTER and set(_VERSIONS) - world.bridge_filter.versions:
        before, after = ({"ip_versions": sorted(each)} for each in (world.bridge_filter.versions, _VERSIONS))
        steps.append(Step("filtering on bridges", "enable", SetBridgeFilter(enabled=True), before, after))
    if late or table != there:
        _check_sessions(policy, table, world)
        told = {str(line) for line in lines}
        held = _held(there, lines, table, world) if there else set()
        before = _told(there, held) if there else {}
        resource, action = f"policy {policy.name}", SetPolicy(policy.name, table)
        # That others have made or removed a network, which is not of the world, is no change of this policy.
        quiet = there is not None and not late and _own(table) == _own(there)
        steps.append(Step(resource, verb, action, before, _told(table, told), bookkeeping=quiet, late=late))
    if bridged_by == NF_CONNTRACK_BRIDGE:
        steps += _no_longer_shown(policy.name, world)
    return Plan(tuple(steps))


def _no_longer_shown(name: str, world: World) -> Iterator[Step]:
    """The step that leaves br_netfilter as it was before us, if no policy but ``name`` has needed it."""
    former = world.bridge_filter.former
    others = (each for other, each in world.policies.items() if other != name)
    if former is not None and all(each.bridged_by != BR_NETFILTER for each in others):
        before, after = ({"ip_versions": sorted(each)} for each in (world.bridge_filter.versions, former))
        yield Step("filtering on bridges", "restore", SetBridgeFilter(enabled=False), before, after)


def _own(table: Table) -> Table:
    """``table`` without what it knows of other networks."""
    return replace(table, sets={name: each for name, each in table.sets.items() if not name.startswith("local")})


def _table(policy: Policy, networks: list[LiveNetwork], lines: frozenset[Allowed], world: World) -> Table:
    sets: dict[str, set[Element]] = {}
    for line in lines:
        for name, element in elements_of(line):
            sets.setdefault(name, set()).add(element)
    for kind, listed in (("governed", networks), ("local", world.networks.values())):
        for subnet in (subnet for each in listed for subnet in each.definition.subnets):
            sets.setdefault(f"{kind}{address.version_of(subnet)}", set()).add((boxes.span(subnet),))
    return Table(
        policy.default,
        policy.log_prefix if policy.log else "",
        policy.log_rate if policy.log else "",
        frozenset(each.name for each in networks),
        {name: boxes.disjoint(found) for name, found in sets.items()},
    )


# What is told of a table: lines from one end to one end, by the names that users know


def _told(table: Table, lines: Iterable[str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "default": table.default,
        "networks": sorted(table.networks),
        "allow": sorted(lines),
        "bridged_by": table.bridged_by,
    }
    if table.log_prefix:
        told["log"] = f"{table.log_prefix!r} {table.log_rate}"
    return told if table.whole else {**told, "rules": "changed by somebody else"}


def _held(there: Table, lines: Iterable[Allowed], table: Table, world: World) -> set[str]:
    """What ``there`` allows, in the words of ``lines`` where it allows all of one."""
    if there.allowed is not None:
        return {str(line) for line in there.allowed}
    parts: dict[str, list[bool]] = {}
    for line in lines:
        elements = list(elements_of(line)) or [("", ())]  # what has yet to be drawn is not allowed yet
        for name, element in elements:
            parts.setdefault(str(line), []).append(_covers(there.sets.get(name, frozenset()), element))
    more = {
        name: frozenset(
            piece
            for element in elements - table.sets.get(name, frozenset())
            for piece in boxes.left(element, table.sets.get(name, ()))
        )
        for name, elements in there.sets.items()
    }
    return {line for line, held in parts.items() if all(held)} | {str(line) for line in lines_of(more, world)}


def _covers(elements: AbstractSet[Element], wanted: Element) -> bool:
    return wanted in elements or (bool(elements) and not boxes.left(wanted, elements))


def _check_sessions(policy: Policy, table: Table, world: World) -> None:
    """DeclarationError where the host's own ssh sessions would be cut: whoever applies this may come by one."""
    if policy.default != "deny":
        return
    for peer, port in world.sessions:
        version = address.version_of(peer)
        where = boxes.span(peer)
        if not _covers(table.sets.get(f"governed{version}", frozenset()), (where,)):
            continue
        wanted = (where, (PROTOCOLS["tcp"],) * 2, (port, port))
        if not _covers(table.sets.get(f"to_host{version}", frozenset()), wanted):
            raise DeclarationError(
                policy.at("default"),
                f"would cut the ssh session of {peer} with this host;"
                f" allow it first: {{from: {peer}, to: host, ports: [{port}/tcp]}}",
            )
