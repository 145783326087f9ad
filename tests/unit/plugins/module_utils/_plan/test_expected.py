# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology whose containers the play itself starts, or removes: what check mode plans, and what may be missing."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import (
    Container,
    LiveEndpoint,
    Settings,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Engine
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import NotThere
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import (
    OWNER,
    Definition,
    LiveNetwork,
    Pool,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.route import LiveRoute
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import Plan
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import SPEC, Memory, Topology
from ansible_collections.breakwater.docker.plugins.module_utils._model.world import World
from ansible_collections.breakwater.docker.plugins.module_utils._plan.topology import plan

FRONT, BACK = (
    LiveNetwork(name * 16, Definition(name, labels={OWNER: "shop"}, ipam_config=(Pool(f"10.0.{n}.0/24"),)))
    for n, name in enumerate(("aaaa", "bbbb"))
)
DECLARED: dict[str, Any] = {
    "name": "shop",
    "networks": [
        {"name": each.name, "ipam_config": [{"subnet": pool.subnet} for pool in each.definition.ipam_config]}
        for each in (FRONT, BACK)
    ],
    "connections": [
        {"container": "web", "networks": [{"name": "aaaa", "ipv4_address": "10.0.0.9"}], "exclusive": True},
        {
            "container": "gw",
            "networks": [{"name": "aaaa", "ipv4_address": "10.0.0.3", "aliases": ["out"]}, {"name": "bbbb"}],
        },
    ],
    "routes": [{"container": "web", "routes": [{"destination": "10.0.1.0/24", "via": "gw"}]}],
    "prune": True,
    "expected_containers": ["web", "gw"],
}


def planned(world: World, *, check: bool = True, **changed: Any) -> Plan:
    topology = Topology.read(spec.read(SPEC, {**DECLARED, **changed}))
    return plan(topology.foreseen() if check else topology, world)


def world(*containers: Container, networks: tuple[LiveNetwork, ...] = (FRONT, BACK), **others: Any) -> World:
    return World(
        Engine((26, 1), (1, 45)),
        {each.id: each for each in networks},
        {each.id: each for each in containers},
        names={each.name: each.id for each in containers},
        members={net.name: tuple(each.id for each in containers if net.name in each.endpoints) for net in networks},
        **others,
    )


def container(name: str, running: bool = True, **addresses: str) -> Container:
    networks = {"aaaa": FRONT, "bbbb": BACK}
    endpoints = {
        each: LiveEndpoint(networks[each].id, each, Settings(ipv4_address=ip), ip if running else None)
        for each, ip in addresses.items()
    }
    return Container(name * 20, name, running, endpoints=endpoints)


def titles(found: Plan) -> list[str]:
    return [str(step) for step in found.told]


CREATED = ["create network aaaa", "create network bbbb"]
ROUTED = ["add route 10.0.1.0/24 in web"]


def test_check_mode_plans_as_though_they_ran() -> None:
    found = planned(world(networks=()))
    assert titles(found) == CREATED + ROUTED
    assert found.told[-1].after == {"destination": "10.0.1.0/24", "gateway": "10.0.0.3"}
    assert not found.pending


def test_a_run_leaves_them_for_later() -> None:
    found = planned(world(networks=()), check=False)
    assert titles(found) == CREATED
    assert {each.container for each in found.pending} == {"web", "gw"}


def test_one_that_is_stopped_is_taken_as_running() -> None:
    there = world(container("web", False, aaaa="10.0.0.9"), container("gw", aaaa="10.0.0.3", bbbb="10.0.1.3"))
    there_with_alias = planned(there, connections=DECLARED["connections"][:1])
    assert titles(there_with_alias) == ROUTED


@pytest.mark.parametrize(
    ("endpoint", "steps"),
    [
        ({"ipv4_address": "10.0.0.9", "aliases": ["www"], "links": ["db:db"]}, []),
        ({"mac_address": "02:00:00:00:00:09"}, ["set connection web to aaaa"]),
        (
            {"driver_opts": {"com.example": "1"}},
            ["disconnect connection web to aaaa", "connect connection web to aaaa"],
        ),
    ],
    ids=["what docker_container can say", "a MAC address", "an option of the driver"],
)
def test_what_docker_container_cannot_say_is_left_to_the_topology(endpoint: dict[str, Any], steps: list[str]) -> None:
    connections = [{"container": "web", "networks": [{"name": "aaaa", **endpoint}]}]
    found = planned(world(), connections=connections, routes=[], expected_containers=["web"])
    assert titles(found) == steps


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_they_may_be_missing_even_where_none_may(check: bool) -> None:
    planned(world(), check=check, missing_containers="fail")
    with pytest.raises(NotThere, match="container 'gw' does not exist"):
        planned(world(), check=check, missing_containers="fail", expected_containers=["web"])


def test_a_removal_in_check_mode_takes_them_as_gone() -> None:
    route = LiveRoute("10.0.1.0/24", "10.0.0.3", "aaaa")
    web, gw = container("web", aaaa="10.0.0.9"), container("gw", aaaa="10.0.0.3", bbbb="10.0.1.3")
    made = Memory(
        connections=frozenset({("web", "aaaa"), ("gw", "aaaa"), ("gw", "bbbb")}),
        routes=frozenset({("web", route.key)}),
    )
    there = world(web, gw, memories={"shop": made}, routes={web.id: (route,), gw.id: ()})
    empty: dict[str, Any] = {"networks": [], "connections": [], "routes": [], "state": "absent"}
    removed = ["remove network aaaa", "remove network bbbb"]
    assert titles(planned(there, **empty)) == removed
    assert titles(planned(world(memories={"shop": made}), check=False, **empty)) == removed
    assert "delete route 10.0.1.0/24 in web" in titles(planned(there, check=False, **empty))
