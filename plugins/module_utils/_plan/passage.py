# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The passages that the declared routes of a topology need on a host's engine."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from .._model import address
from .._model.connection import Container
from .._model.errors import DeclarationError
from .._model.passage import Passage
from .._model.route import Key, Route, Routes
from .._model.step import Plan, SetPassages, Step
from .._model.world import World
from .route import resolve

_SINCE = (28, 2)

Made = AbstractSet[tuple[str, Key]]
"""Routes by the name of their container and their key."""


def plan(topology: str, routes: Iterable[Routes], made: Made, world: World) -> Plan:
    """The step to the passages of ``topology``: none on engines that drop nothing on a bridge.

    Only routes that the topology has set, by the names in ``made``, open a passage: one that a person set was
    there before, and what was closed to it is not for us to open.
    """
    there = world.passages.get(topology, ()) if world.engine.version >= _SINCE else ()
    needed = _needed(routes, world) if world.engine.version >= _SINCE else {}
    wanted = {each for each, users in needed.items() if each in there or users & made}
    if wanted == set(there):
        return Plan()
    listed = tuple(sorted(wanted, key=lambda each: (each.network, each.subnet)))
    step = Step(
        f"passages of {topology}",
        "set" if listed else "remove",
        SetPassages(topology, listed),
        before=_told(there),
        after=_told(listed),
    )
    return Plan((step,))


def _needed(routes: Iterable[Routes], world: World) -> dict[Passage, set[tuple[str, Key]]]:
    """The passages that ``routes`` lead by, each with the routes that do."""
    found: dict[Passage, set[tuple[str, Key]]] = {}
    bridged = [
        (each.name, subnet) for each in world.networks.values() if each.bridge for subnet in each.definition.subnets
    ]
    for declared in routes:
        container = world.container(declared.container)
        for route in declared.routes if container and container.endpoints else ():
            if container is None or route.type != "unicast" or route.state == "absent":
                continue
            for passage in _along(route, container, bridged, world):
                found.setdefault(passage, set()).add((container.name, route.key))
    return found


def _along(route: Route, container: Container, bridged: Iterable[tuple[str, str]], world: World) -> list[Passage]:
    """The passages for what ``container`` sends by ``route`` to the other ones of ``bridged``, networks' subnets."""
    try:
        leaves_by = world.network(resolve(route, container, world).network or "")
    except DeclarationError:
        return []  # the route itself waits or cannot be, and is told as such
    if leaves_by is None or leaves_by.bridge is None or not (route.via or route.gateway):
        return []
    return [
        Passage(leaves_by.name, subnet if address.within(subnet, route.destination) else route.destination)
        for name, subnet in bridged
        if name not in container.endpoints and address.overlap(subnet, route.destination)
    ]


def _told(passages: Iterable[Passage]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for each in passages:
        told.setdefault(each.network, []).append(each.subnet)
    return told
