# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as its topologies declare it: what is there, what is exposed, what has drifted, and its whole truth table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from .._model.connection import Container
from .._model.errors import BreakwaterError
from .._model.network import LiveNetwork
from .._model.survey import Survey
from .._model.sysctl import Parameter
from .._model.topology import Memory, Topology
from .._model.world import Scope, World
from . import table
from .as_written import satisfies
from .probe import gateway_on
from .reach import HOST, WORLD, End, Ground, Joined, Member, Net
from .topology import plan
from .truth import Declarations, PolicyDeclared, Truth

_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


def scope(_asked: Survey) -> Scope:
    """A survey looks at everything."""
    return Scope(everything=True)


def report(asked: Survey, world: World) -> dict[str, Any]:
    """What the module returns."""
    memories = {name: world.memories[name] for name in sorted(world.memories)}
    kept = _kept(memories, world)
    ground = _ground(memories, world)
    said = _declarations(memories, kept, world)
    rows, left_out = _rows(memories, kept, ground, world)
    truth = Truth(ground, said)
    if asked.remote:
        leaving, arriving = table.across(asked, truth, ground, rows)
        return {"leaving": [each.half for each in leaving], "arriving": [each.half for each in arriving]}
    inside, outside = table.judged(asked, truth, ground, said, rows)
    chosen, passed_over = table.chosen(inside, asked.cells, said, ground)
    beyond, passed_over_beyond = table.chosen(outside, asked.cells, said, ground)
    return {
        "survey": {
            "engine": ".".join(str(part) for part in world.engine.version),
            "keeper": world.kept,
            "networks": [_network(each, ground) for each in _shown(kept, rows, world)],
            "containers": [_container(ground.members[name]) for name in rows],
            "left_out": left_out,
            "topologies": [_topology(name, memory, kept, ground, world) for name, memory in memories.items()],
            "exposed": _exposed(truth, ground, rows, said),
            "joined": [
                {"local": list(map(str, each.local)), "remote": list(map(str, each.remote))} for each in ground.joined
            ],
            "ports": [port for protocol, port in table.ports(said, ground, rows) if protocol == "tcp"],
            "cells": len(inside) + len(outside),
            "passed_over": passed_over + passed_over_beyond,
            "unjudged": table.unjudged([*inside, *outside]),
        },
        "expectations": [each.expectation for each in chosen],
        "outside": [each.expectation for each in beyond],
    }


# What is there


def _kept(memories: Mapping[str, Memory], world: World) -> dict[str, frozenset[str]]:
    """The names of the networks of each topology, and those that its policy governs beside."""
    found = {}
    for name, memory in memories.items():
        own = _own(memory)
        policy = memory.declared.get("policy") or {}
        listed = [net.name for each in policy.get("networks") or () if (net := world.network(each))]
        found[name] = frozenset(each for each in (*own, *listed) if world.network(each))
    return found


def _own(memory: Memory) -> list[str]:
    return [
        each["name"]
        for each in memory.declared.get("networks") or ()
        if each.get("state", "present") == "present" and not each.get("config_only")
    ]


def _ground(memories: Mapping[str, Memory], world: World) -> Ground:
    residents = [each for each in world.known_residents() if each.running and not each.shares]
    routers = {
        route.gateway for each in residents for route in world.routes.get(each.id, ()) if route.gateway is not None
    }
    return Ground(
        engine=tuple(world.engine.version),
        networks={each.name: _net(each, world) for each in world.networks.values()},
        members={each.name: _member(each, routers, world) for each in residents},
        declared_routes=frozenset((name, key[0]) for memory in memories.values() for name, key in memory.routes),
        forward={version: world.packet_filter.built_in(version, "FORWARD")[0] for version in (4, 6)},
        open_input=all(world.packet_filter.built_in(version, "INPUT") == ("ACCEPT", ()) for version in (4, 6)),
        bridged=frozenset(world.bridge_filter.versions),
        joined=tuple(_ways(memories)),
    )


def _ways(memories: Mapping[str, Memory]) -> Iterator[Joined]:
    for memory in memories.values():
        for each in memory.declared.get("tunnels") or ():
            if each.get("state", "present") == "present":
                remote = (subnet for peer in each["peers"] for subnet in peer["subnets"])
                yield Joined(tuple(map(ip_network, each["subnets"])), tuple(map(ip_network, remote)))


