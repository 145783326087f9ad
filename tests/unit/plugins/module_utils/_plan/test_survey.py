# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as its topologies declare it, and the truth table that is to be measured."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost, fake_host

SHOP: dict[str, Any] = {
    "name": "shop",
    "networks": [
        {"name": "front", "ipam_config": [{"subnet": "10.1.0.0/24"}]},
        {"name": "back", "internal": True, "ipam_config": [{"subnet": "10.2.0.0/24"}]},
    ],
    "connections": [
        {"container": "web", "exclusive": True, "networks": [{"name": "front", "ipv4_address": "10.1.0.10"}]},
        {
            "container": "api",
            "exclusive": True,
            "networks": [
                {"name": "front", "ipv4_address": "10.1.0.20"},
                {"name": "back", "ipv4_address": "10.2.0.20"},
            ],
        },
        {"container": "db", "exclusive": True, "networks": [{"name": "back", "ipv4_address": "10.2.0.30"}]},
        {"container": "later", "networks": [{"name": "back"}]},
    ],
    "policy": {
        "allow": [
            {"from": "web", "to": {"labels": "tier=api"}, "ports": [8080]},
            {"from": ["api", "203.0.113.0/24"], "to": {"container": "db"}, "ports": ["5432"]},
            {"from": "world", "to": "web", "ports": ["80"]},
        ]
    },
}


@pytest.fixture
def shop() -> Any:
    engine = FakeEngine((26, 1))
    for name, labels in (("web", {}), ("api", {"tier": "api"}), ("db", {}), ("stranger", {})):
        engine.run(name, labels=labels)
    engine.run("agent", "host")
    with fake_host(engine) as host:
        host.module("topology", SHOP)
        yield host


def survey(host: FakeHost, **asked: Any) -> dict[str, Any]:
    return host.module("survey", asked)


def test_what_is_there(shop: FakeHost) -> None:
    found = survey(shop)["survey"]
    assert [each["name"] for each in found["containers"]] == ["api", "db", "web"]
    assert [(each["name"], each["internal"], each["gateways"]) for each in found["networks"]] == [
        ("back", True, ["10.2.0.1"]),
        ("front", False, ["10.1.0.1"]),
    ]
    assert found["left_out"] == [
        {"container": "agent", "reason": "lives in the network of the host"},
        {"container": "later", "reason": "is declared, and is not there"},
        {"container": "stranger", "reason": "is on no network that a topology keeps"},
    ]
    (topology,) = found["topologies"]
    assert topology["policy"] == "deny" and topology["drift"] == []
    assert [each.partition(":")[0] for each in topology["pending"]] == ["connection of later"]
    assert topology["flows"][0] == {
        "from": [{"kind": "container", "name": "web"}],
        "to": [{"kind": "container", "name": "api"}],
        "ports": ["8080"],
    }
    assert topology["flows"][1]["from"] == [
        {"kind": "container", "name": "api"},
        {"kind": "cidr", "name": "203.0.113.0/24"},
    ]


def test_the_truth_table(shop: FakeHost) -> None:
    result = survey(shop, world="198.51.100.10", world_ports=["8080"])
    passing = [
        (each["from"], each["to"], each.get("network"), each["protocol"], each.get("port"))
        for each in result["expectations"]
        if each["expect"] == "pass"
    ]
    assert passing == [
        ("api", "db", "back", "tcp", 5432),
        ("web", "api", "front", "tcp", 8080),
    ]
    kinds = {(each["protocol"], each.get("port")) for each in result["expectations"] if each["to"] == "db"}
    assert kinds == {("icmp", None), ("tcp", 7), ("tcp", 80), ("tcp", 5432), ("tcp", 8080)}
    assert {each["to"] for each in result["expectations"] if each["from"] == "db"} == {
        "api",
        "web",
        "host",
        "198.51.100.10",
    }
    assert {each["to"] for each in result["outside"]} == {"10.1.0.10", "10.1.0.20", "10.2.0.20", "10.2.0.30"}
    # The host of the tests lets pass in FORWARD what nobody drops, and the engine is an old one.
    (unjudged,) = result["survey"]["unjudged"]
    assert (unjudged["cells"], unjudged["example"]) == (1, "198.51.100.10 to web on front tcp/80")
    assert result["survey"]["cells"] == len(result["expectations"]) + len(result["outside"]) + 1


def test_the_same_host_gives_the_same_result(shop: FakeHost) -> None:
    assert survey(shop, world="198.51.100.10") == survey(shop, world="198.51.100.10")


