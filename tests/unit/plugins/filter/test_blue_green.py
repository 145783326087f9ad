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

BLUE: dict[str, Any] = {"name": "blue", "containers": ["b1", "b2"], "start": {"image": "example.com/shop:1"}}
GREEN: dict[str, Any] = {"name": "green", "containers": ["g1", {"name": "g2"}], "port": 9000}


def shop(**variables: Any) -> dict[str, Any]:
    """What a pair comes to, with these variables of the role."""
    return blue_green({"name": "shop", "environments": [BLUE, GREEN], **variables}, "breakwater_blue_green_")


def test_the_filter_is_found_by_its_name() -> None:
    assert FilterModule().filters() == {"blue_green": blue_green}


def test_a_pair() -> None:
    networks = {"front": {"name": "infrastructure"}, "green": {"name": "green-env"}}
    found = shop(balancer={"name": "lb", "image": "haproxy:3.2"}, networks=networks, port=443)
    balancer = found["balancer"]
    assert found["topology"] == {
        "name": "shop",
        "prune": True,
        "networks": [
            {"name": "infrastructure"},
            {"name": "shop-blue", "internal": True},
            {"name": "green-env", "internal": True},
        ],
        "containers": [
            {"name": "b1", "image": "example.com/shop:1"},
            {"name": "b2", "image": "example.com/shop:1"},
            balancer,
        ],
        "connections": [
            {"container": "lb", "networks": [{"name": "infrastructure"}, {"name": "shop-blue"}, {"name": "green-env"}]},
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
    found = shop()
    topology = {key: value for key, value in found["topology"].items() if key != "containers"}
    assert Topology.read(read(TOPOLOGY_SPEC, topology))
    declared = BlueGreen.read(read(SPEC, {"name": "shop", "environments": found["environments"]}))
    assert declared.balancer.names == ("blue", "green")


def test_a_container_has_its_own_options_before_those_of_all() -> None:
    blue = {
        "name": "blue",
        "start": {"image": "example.com/shop:1", "env": {"A": "1"}, "memory": "1g"},
        "containers": [{"name": "b1", "memory": "2g"}],
    }
    first = shop(environments=[blue, GREEN])["topology"]["containers"][0]
    assert (first["memory"], first["env"], first["image"]) == ("2g", {"A": "1"}, "example.com/shop:1")


def green(**options: Any) -> dict[str, Any]:
    """The variables of a pair whose second environment has ``options``."""
    return {"environments": [BLUE, {**GREEN, **options}]}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"name": "a shop"}, "name: 'a shop' is not a balancer's name"),
        ({"environments": [BLUE]}, "environments: expected two of them, found 1"),
        ({"environments": {"blue": BLUE, "green": GREEN}}, "environments: expected a list, found"),
        ({"environments": [BLUE, "green"]}, "environments[1]: expected a dictionary, found 'green'"),
        (green(contaners=["x"]), "environments[1].contaners: no such option; did you mean 'containers'"),
        (green(name="blue"), "environments[1].name: 'blue' is taken"),
        (green(name="front"), "environments[1].name: 'front' is taken"),
        (green(name="live"), "environments[1].name: 'live' is not an environment's name"),
        (green(containers=[]), "environments[1].containers: lists none"),
        (green(containers=["g1", "b2"]), "environments[1].containers[1]: container 'b2' is declared already, as"),
        (green(containers=["g1", 7]), "environments[1].containers[1]: expected a container's name, or its options"),
        (green(start={"env": {}}), "environments[1].containers[0]: 'g1' has options and no image to start it from"),
        (green(port="http"), "environments[1].port: expected a whole number, found 'http'"),
        (green(port=0), "environments[1].port: expected a port from 1 to 65535, found 0"),
        ({"port": 70000}, "port: expected a port from 1 to 65535, found 70000"),
        ({"app_port": 70000}, "app_port: expected a port from 1 to 65535, found 70000"),
        ({"balancer": {"name": "b1"}}, "balancer.name: 'b1' is in environment 'blue' as well"),
        ({"balancer": {"command": "x"}}, "balancer.command: is not yours to say"),
        ({"networks": {"gren": {}}}, "networks.gren: there is no such network; did you mean 'green'?"),
        ({"networks": {"green": "g"}}, "networks.green: expected options of a network, found 'g'"),
        ({"networks": {"green": {"name": "shop-blue"}}}, "networks.green.name: 'shop-blue' is that of blue"),
        ({"colour": "red"}, "colour: no such option"),
    ],
)
def test_what_is_wrong_is_named_by_its_variable(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        shop(**variables)
    assert str(refused.value).startswith(f"breakwater_blue_green_{message}")
