# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks between the engines' JSON and the model."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import network
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Engine, parse
from ansible_collections.breakwater.docker.plugins.module_utils._model.ipam import Pool
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition

from .sample import VERSIONS, sample

SHOP = Definition(
    "shop",
    driver_options={"com.docker.network.driver.mtu": "1400", "com.docker.network.bridge.name": "shop0"},
    ipam_config=(Pool("10.60.0.0/24", "10.60.0.128/25", "10.60.0.254", {"printer": "10.60.0.5"}),),
    labels={"team": "blue"},
)
DUAL = Definition(
    "dual",
    ipam_config=(Pool("10.61.0.0/24", aux_addresses={}), Pool("fd00:61::/64", aux_addresses={})),
    internal=True,
    enable_ipv6=True,
)
RECIPE = Definition("recipe", ipam_config=(Pool("10.62.0.0/24", aux_addresses={}),), config_only=True)
COOKED = Definition("cooked", ipam_config=(Pool("10.62.0.0/24", aux_addresses={}),), config_from="recipe")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("expected", [SHOP, DUAL, RECIPE, COOKED], ids=lambda each: each.name)
def test_observed(version: str, expected: Definition) -> None:
    found = {each["Name"]: network.observed(each) for each in sample(version)["networks"]}
    assert found[expected.name].definition == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_a_subnet_that_the_engine_drew(version: str) -> None:
    found = {each["Name"]: network.observed(each) for each in sample(version)["networks"]}
    (pool,) = found["drawn"].definition.ipam_config
    assert pool.subnet.startswith("172.")
    assert pool.gateway == pool.subnet.replace(".0.0/16", ".0.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_engines_own(version: str) -> None:
    found = {each["Name"]: network.observed(each) for each in sample(version)["networks"]}
    assert {name: found[name].definition.driver for name in ("bridge", "host", "none")} == {
        "bridge": "bridge",
        "host": "host",
        "none": "null",
    }
    assert found["bridge"].bridge == "docker0"
    assert found["shop"].bridge == "shop0"


OBSERVED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("as little as can be", {"Id": "1", "Name": "n"}, {"driver": "null", "scope": "local", "enable_ipv4": True}),
    ("no IPv4", {"Id": "1", "Name": "n", "EnableIPv4": False}, {"enable_ipv4": False}),
    (
        "what 28.0 and newer echo",
        {"Id": "1", "Name": "n", "Options": {"com.docker.network.enable_ipv4": "true", "a": "1"}},
        {"driver_options": {"a": "1"}},
    ),
    (
        "of a swarm",
        {"Id": "1", "Name": "n", "Driver": "overlay", "Scope": "swarm", "Options": {"encrypted": ""}},
        {"driver": "overlay", "driver_options": {"encrypted": ""}, "scope": "swarm"},
    ),
    (
        "IPv6 as Docker 29 spells it",
        {"Id": "1", "Name": "n", "IPAM": {"Config": [{"Subnet": "FD00:0::/64", "Gateway": "fd00::1/64"}]}},
        {"ipam_config": (Pool("fd00::/64", gateway="fd00::1", aux_addresses={}),)},
    ),
    ("an IPAM of nothing", {"Id": "1", "Name": "n", "IPAM": {"Config": [{}]}}, {"ipam_config": ()}),
]


@pytest.mark.parametrize(("given", "expected"), [each[1:] for each in OBSERVED], ids=[each[0] for each in OBSERVED])
def test_observed_oddities(given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = network.observed(given).definition
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["shop", "dual"])
def test_what_is_seen_makes_the_same_again(version: str, name: str) -> None:
    told = next(each for each in sample(version)["networks"] if each["Name"] == name)
    engine = Engine(parse(version), parse(sample(version)["version"]["ApiVersion"]))
    body = network.body(network.observed(told).definition, engine)
    shared = {key: told[key] for key in ("Name", "Driver", "Internal", "Attachable", "EnableIPv6", "Labels", "Options")}
    assert {key: body[key] for key in shared} == shared
    assert sorted(body["IPAM"]["Config"], key=str) == sorted(told["IPAM"]["Config"], key=str)
    assert body.get("EnableIPv4") == told.get("EnableIPv4")


BODIES: list[tuple[str, Definition, dict[str, Any]]] = [
    ("of the swarm", Definition("n", "overlay", scope="swarm"), {"Driver": "overlay", "Scope": None}),
    ("of the swarm, by another driver", Definition("n", "macvlan", scope="swarm"), {"Scope": "swarm"}),
    (
        "by another one's options",
        Definition("n", config_from="recipe", labels={"a": "1"}),
        {"ConfigFrom": {"Network": "recipe"}, "IPAM": None, "Options": None, "Labels": None, "EnableIPv6": None},
    ),
    ("options alone", Definition("n", config_only=True), {"ConfigOnly": True}),
]


@pytest.mark.parametrize(("given", "expected"), [each[1:] for each in BODIES], ids=[each[0] for each in BODIES])
def test_body(given: Definition, expected: dict[str, Any]) -> None:
    body = network.body(given, Engine((26, 1), (1, 45)))
    assert {key: body.get(key) for key in expected} == expected


@pytest.mark.parametrize(("api", "told"), [((1, 41), False), ((1, 47), False), ((1, 48), True)])
def test_enable_ipv4_is_told_to_whom_understands(api: tuple[int, int], told: bool) -> None:
    assert ("EnableIPv4" in network.body(Definition("n"), Engine((28, 0), api))) == told