def _net(live: LiveNetwork, world: World) -> Net:
    told = {one for endpoint in world.endpoints_on(live).values() for one in endpoint.gateways}
    own = (gateway_on(live, sorted(told), version) for version in (4, 6))
    return Net(
        live.name,
        live.definition.driver,
        live.definition.internal,
        tuple(ip_network(each) for each in live.definition.subnets),
        tuple(ip_address(each) for each in own if each),
        live.definition.driver_options,
    )


def _member(resident: Container, routers: set[str], world: World) -> Member:
    addresses = {
        name: tuple(ip_address(one) for one in endpoint.addresses)
        for name, endpoint in sorted(resident.endpoints.items())
    }
    is_router = any(str(one) in routers for ones in addresses.values() for one in ones)
    live = world.sysctls[resident.id].live if is_router else {}
    return Member(
        resident.name,
        resident.id,
        resident.labels,
        addresses,
        world.routes.get(resident.id, ()),
        frozenset(
            version
            for version, key in _FORWARDING.items()
            if (found := live.get(Parameter(key))) is not None and found.value == "1"
        ),
        resident.published,
    )


def _declarations(memories: Mapping[str, Memory], kept: Mapping[str, frozenset[str]], world: World) -> Declarations:
    policies = []
    for name, memory in memories.items():
        declared = memory.declared.get("policy")
        if declared:
            own = kept[name] & (
                frozenset(declared["networks"]) if declared.get("networks") else frozenset(_own(memory))
            )
            policies.append(PolicyDeclared(name, declared, own))
    rules = {name: memory.declared["rules"] for name, memory in memories.items() if memory.declared.get("rules")}
    known = {each.topology for each in policies}
    return Declarations(
        tuple(policies),
        rules,
        {
            name: table.networks
            for name, table in world.policies.items()
            if name not in known and table.default == "deny"
        },
        tuple(sorted(each for each in world.rulesets if each not in {f"BWT-{name}" for name in rules})),
    )


def _rows(
    memories: Mapping[str, Memory], kept: Mapping[str, frozenset[str]], ground: Ground, world: World
) -> tuple[list[str], list[dict[str, str]]]:
    """The containers whose cells are judged, and those that are left out, with the reason."""
    networks = frozenset().union(*kept.values())
    declared = {name for memory in memories.values() for name, _network in memory.declared_connections}
    rows, left_out = [], []
    for each in world.known_residents():
        reason = ""
        if each.shares and each.running:
            reason = f"lives in the network of {'the host' if each.shares == HOST else 'another container'}"
        elif networks.isdisjoint(each.endpoints) and each.name not in declared:
            reason = "is on no network that a topology keeps"
        elif not each.running:
            reason = "does not run"
        elif not any(ground.networks[name].driver == "bridge" for name in each.endpoints if name in ground.networks):
            reason = "is on no bridge network; its packets do not pass the host's packet filter"
        if reason:
            left_out.append({"container": each.name, "reason": reason})
        else:
            rows.append(each.name)
    absent = declared - set(world.names)
    left_out += [{"container": each, "reason": "is declared, and is not there"} for each in absent]
    return sorted(rows), sorted(left_out, key=lambda each: each["container"])


# In the words of the result


def _shown(kept: Mapping[str, frozenset[str]], rows: list[str], world: World) -> list[LiveNetwork]:
    names = set().union(*kept.values())
    names |= {name for each in world.known_residents() if each.name in rows for name in each.endpoints}
    return sorted((each for each in world.networks.values() if each.name in names), key=lambda each: each.name)


def _network(live: LiveNetwork, ground: Ground) -> dict[str, Any]:
    return {
        "name": live.name,
        "driver": live.definition.driver,
        "internal": live.definition.internal,
        "subnets": list(live.definition.subnets),
        "gateways": [str(each) for each in ground.networks[live.name].host],
        "topology": live.owner,
    }


