# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a topology is remembered by: all that it has made, written down before it is made."""

from __future__ import annotations

from collections.abc import Iterable

from .._model.firewall import Firewall
from .._model.hosts_file import owner_of
from .._model.route import Key, LiveRoute
from .._model.step import Connect, CreateNetwork, Plan, Remember, SetRoute, Step
from .._model.sysctl import Parameter
from .._model.topology import Memory, Topology
from .._model.world import World
from . import hosts_file, sysctl


def declared(topology: Topology, world: World) -> Memory:
    """What ``topology`` wants to be there, in the form in which it is remembered: by name."""

    def named(container: str) -> str:
        found = world.container(container)
        return found.name if found else container

    def network_named(reference: str) -> str:
        live = world.network(reference)
        return live.name if live else reference

    return Memory(
        topology.arguments,
        frozenset(
            (named(each.container), network_named(endpoint.name))
            for each in topology.connections
            for endpoint in each.networks
            if each.state == "present"
        )
        | frozenset(
            (named(member), network_named(each.name))
            for each in topology.networks
            for member in each.connected or ()
            if each.state == "present"
        ),
        frozenset(
            (named(each.container), r.key) for each in topology.routes for r in each.routes if r.state == "present"
        ),
        sysctls=frozenset(
            (named(each.container) if each.container else "", Parameter(s.key.name, network_named(s.key.network)))
            for each in topology.sysctls
            for s in each.settings
            if s.value is not None
        ),
        tunnels=frozenset(each.name for each in topology.tunnels if each.state == "present"),
    )


def made(topology: Topology, steps: Iterable[Step], world: World, future: World) -> Memory:
    """What the topology will have made: what it has and what it is about to, as long as it is there or declared."""
    former = world.memories.get(topology.name, Memory())
    wanted = declared(topology, future)
    attached = {(s.action.container, s.action.network) for s in steps if isinstance(s.action, Connect)}
    # What was there before, and only comes back, is not what the topology has made.
    attached = {each for each in attached if not _is_attached(each, world)}
    routed = {
        (s.action.container, s.action.route.key)
        for s in steps
        if isinstance(s.action, SetRoute) and s.action.route not in _routes_of(s.action.container, world)
    }
    return Memory(
        wanted.declared,
        frozenset(
            each
            for each in former.connections | (attached & wanted.connections)
            if each in wanted.connections or _is_attached(each, world)
        ),
        frozenset(
            each
            for each in former.routes | (routed & wanted.routes)
            if each in wanted.routes or _is_routed(each, world)
        ),
        frozenset(each for each in former.networks if world.network(each) is not None) | _cast(steps, world),
        _filters(topology, former, world),
        frozenset(each for each in former.sysctls if each in wanted.sysctls or _is_kept(each, world))
        | frozenset(each for each in wanted.sysctls if _is_kept(each, future)),
        bool(wanted.declared.get("hosts_files"))
        or (former.hosts_files and bool(hosts_file.holders(owner_of(topology.name), world))),
        frozenset(each for each in former.tunnels if each in world.tunnels) | wanted.tunnels,
    )


def _filters(topology: Topology, former: Memory, world: World) -> frozenset[str]:
    """The packet filters that the topology will have: those declared, and those of before as long as they stand."""
    chain = Firewall.of_topology(topology.name, ()).chain
    found = {
        "policy": topology.policy or ("policy" in former.filters and topology.name in world.policies),
        "rules": topology.rules or ("rules" in former.filters and chain in world.rulesets),
    }
    return frozenset(name for name, stands in found.items() if stands)


def _cast(steps: Iterable[Step], world: World) -> frozenset[str]:
    """The networks with ``config_from`` that ``steps`` make where there was none."""
    made = {
        s.action.definition.name
        for s in steps
        if isinstance(s.action, CreateNetwork) and s.action.definition.config_from
    }
    return frozenset(each for each in made if world.network(each) is None and each not in world.journals)


def noted(topology: Topology, memory: Memory, world: World) -> Plan:
    """The note of a memory, written before anything is done: nothing made is ever forgotten."""
    if memory == world.memories.get(topology.name):
        return Plan()
    return Plan((Step(f"topology {topology.name}", "note", Remember(topology.name, memory), bookkeeping=True),))


def _is_attached(pair: tuple[str, str], world: World) -> bool:
    """Whether the container is on the network, or will be again by the journal of a recreate that was cut off."""
    container = world.container(pair[0])
    journal = world.journals.get(pair[1])
    owed = journal.endpoints if journal else ()
    return container is not None and (pair[1] in container.endpoints or container.id in owed)


def _is_kept(pair: tuple[str, Parameter], world: World) -> bool:
    """Whether we have set the kernel parameter, and know what it was before."""
    name, key = pair
    container = world.container(name) if name else None
    return (container is not None or not name) and sysctl.holds(sysctl.Place.of(container, world), key)


def _is_routed(pair: tuple[str, Key], world: World) -> bool:
    return any(each.key == pair[1] for each in _routes_of(pair[0], world))


def _routes_of(name: str, world: World) -> list[LiveRoute]:
    """The routes that the container has, or will have again by the journal of a recreate that was cut off."""
    container = world.container(name)
    if container is None:
        return []
    owed = (each for journal in world.journals.values() for each in journal.routes.get(container.id, ()))
    return [*world.routes.get(container.id, ()), *owed]
