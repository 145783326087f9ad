# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a fleet: what is known of each member, and the tables from which each host's end is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import chain
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.address import version_of
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import near
from ansible_collections.breakwater.docker.plugins.module_utils._model.tunnel import check_gateway

from . import backbone, names, preshared, rotation
from .known import Known
from .layouts import Layout
from .members import Member
from .mtu import mtu
from .notices import notices
from .settings import Outside, Settings
from .subnets import Subnets
from .unmanaged import configuration
from .words import DIRECT, STAYS, variable

_TRUSTING = (28, 2)
"""The first engine that shields a container from what enters elsewhere than by its own bridge, unless told to trust."""


def plan(hostvars: Mapping[str, Any], group: Iterable[str], given: Any) -> dict[str, Any]:
    """The plan of the fleet of ``group`` by the ``given`` settings; DeclarationError names the variable.

    ``nodes`` are the members and those ``outside``, ``hosts`` what only the end of that host needs; the size of both
    grows with the number of hosts and not with that of pairs.
    """
    settings = Settings.read(given)
    known = Known(hostvars, group, settings)
    members = known.members
    if settings.is_wireguard:
        rotation.check_generation(members, settings)
    subnets = Subnets(known)
    formers = {name: rotation.former(each, settings) for name, each in members.items()}
    hubs, leaders = backbone.hubs(known), backbone.leaders(known)
    peers = [name for name in members if known.is_usable(name) and subnets.is_known(name)]
    spine = backbone.backbone(settings.layout, hubs, leaders, peers)
    nodes = dict(_nodes(known, subnets, spine, peers, any(formers.values())))
    found: dict[str, Any] = {
        "name": settings.name,
        "backend": settings.backend,
        "layout": settings.layout,
        "network": settings.network,
        "generation": settings.generation,
        "port": settings.port,
        "preshared": settings.preshared,
        "mtu": mtu(
            settings,
            (each.seen.path_mtu for each in members.values() if each.seen),
            any(":" in each.endpoint.host for each in members.values()),
        ),
        "nodes": nodes,
        "outside": sorted(chain(known.outside, known.strangers)),
        "hubs": hubs,
        "leaders": leaders,
        "absent": known.absent,
    }

    def has_key(peer: str) -> bool | None:
        return settings.key in known.keys[peer] if peer in nodes else None

    states = {name: rotation.states(each, settings, members, has_key) for name, each in members.items()}
    between = _between(found, len(members))
    shared = {name: preshared.sharers(each, known) for name, each in members.items()} if settings.is_wireguard else {}
    found["hosts"] = {
        name: {
            "networks": _network(member, subnets.networks[name], settings, found["mtu"]),
            "subnets": list(subnets.of(name)),
            "local": member.endpoint.host,
            "transit": name in between,
            "tunnels": sorted(member.seen.tunnels) if member.seen else [],
            **({"former": formers[name], "states": states[name]} if states[name] else {}),
            **({"preshared": shared[name]} if shared.get(name) else {}),
            **({"leftover": subnets.leftovers[name]} if name in subnets.leftovers else {}),
        }
        for name, member in members.items()
    }
    gone = [*settings.absent, *known.absent, *names.of_absent(known.absent, hostvars)]
    found["names"] = names.names(members.values(), nodes)
    found["policy"] = names.policy(settings.policy, found["names"], nodes, gone) if settings.policy else None
    layout = Layout(found)
    found["configurations"] = {
        name: configuration(each, settings, found, layout) for name, each in known.outside.items()
    }
    found["settled"] = not any(
        state != STAYS and peer in members for each in states.values() for peer, state in each.items()
    )
    found["warnings"] = [*subnets.warnings, *notices(known, found, states)]
    return found


def _between(plan: Mapping[str, Any], members: int) -> set[str]:
    """The members through whom others reach each other."""
    outside = (plan["nodes"][name] for name in plan["outside"])
    gates = (each["gate"] for each in outside if len(each["at"]) < members)
    return {*plan["hubs"], *plan["leaders"].values(), *filter(None, gates)}


def _nodes(
    known: Known, subnets: Subnets, spine: list[str], peers: list[str], has_former: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What others need of each, by name and in order, of those of whom a subnet is known."""
    step = known.settings.step
    for name in sorted(chain(known.members, known.outside, known.strangers)):
        member = known.members.get(name)
        if member is None:
            yield name, _outside(name, known, spine, peers)
        elif subnets.is_known(name):
            if known.settings.backend == DIRECT:
                check_gateway(member.endpoint.host, subnets.of(name), f"hostvars.{name}.{variable('endpoint')}")
            node = _node(name, subnets.of(name), member.nat, known)
            node.update(site=member.site, endpoint=_endpoint(member, known.settings, step))
            yield name, {**node, "former": _endpoint(member, known.settings, 1 - step)} if has_former else node


def _outside(name: str, known: Known, spine: list[str], peers: list[str]) -> dict[str, Any]:
    """The node of a peer that nobody manages, or that is remembered alone."""
    peer, members = known.outside.get(name), known.members
    if peer:
        endpoint = peer.endpoint.at(known.settings.port) if peer.endpoint else None
        node = _node(name, peer.subnets, endpoint is None, known)
        at = _at(peer, known, spine, peers)
    else:
        memory = known.remembered[name]
        endpoint = memory.endpoint
        node = _node(name, tuple(memory.subnets), endpoint is None, known)
        at = memory.by
    at = [each for each in at if endpoint or not members[each].nat]
    order = {each: (each not in spine, members[each].nat, each) for each in at}
    gate = min(at, key=lambda each: order[each]) if at else None
    return {**node, "endpoint": endpoint, "former": endpoint, "at": at, "gate": gate}


def _node(name: str, subnets: tuple[str, ...], nat: bool, known: Known) -> dict[str, Any]:
    slot = int.from_bytes(sha256(name.encode()).digest()[:4], "big")
    return {"subnets": list(subnets), "nat": nat, "slot": slot, "keys": known.keys.get(name, {})}


def _endpoint(member: Member, settings: Settings, step: int) -> str | None:
    """Where a member is called: None behind NAT, an address alone where there is no port to call."""
    if member.nat:
        return None
    return member.endpoint.at(settings.port, step) if settings.is_wireguard else member.endpoint.host


def _at(peer: Outside, known: Known, spine: list[str], peers: list[str]) -> list[str]:
    """The members that speak to a peer that nobody manages."""
    for n, name in enumerate(peer.at or ()):
        if name not in known.members and name not in known.absent:
            raise DeclarationError(
                f"{peer.path}.at[{n}]", f"the fleet has no host '{name}'; {near(name, known.members)}"
            )
    return spine if peer.at is None else [each for each in peers if each in peer.at]


def _network(member: Member, subnets: tuple[str, ...], settings: Settings, mtu_: int) -> list[dict[str, Any]]:
    """The fleet's network on a host. Driver options cannot change, so one that is there keeps its own."""
    seen = member.seen
    if not subnets:
        return []
    if seen and settings.network in seen.networks:
        options = dict(seen.networks[settings.network].get("driver_options") or {})
    else:
        options = {"com.docker.network.driver.mtu": str(mtu_)}
        if seen and seen.engine >= _TRUSTING and settings.backend != DIRECT:
            options["com.docker.network.bridge.trusted_host_interfaces"] = ":".join(settings.interfaces)
    return [
        {
            "name": settings.network,
            "ipam_config": [{"subnet": each} for each in subnets],
            **({"enable_ipv6": True} if any(version_of(each) == 6 for each in subnets) else {}),
            "driver_options": options,
        }
    ]