def _container(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "labels": dict(sorted(member.labels.items())),
        "networks": {name: [str(each) for each in addresses] for name, addresses in member.addresses.items()},
        "published": [
            {"port": f"{each.port}/{each.protocol}", "host": each.host, "host_port": each.host_port}
            for each in member.published
        ],
    }


def _topology(
    name: str, memory: Memory, kept: Mapping[str, frozenset[str]], ground: Ground, world: World
) -> dict[str, Any]:
    policy = memory.declared.get("policy") or {}
    return {
        "name": name,
        "networks": sorted(kept[name]),
        "containers": sorted({container for container, _network in memory.declared_connections}),
        "policy": policy.get("default", "deny") if policy else "none",
        "rules": len(memory.declared.get("rules") or ()),
        "flows": [_flow(entry, kept[name], ground) for entry in policy.get("allow") or ()],
        **_drift(name, memory, world),
    }


def _flow(entry: Mapping[str, Any], networks: frozenset[str], ground: Ground) -> dict[str, Any]:
    return {
        "from": _named(entry["from"], networks, ground),
        "to": _named(entry["to"], networks, ground),
        "ports": [str(each) for each in entry.get("ports") or ()],
    }


def _named(given: Any, networks: frozenset[str], ground: Ground) -> list[dict[str, str]]:
    """Who is meant by one end of an entry: containers by name, the rest by its kind and its own words."""
    found: dict[tuple[str, str], None] = {}
    for each in given if isinstance(given, (list, tuple)) else [given]:
        if isinstance(each, str):
            text = each.strip()
            kind = text if text in (HOST, WORLD) else "container" if text in ground.members else "cidr"
            found[kind, text] = None
        elif "labels" in each:
            for name, member in sorted(ground.members.items()):
                if networks & set(member.addresses) and satisfies(each["labels"], member.labels):
                    found["container", name] = None
        else:
            kind = next(key for key in ("container", "network", "cidr") if key in each)
            found[kind, str(each[kind])] = None
    return [{"kind": kind, "name": name} for kind, name in found]


def _drift(name: str, memory: Memory, world: World) -> dict[str, Any]:
    """What is not as declared, as check mode would tell it; what it cannot tell is a failure."""
    try:
        found = plan(Topology.recalled(name, memory).kept().foreseen(), world)
    except BreakwaterError as error:
        return {"drift": [], "pending": [], "failure": str(error)}
    return {
        "drift": [str(each) for each in found.told],
        "pending": [*(str(each) for each in found.pending), *found.warnings],
        "failure": "",
    }


def _exposed(truth: Truth, ground: Ground, rows: list[str], said: Declarations) -> list[dict[str, Any]]:
    """What is published to the outside, and to whom it is open by what is declared."""
    found = []
    for name in rows:
        member = ground.members[name]
        for each in member.published:
            if ip_address(each.host).is_loopback:
                continue
            found.append(
                {
                    "container": name,
                    "port": f"{each.port}/{each.protocol}",
                    "host": each.host,
                    "host_port": each.host_port,
                    "open_to": _open_to(truth, member, each, said),
                }
            )
    return found


def _open_to(truth: Truth, member: Member, opened: Any, said: Declarations) -> list[str]:
    """Who outside is let through: ``world``, subnets, or nobody; ``anyone`` where nothing closes it."""
    version = ip_address(opened.host).version
    nowhere = End(WORLD, WORLD, ip_address("192.0.2.1" if version == 4 else "2001:db8::1"))
    policies = [each for each in said.policies if each.closes and each.networks & set(member.addresses)]
    found = truth.published(nowhere, member, opened)
    if found.expect != "drop":
        return [(WORLD if policies else "anyone") if found.expect else "not judged"]
    subnets: dict[str, None] = {}
    for policy in policies:
        for entry in policy.declared.get("allow") or ():
            for each in entry["from"] if isinstance(entry["from"], (list, tuple)) else [entry["from"]]:
                text = each.get("cidr") if isinstance(each, Mapping) else each
                try:
                    subnet = ip_network(str(text), strict=False)
                except ValueError:
                    continue
                source = replace(nowhere, address=subnet.network_address)
                if subnet.version == version and truth.published(source, member, opened).expect == "pass":
                    subnets[str(text)] = None
    return sorted(subnets)
