# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a topology says must go together: with itself, and with those that share the host."""

from __future__ import annotations

from .._model.connection import Endpoint
from .._model.errors import DeclarationError
from .._model.network import Network
from .._model.topology import Topology
from .._model.world import World


def check_owners(topology: Topology, world: World) -> None:
    """DeclarationError where a network is another topology's."""
    for each in topology.networks:
        live = world.network(each.name)
        if live is not None and live.owner not in (None, topology.name):
            raise DeclarationError(
                each.at("name"),
                f"network '{live.name}' was made by topology '{live.owner}'; it is declared there",
            )


def check_members(topology: Topology, world: World) -> None:
    """DeclarationError where a network's own list of members and the connections contradict each other."""

    def identity(reference: str) -> str:
        return world.container_id(reference) or reference

    for declared in topology.networks:
        if declared.connected is None or declared.state == "absent":
            continue
        listed = {identity(each): n for n, each in enumerate(declared.connected)}
        attached = declared_on(topology, declared, world)
        for each in topology.connections:
            who = identity(each.container)
            endpoint = attached.get(who)
            if endpoint is not None and who not in listed and not declared.appends:
                raise DeclarationError(
                    endpoint.at("name"),
                    f"{declared.at('connected')} lists the containers on network '{declared.name}',"
                    f" and '{each.container}' is not among them; add it there, or set appends: true",
                )
            if who in attached and endpoint is None and who in listed:
                raise DeclarationError(
                    f"{declared.at('connected')}[{listed[who]}]",
                    f"{each.path} takes container '{each.container}' off network '{declared.name}'",
                )


def declared_on(topology: Topology, declared: Network, world: World) -> dict[str, Endpoint | None]:
    """The endpoints that ``topology`` declares on one network, by the ID of their container; None for who leaves."""
    found: dict[str, Endpoint | None] = {}
    live = world.network(declared.name)
    for each in topology.connections:
        container_id = world.container_id(each.container)
        listed = [one for one in each.networks if one.name == declared.name or (live and one.name == live.id)]
        if container_id is not None and (listed or each.exclusive):
            found[container_id] = listed[0] if listed and each.state == "present" else None
    return found
