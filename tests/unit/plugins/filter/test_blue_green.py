# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.breakwater.docker.plugins.filter.blue_green import FilterModule, blue_green
from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import SPEC, BlueGreen
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import read
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import SPEC as TOPOLOGY_SPEC
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import Topology

BLUE: dict[str, Any] = {"name": "blue", "image": "example.com/shop:1", "containers": ["b1", "b2"]}
GREEN: dict[str, Any] = {"name": "green", "network": "green-env", "containers": ["g1", {"name": "g2"}], "port": 9000}


def test_the_filter_is_found_by_its_name() -> None:
    assert FilterModule().filters() == {"blue_green": blue_green}


def test_a_pair() -> None:
    found = blue_green("shop", [BLUE, GREEN], {"name": "lb", "image": "haproxy:3.2"}, {"name": "front"}, 443)
    balancer = found["balancer"]
    assert found["topology"] == {
        "name": "shop",
        "prune": True,
        "networks": [
            {"name": "front"},
            {"name": "shop-blue", "internal": True},
            {"name": "green-env", "internal": True},
        ],
        "containers": [
            {"name": "b1", "image": "example.com/shop:1", "restart_policy": "unless-stopped"},
            {"name": "b2", "image": "example.com/shop:1", "restart_policy": "unless-stopped"},
            balancer,
        ],
        "connections": [
            {"container": "lb", "networks": [{"name": "front"}, {"name": "shop-blue"}, {"name": "green-env"}]},
            {"container": "b1", "networks": [{"name": "shop-blue"}]},
            {"container": "b2", "networks": [{"name": "shop-blue"}]},
            {"container": "g1", "networks": [{"name": "green-env"}]},
            {"container": "g2", "networks": [{"name": "green-env"}]},
        ],
        "policy": {
            "allow": [
                {"from": ["world"], "to": "lb", "ports": [443]},
                {"from": "lb", "to": ["b1", "b2"], "ports": [8080]},
                {"from": "lb", "to": ["g1", "g2"], "ports": [9000]},
            ]
        },
    }
    assert found["environments"] == [
        {"name": "blue", "servers": ["b1:8080", "b2:8080"]},
        {"name": "green", "servers": ["g1:9000", "g2:9000"]},
    ]
    assert (balancer["name"], balancer["image"], balancer["published_ports"]) == ("lb", "haproxy:3.2", ["443:443"])


def test_what_it_says_is_what_the_modules_take() -> None:
    found = blue_green("shop", [BLUE, GREEN])
    topology = {key: value for key, value in found["topology"].items() if key != "containers"}
    assert Topology.read(read(TOPOLOGY_SPEC, topology))
    declared = BlueGreen.read(read(SPEC, {"name": "shop", "environments": found["environments"]}))
    assert declared.balancer.names == ("blue", "green")


def test_a_container_has_its_own_options_before_those_of_all() -> None:
    blue = {**BLUE, "options": {"env": {"A": "1"}, "memory": "1g"}, "containers": [{"name": "b1", "memory": "2g"}]}
    first = blue_green("shop", [blue, GREEN])["topology"]["containers"][0]
    assert (first["memory"], first["env"], first["image"]) == ("2g", {"A": "1"}, "example.com/shop:1")


def test_options_of_a_network_are_its_own_to_say() -> None:
    network = {"ipam_config": [{"subnet": "10.9.0.0/24"}], "internal": False}
    networks = blue_green("shop", [{**BLUE, "network": network}, GREEN])["topology"]["networks"]
    assert networks[1] == {"name": "shop-blue", **network}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "a shop"}, "breakwater_blue_green_name: 'a shop' is not a balancer's name"),
        ({"environments": [BLUE]}, "environments: expected a list of two environments, found"),
        ({"environments": {"blue": BLUE, "green": GREEN}}, "environments: expected a list of two environments"),
        ({"environments": [BLUE, "green"]}, "environments[1]: expected a dictionary, found 'green'"),
        (
            {"environments": [BLUE, {**GREEN, "imagge": "x"}]},
            "environments[1].imagge: no such key; did you mean",
        ),
        ({"environments": [BLUE, {**GREEN, "name": "blue"}]}, "environments[1].name: environment 'blue' is declared"),
        (
            {"environments": [BLUE, {**GREEN, "name": "live"}]},
            "environments[1].name: 'live' is not an",
        ),
        ({"environments": [BLUE, {**GREEN, "network": "shop-blue"}]}, "[1].network: network 'shop-blue' is declared"),
        ({"environments": [BLUE, {**GREEN, "network": 7}]}, "[1].network: expected a network's name or a dictionary"),
        ({"environments": [BLUE, {**GREEN, "containers": []}]}, "environments[1].containers: expected a list of at"),
        ({"environments": [BLUE, {**GREEN, "containers": "g1"}]}, "environments[1].containers: expected a list of at"),
        (
            {"environments": [BLUE, {**GREEN, "containers": ["g1", "b2"]}]},
            "[1].containers[1]: container 'b2' is",
        ),
        ({"environments": [BLUE, {**GREEN, "containers": ["g1", "a b"]}]}, "[1].containers[1]: expected the name of a"),
        ({"environments": [BLUE, {**GREEN, "port": "http"}]}, "environments[1].port: expected a port from 1 to 65535"),
        ({"port": 70000}, "breakwater_blue_green_port: expected a port from 1 to 65535, found 70000"),
        ({"app_port": None}, "breakwater_blue_green_app_port: expected a port from 1 to 65535, found None"),
        ({"balancer": {"name": "b1"}}, "breakwater_blue_green_balancer.name: container 'b1' is in environment 'blue'"),
        ({"balancer": {"command": "x"}}, "breakwater_blue_green_balancer.command: is the role's to say"),
        ({"network": {"name": "green-env"}}, "breakwater_blue_green_network.name: network 'green-env' is that of"),
    ],
)
def test_what_is_wrong_is_named_by_its_variable(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        blue_green(**{"name": "shop", "environments": [BLUE, GREEN], **arguments})
    assert message in str(refused.value)
