# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole host in one plan: in which order, what waits, and whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, NotThere, Refused
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import fake_host

from .shop import planned, shop, titles

MTU = {"com.docker.network.driver.mtu": "1400"}
NEW = {"name": "new", "ipam_config": [{"subnet": "10.7.0.0/24"}]}


def topology(**parts: Any) -> dict[str, Any]:
    """A topology of these parts."""
    return {"name": "shop", **parts}


def on(container: str, *endpoints: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A container and its networks."""
    return {"container": container, "networks": list(endpoints), **options}


def through(container: str, via: str, destination: str = "10.50.0.0/24") -> dict[str, Any]:
    """A route of a container through another one."""
    return {"container": container, "routes": [{"destination": destination, "via": via}]}


ORDERED: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "networks, then connections, then routes",
        topology(
            routes=[through("db", "gw")],
            connections=[on("gw", {"name": "new"}), on("db", {"name": "new"})],
            networks=[NEW],
        ),
        [
            "create network new",
            "connect connection gw to new",
            "connect connection db to new",
            "add route 10.50.0.0/24 in db",
        ],
    ),
    (
        "options before those who take them",
        topology(networks=[{"name": "cast", "config_from": "mould"}, {**NEW, "name": "mould", "config_only": True}]),
        ["create network mould", "create network cast"],
    ),
    (
        "who leaves before who comes",
        topology(connections=[on("gw", {"name": "front", "ipv4_address": "10.1.0.10"}), on("web", exclusive=True)]),
        [
            "disconnect connection web to back",
            "disconnect connection web to front",
            "connect connection gw to front",
        ],
    ),
    (
        "fixed addresses before those that are drawn",
        topology(
            networks=[NEW],
            connections=[on("db", {"name": "new"}), on("gw", {"name": "new", "ipv4_address": "10.7.0.2"})],
        ),
        ["create network new", "connect connection gw to new", "connect connection db to new"],
    ),
    (
        "two that swap their addresses",
        topology(
            connections=[
                on("web", {"name": "front", "ipv4_address": "10.1.0.30"}),
                on("idle", {"name": "front", "ipv4_address": "10.1.0.10"}),
            ]
        ),
        [
            "disconnect connection web to front",
            "disconnect connection idle to front",
            "connect connection web to front",
            "set connection web to front",
            "restore route 192.0.2.0/24 in web",
            "connect connection idle to front",
        ],
    ),
    (
        "a network that its members leave",
        topology(
            networks=[{"name": "back", "state": "absent"}],
            connections=[on("gw", exclusive=True), on("web", {"name": "back"}, state="absent")],
        ),
        ["disconnect connection gw to back", "disconnect connection web to back", "remove network back"],
    ),
]


@pytest.mark.parametrize(("args", "expected"), [each[1:] for each in ORDERED], ids=[each[0] for each in ORDERED])
def test_order(args: dict[str, Any], expected: list[str]) -> None:
    steps = titles(planned("topology", args, shop()))
    assert sorted(steps) == sorted(expected)
    if "swap" not in str(expected[0]):
        leaving = [each for each in steps if each.startswith(("disconnect", "remove"))]
        assert steps[: len(leaving)] == leaving or steps[0].startswith("create")
    assert [each for each in steps if not each.startswith("disconnect")] == [
        each for each in expected if not each.startswith("disconnect")
    ]


WAITING: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    (
        "a container holds up only what is its own",
        topology(networks=[NEW], connections=[on("late", {"name": "new"}), on("db", {"name": "new"})]),
        ["create network new", "connect connection db to new"],
        ["connection of late: container 'late' does not exist"],
    ),
    (
        "a gateway holds up only its own route",
        topology(
            routes=[
                {
                    "container": "db",
                    "routes": [
                        {"destination": "10.50.0.0/24", "via": "late"},
                        {"destination": "10.51.0.0/24", "gateway": "10.1.0.10"},
                    ],
                }
            ]
        ),
        ["add route 10.51.0.0/24 in db"],
        ["route 10.50.0.0/24 in db: container 'late' does not exist"],
    ),
    (
        "a member holds up no other member",
        topology(networks=[{"name": "back", "connected": ["late", "db"], "appends": True}]),
        ["connect connection db to back"],
        ["connection of late to back: container 'late' does not exist"],
    ),
    (
        "a container that is stopped has no routes yet",
        topology(routes=[through("idle", "web")]),
        [],
        ["routes in idle: container 'idle' is not running"],
    ),
]


@pytest.mark.parametrize(
    ("args", "expected", "pending"), [each[1:] for each in WAITING], ids=[each[0] for each in WAITING]
)
def test_waiting(args: dict[str, Any], expected: list[str], pending: list[str]) -> None:
    plan = planned("topology", args, shop())
    assert titles(plan) == expected
    assert [str(each) for each in plan.pending] == pending
    with pytest.raises(NotThere):
        planned("topology", {**args, "missing_containers": "fail"}, shop())


CONTRADICTIONS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "a connection to a network that lists its members",
        topology(networks=[{"name": "back", "connected": ["web", "gw"]}], connections=[on("db", {"name": "back"})]),
        "connections[0].networks[0].name",
        "networks[0].connected lists the containers on network 'back', and 'db' is not among them",
    ),
    (
        "a member that is taken off by exclusive",
        topology(networks=[{"name": "back", "connected": ["web", "gw"]}], connections=[on("web", exclusive=True)]),
        "networks[0].connected[0]",
        "connections[0] takes container 'web' off network 'back'",
    ),
    (
        "a member that is taken off by absent",
        topology(
            networks=[{"name": "back", "connected": ["web", "gw"]}],
            connections=[on("gw", {"name": "back"}, state="absent")],
        ),
        "networks[0].connected[1]",
        "connections[0] takes container 'gw' off network 'back'",
    ),
    (
        "a route by a network that the topology takes away",
        topology(
            networks=[{"name": "back", "state": "absent", "force": True}],
            routes=[{"container": "web", "routes": [{"destination": "10.50.0.0/24", "gateway": "10.2.0.20"}]}],
        ),
        "routes[0].routes[0].gateway",
        "10.2.0.20 is in no subnet of 'web' (front 10.1.0.0/24)",
    ),
    (
        "an address that another one keeps through a recreate",
        topology(
            networks=[{"name": "front", "driver_options": MTU, "recreate": "if_needed"}],
            connections=[on("gw", {"name": "front", "ipv4_address": "10.1.0.2"})],
        ),
        "connections[0].networks[0].ipv4_address",
        "10.1.0.2 is taken on network 'front' by container 'db'",
    ),
]


@pytest.mark.parametrize(
    ("args", "field", "says"), [each[1:] for each in CONTRADICTIONS], ids=[each[0] for each in CONTRADICTIONS]
)
def test_contradiction(args: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(DeclarationError) as refusal:
        planned("topology", args, shop())
    assert refusal.value.field == field
    assert says in str(refusal.value)


def test_a_network_of_another_topology_is_declared_there() -> None:
    engine = shop()
    with fake_host(engine) as host:
        host.module("topology", {"name": "other", "networks": [NEW]})
        with pytest.raises(DeclarationError, match="network 'new' was made by topology 'other'; it is declared there"):
            host.module("topology", topology(networks=[NEW]))


def test_prune_takes_nothing_that_was_there_before() -> None:
    engine = shop()
    declared = [on("web", {"name": "front", "aliases": ["site"]}), on("db", {"name": "back"})]
    with fake_host(engine) as host:
        host.module("topology", topology(connections=declared, networks=[NEW]))
        steps = host.module("topology", topology(prune=True))["steps"]
    assert [f"{each['verb']} {each['resource']}" for each in steps] == [
        "disconnect connection db to back",
        "remove network new",
    ]


def test_prune_refuses_to_cut_a_stranger() -> None:
    engine = shop()
    with fake_host(engine) as host:
        host.module("topology", topology(networks=[NEW]))
        engine.connect("new", engine.known_id("gw"), {})
        with pytest.raises(Refused) as refusal:
            host.module("topology", topology(prune=True))
    assert str(refusal.value) == (
        "prune: network 'new' is declared no more, and gw was attached to it by somebody else; detach it first"
    )


def test_prune_takes_the_members_that_a_list_brought() -> None:
    engine = shop()
    with fake_host(engine) as host:
        host.module("topology", topology(networks=[{**NEW, "connected": ["gw"]}]))
        steps = host.module("topology", topology(prune=True))["steps"]
    assert [f"{each['verb']} {each['resource']}" for each in steps] == [
        "disconnect connection gw to new",
        "remove network new",
    ]


def test_prune_refuses_what_a_kept_route_leads_by() -> None:
    engine = shop()
    routes = [{"container": "db", "routes": [{"destination": "10.50.0.0/24", "gateway": "10.7.0.9"}]}]
    with fake_host(engine) as host:
        host.module("topology", topology(networks=[NEW], connections=[on("db", {"name": "new"})], routes=routes))
        with pytest.raises(DeclarationError, match=r"^routes\[0\]\.routes\[0\]\.gateway: .* a gateway must be"):
            host.module("topology", topology(networks=[NEW], routes=routes, prune=True))
        assert "new" in engine.container("db").endpoints


def test_absent_takes_the_memory_too() -> None:
    engine = shop()
    with fake_host(engine) as host:
        host.module("topology", topology(networks=[NEW], connections=[on("db", {"name": "new"})]))
        assert [each.name for each in host.topologies.iterdir()] == ["shop.json"]
        host.module("topology", topology(state="absent"))
        assert list(host.topologies.iterdir()) == []
        assert not host.module("topology", topology(state="absent"))["changed"]
