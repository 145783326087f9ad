# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers that a play starts after a topology, or removes before it, as they will be then."""

from __future__ import annotations

from dataclasses import replace

from .._model.connection import Connection, Container, Endpoint, LiveEndpoint, Settings
from .._model.topology import Topology
from .._model.world import World
from .predict import with_container, without_container


def assumed(topology: Topology, world: World) -> World:
    """What check mode plans on: ``world``, and the containers of the play as they will be by then."""
    return expected(topology, world) if topology.assumed else world


def expected(topology: Topology, world: World) -> World:
    """``world`` with the containers that the play starts later, as they will be then; for a removal, without them."""
    declared = {each.container: each for each in topology.connections}
    for name in topology.expected_containers:
        container = world.container(name)
        if topology.state == "absent":
            world = without_container(world, container) if container else world
        elif container is None:
            wanted = declared.get(name, Connection(name))
            endpoints = {
                each.name: _endpoint(each, world) for each in wanted.networks if world.network(each.name) is not None
            }
            container = Container(f"expected:{name}", name, True, endpoints=endpoints)
            world = with_container(world, container)
        elif not container.running:
            world = with_container(world, replace(container, running=True))
    return world


def _endpoint(declared: Endpoint, world: World) -> LiveEndpoint:
    """The endpoint that ``docker_container`` makes of the declared one: of the rest it knows nothing."""
    live = world.require_network(declared.name, declared.at("name"))
    settings = Settings(
        ipv4_address=declared.ipv4_address,
        ipv6_address=declared.ipv6_address,
        aliases=declared.aliases or (),
        links=declared.links or (),
    )
    return LiveEndpoint(live.id, live.name, settings, settings.ipv4_address, settings.ipv6_address)
