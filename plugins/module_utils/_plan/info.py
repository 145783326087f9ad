# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there, as declarations that would change nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .._model.connection import Container
from .._model.info import Everything, Networks
from .._model.network import PREDEFINED, LiveNetwork
from .._model.topology import Memory
from .._model.world import Scope, World
from . import words
from .route import by_engine

_SWARM_BRIDGE = "docker_gwbridge"


def everything(_asked: Everything) -> Scope:
    """``topology_info`` looks at all there is."""
    return Scope(everything=True)


def networks(asked: Networks, world: World) -> dict[str, Any]:
    """What ``network_info`` returns: each network, and who is on it with which address."""
    if asked.name is None:
        found = sorted(world.networks.values(), key=lambda each: each.name)
    else:
        named = world.network(asked.name)
        found = [named] if named else []
    return {"exists": bool(found), "networks": [_network(each, world) for each in found]}


def _network(live: LiveNetwork, world: World) -> dict[str, Any]:
    members = []
    for container_id, endpoint in world.endpoints_on(live).items():
        container = world.containers[container_id]
        members.append(
            {
                "container": container.name,
                "id": container_id,
                "running": container.running,
                "addresses": list(endpoint.addresses),
                "mac_address": endpoint.mac,
                "stale": not endpoint.is_on(live),
            }
        )
    return {
        "id": live.id,
        "topology": live.owner,
        "interface": live.bridge,
        **words.network(live.definition),
        "driver": live.definition.driver,
        "containers": sorted(members, key=lambda each: str(each["container"])),
    }


def topology(asked: Everything, world: World) -> dict[str, Any]:
    """What ``topology_info`` returns: the arguments of a ``topology`` that changes nothing on this host."""
    containers = [each for each in world.containers.values() if not each.shares]
    if asked.containers is not None:
        wanted = {world.require_container(each, f"containers[{n}]").id for n, each in enumerate(asked.containers)}
        containers = [each for each in containers if each.id in wanted]
    containers.sort(key=lambda each: each.name)
    listed = sorted(world.networks.values(), key=lambda each: each.name)
    if asked.containers is not None:
        touched = {name for each in containers for name in each.endpoints}
        listed = [each for each in listed if each.name in touched]
    return {
        "topology": {
            "name": asked.name,
            "networks": [words.network(each.definition) for each in listed if _is_declarable(each)],
            "connections": [_connection(each) for each in containers if each.endpoints],
            "routes": [
                {"container": each.name, "routes": routes} for each in containers if (routes := _routes(each, world))
            ],
        }
    }


def _is_declarable(live: LiveNetwork) -> bool:
    """Whether somebody declared it, and not the engine or a swarm."""
    return live.name not in (*PREDEFINED, _SWARM_BRIDGE) and not live.definition.ingress


def _connection(container: Container) -> dict[str, Any]:
    names = sorted(container.endpoints)
    return {
        "container": container.name,
        "networks": [words.endpoint(name, container.endpoints[name].settings) for name in names],
    }


def _routes(container: Container, world: World) -> list[dict[str, Any]]:
    if not container.running:
        return []
    found = [each for each in world.routes[container.id] if not by_engine(each, container)]
    # What leaves by an interface of no network (a swarm's docker_gwbridge, a tunnel) cannot be declared.
    return [words.route(each) for each in found if each.network or each.type != "unicast"]


def tunnels(asked: Everything, world: World) -> dict[str, Any]:
    """What ``tunnel_info`` returns: what a plan of the whole fleet must know of a host."""
    memory = world.memories.get(asked.name, Memory())
    declared = list(memory.declared.get("tunnels", ()))
    peers = {each["public_key"]: each["name"] for tunnel in declared for each in tunnel["peers"]}
    return {
        "seen": {
            "engine": ".".join(map(str, world.engine.version)),
            "public_keys": world.way.public_keys(),
            "preshared": world.way.all_preshared(),
            "path_mtu": world.way.mtu(),
            "networks": [
                {
                    "name": each.name,
                    "subnets": list(each.definition.subnets),
                    "driver_options": dict(each.definition.driver_options),
                }
                for each in sorted(world.networks.values(), key=lambda each: each.name)
            ],
            "prefixes": [asdict(each) for each in world.prefixes],
            "pools": list(world.engine.pools()),
            "tunnels": declared,
            "handshakes": {
                name: {peers.get(key, key): age for key, age in each.handshakes.items()}
                for name, each in world.tunnels.items()
            },
        }
    }