def test_what_is_too_much_is_passed_over_and_told(shop: FakeHost) -> None:
    everything, some = survey(shop), survey(shop, cells=10)
    assert len(some["expectations"]) == 10
    assert some["survey"]["passed_over"] == len(everything["expectations"]) - 10
    passing = [each for each in everything["expectations"] if each["expect"] == "pass"]
    assert [each for each in some["expectations"] if each["expect"] == "pass"] == passing
    assert [each for each in everything["expectations"] if each in some["expectations"]] == some["expectations"]


def test_drift(shop: FakeHost) -> None:
    shop.engine.disconnect("back", shop.engine.known_id("db"))
    (topology,) = survey(shop)["survey"]["topologies"]
    assert topology["drift"] == ["connect connection db to back"]


def test_what_is_exposed(shop: FakeHost) -> None:
    shop.engine.container("web").published = (
        ("tcp", 80, "0.0.0.0", 8080),
        ("tcp", 81, "192.0.2.10", 8081),
        ("tcp", 82, "127.0.0.1", 8082),
    )
    shop.engine.container("db").published = (("tcp", 5432, "0.0.0.0", 5432),)
    result = survey(shop, world="198.51.100.10", address="192.0.2.10")
    assert [(each["container"], each["host_port"], each["open_to"]) for each in result["survey"]["exposed"]] == [
        ("db", 5432, ["not judged"]),  # on an internal network nothing is published, and no way is known
        ("web", 8080, ["world"]),
        ("web", 8081, []),
    ]
    assert [(each["port"], each["expect"]) for each in result["outside"] if each["to"] == "192.0.2.10"] == [
        (8080, "pass"),
        (8081, "drop"),
    ]


def test_what_passes_to_other_hosts() -> None:
    """Each half by itself: what this host lets out, and what it lets in."""
    joined = {
        **SHOP,
        "tunnels": [
            {
                "name": "fleet0",
                "backend": "direct",
                "subnets": ["10.1.0.0/24"],
                "peers": [{"name": "forky", "endpoint": "10.99.1.13", "subnets": ["10.80.3.0/24"]}],
            },
        ],
        "policy": {
            "allow": [
                {"from": "web", "to": "10.80.3.10", "ports": [80]},
                {"from": "10.80.3.0/24", "to": {"network": "front"}, "ports": ["icmp"]},
            ]
        },
    }
    engine = FakeEngine((26, 1))
    for name in ("web", "api", "db"):
        engine.run(name)
    with fake_host(engine) as host:
        host.module("topology", joined)
        before = survey(host)
        found = survey(host, remote=[{"name": "forky/app", "address": "10.80.3.10"}], remote_ports=[80])
    assert {"survey", "expectations", "outside"} <= before.keys() and {"leaving", "arriving"} <= found.keys()
    assert not before.keys() & {"leaving", "arriving"} and not found.keys() & {"survey", "expectations", "outside"}
    assert before["survey"]["joined"] == [{"local": ["10.1.0.0/24"], "remote": ["10.80.3.0/24"]}]
    assert before["survey"]["ports"] == [7, 80]
    assert found["leaving"][:2] == [
        {**LEAVING, "protocol": "icmp", "port": 0, "expect": "drop"},
        {**LEAVING, "from": "api", "source": "10.1.0.20", "protocol": "tcp", "port": 80, "expect": "drop"},
    ]
    assert {(each["from"], each["port"]) for each in found["leaving"] if each["expect"] == "pass"} == {("web", 80)}
    assert {(each["to"], each["port"], each["expect"]) for each in found["arriving"]} == {
        ("web", 0, "pass"),
        ("web", 80, "drop"),
        ("api", 0, "pass"),
        ("api", 80, "drop"),
    }


LEAVING = {"from": "api", "source": "10.1.0.20", "to": "forky/app", "address": "10.80.3.10", "reason": ""}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"world": "nowhere"}, "world"),
        ({"address": "10.0.0.0/8"}, "address"),
        ({"world_ports": ["80"]}, "world_ports"),
        ({"world": "198.51.100.10", "world_ports": ["80", "http"]}, "world_ports[1]"),
        ({"world": "198.51.100.10", "world_ports": ["53/icmp"]}, "world_ports[0]"),
        ({"cells": 0}, "cells"),
        ({"remote": [{"name": "x", "address": "10.0.0.0/8"}]}, "remote[0].address"),
        ({"remote_ports": [80, 0]}, "remote_ports[1]"),
    ],
)
def test_wrong_options(asked: dict[str, Any], field: str) -> None:
    with fake_host(FakeEngine()) as host, pytest.raises(DeclarationError) as refused:
        survey(host, **asked)
    assert refused.value.result()["field"] == field


def test_a_host_without_a_topology() -> None:
    with fake_host(FakeEngine()) as host:
        found = survey(host)
    assert found["expectations"] == found["outside"] == found["survey"]["containers"] == []
