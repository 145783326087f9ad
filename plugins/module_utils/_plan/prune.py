# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a topology has made to what it still declares: the rest goes."""

from __future__ import annotations

from collections.abc import Iterable

from .._model.errors import Refused
from .._model.route import Key
from .._model.step import Plan, Step
from .._model.sysctl import Parameter
from .._model.topology import Memory, Topology
from .._model.world import World
from . import connection, network, route, sysctl, words
from .memory import declared
from .predict import after


def plan(topology: Topology, world: World) -> Plan:
    """The steps that take away what ``topology`` has made and declares no more; Refused where it would cut others."""
    memory = world.memories.get(topology.name, Memory())
    if not topology.prune:
        return Plan()
    wanted = declared(topology, world)
    steps = _stale_routes(memory.routes - wanted.routes, world)
    steps += _stale_sysctls(topology, memory.sysctls - wanted.sysctls, world)
    now = after(world, steps)
    gone = [each for each in world.networks.values() if _is_ours(topology, each.name, world)]
    kept = {each.name for each in topology.networks}
    gone = [each for each in gone if each.name not in kept]
    ours = memory.connections | {
        (container, name) for container, name in memory.declared_connections if _is_ours(topology, name, world)
    }
    for container_name, name in sorted(ours - wanted.connections):
        container = now.container(container_name)
        live = now.network(name)
        found = container.endpoints.get(live.name if live else name) if container else None
        if container and found:
            steps.append(connection.detachment(container, found))
    now = after(now, steps)
    # A network that others take their configuration from must be there as long as they are.
    for live in sorted(gone, key=lambda each: (each.definition.config_only, each.name)):
        strangers = sorted(now.containers[each].name for each in now.endpoints_on(live))
        users = sorted(
            each.name for each in now.networks.values() if each.definition.config_from == live.name and each not in gone
        )
        if users:
            raise Refused(
                "prune",
                f"network '{live.name}' is declared no more, and {', '.join(users)}, made by somebody else,"
                " takes its configuration from it; remove that first",
                before=words.network(live.definition),
            )
        if strangers:
            raise Refused(
                "prune",
                f"network '{live.name}' is declared no more, and {', '.join(strangers)}"
                " was attached to it by somebody else; detach it first",
                before=words.network(live.definition),
                cuts=strangers,
            )
        steps.extend(network.removal(live, now))
    return Plan(tuple(steps))


def _is_ours(topology: Topology, name: str, world: World) -> bool:
    live = world.network(name)
    made = world.memories.get(topology.name, Memory()).networks
    return live is not None and (live.owner == topology.name or (bool(live.definition.config_from) and name in made))


def _stale_routes(stale: Iterable[tuple[str, Key]], world: World) -> list[Step]:
    steps = []
    for name, key in sorted(stale):
        container = world.container(name)
        if container is None or not container.running:
            continue
        found = next((each for each in world.routes.get(container.id, ()) if each.key == key), None)
        if found is not None:
            steps.append(route.deletion(container, found))
    return steps


def _stale_sysctls(topology: Topology, stale: Iterable[tuple[str, Parameter]], world: World) -> list[Step]:
    others = {one for name, each in world.memories.items() if name != topology.name for one in each.sysctls}
    steps: list[Step] = []
    for name, key in sorted({*stale} - others):
        container = world.container(name) if name else None
        if container is not None or not name:
            steps.extend(sysctl.release(sysctl.Place.of(container, world), key, world).steps)
    return steps
