# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network as it is declared, over a network as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.ipam import Pool
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import (
    OWNER,
    SPEC,
    Definition,
    LiveNetwork,
    Network,
)

MTU = "com.docker.network.driver.mtu"


def declared(**options: Any) -> Network:
    """A network as a user writes it."""
    return Network.read(spec.read(SPEC, {"name": "front", **options}))


LIVE = Definition(
    "front",
    driver_options={MTU: "1400"},
    ipam_config=(Pool("10.0.0.0/24", gateway="10.0.0.1", aux_addresses={}),),
    labels={"team": "blue"},
)

READ: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("nothing said", {}, {"internal": None, "ipam_config": None, "connected": None, "driver": "bridge"}),
    ("a boolean option", {"driver_options": {"a.b": True}}, {"driver_options": {"a.b": "true"}}),
    ("a number as a label", {"labels": {"a": 7, "b": None}}, {"labels": {"a": "7", "b": ""}}),
    ("aliases", {"containers": ["web"], "incremental": True}, {"connected": ("web",), "appends": True}),
    (
        "a pool, spelt otherwise",
        {"ipam_config": [{"subnet": "10.0.0.0/255.255.255.0", "iprange": "10.0.0.128/25", "gateway": "10.0.0.254"}]},
        {"ipam_config": (Pool("10.0.0.0/24", "10.0.0.128/25", "10.0.0.254"),)},
    ),
    (
        "IPv6",
        {"enable_ipv6": True, "ipam_config": [{"subnet": "FD00:0::/64", "aux_addresses": {"a": "FD00::9"}}]},
        {"ipam_config": (Pool("fd00::/64", aux_addresses={"a": "fd00::9"}),)},
    ),
    ("IPAM of a plugin", {"ipam_driver": "x", "ipam_driver_options": {"a": 1}}, {"ipam_driver_options": {"a": "1"}}),
    ("an option of a plugin", {"driver": "weave", "driver_options": {"any": "1"}}, {"driver": "weave"}),
]


@pytest.mark.parametrize(("args", "expected"), [each[1:] for each in READ], ids=[each[0] for each in READ])
def test_read(args: dict[str, Any], expected: dict[str, Any]) -> None:
    found = declared(**args)
    assert {key: getattr(found, key) for key in expected} == expected


OVER: list[tuple[str, dict[str, Any], Definition | None, Definition]] = [
    ("nothing on nothing", {}, None, Definition("front")),
    ("nothing on what is there", {}, LIVE, LIVE),
    (
        "what is said on nothing",
        {"internal": True, "ipam_config": [{"subnet": "10.0.0.0/24"}]},
        None,
        Definition("front", internal=True, ipam_config=(Pool("10.0.0.0/24", aux_addresses={}),)),
    ),
    ("one option more", {"driver_options": {"a.b": 1}}, LIVE, replace(LIVE, driver_options={MTU: "1400", "a.b": "1"})),
    ("another label", {"labels": {"team": "red"}}, LIVE, replace(LIVE, labels={"team": "red"})),
    ("the same subnet alone", {"ipam_config": [{"subnet": "10.0.0.0/24"}]}, LIVE, LIVE),
    (
        "another gateway",
        {"ipam_config": [{"subnet": "10.0.0.0/24", "gateway": "10.0.0.9"}]},
        LIVE,
        replace(LIVE, ipam_config=(Pool("10.0.0.0/24", gateway="10.0.0.9", aux_addresses={}),)),
    ),
    (
        "another subnet takes the place of the old",
        {"ipam_config": [{"subnet": "10.9.0.0/24"}]},
        LIVE,
        replace(LIVE, ipam_config=(Pool("10.9.0.0/24", aux_addresses={}),)),
    ),
    (
        "a subnet of the other family leaves the drawn one",
        {"enable_ipv6": True, "ipam_config": [{"subnet": "fd00::/64"}]},
        LIVE,
        replace(LIVE, enable_ipv6=True, ipam_config=(*LIVE.ipam_config, Pool("fd00::/64", aux_addresses={}))),
    ),
    ("an empty list says nothing", {"ipam_config": []}, LIVE, LIVE),
    ("another driver keeps nothing", {"driver": "macvlan"}, LIVE, Definition("front", "macvlan")),
    ("a new overlay is of the swarm", {"driver": "overlay"}, None, Definition("front", "overlay", scope="swarm")),
]


@pytest.mark.parametrize(("args", "live", "expected"), [each[1:] for each in OVER], ids=[each[0] for each in OVER])
def test_over(args: dict[str, Any], live: Definition | None, expected: Definition) -> None:
    assert declared(**args).over(live) == expected


OWNED = [
    ("a new network is owned", None, {OWNER: "shop"}),
    ("a stranger's stays a stranger's", {}, {}),
    ("one's own stays one's own", {OWNER: "shop"}, {OWNER: "shop"}),
    ("another one's stays another one's", {OWNER: "other"}, {OWNER: "other"}),
]


@pytest.mark.parametrize(("labels", "expected"), [each[1:] for each in OWNED], ids=[each[0] for each in OWNED])
def test_owner(labels: dict[str, str] | None, expected: dict[str, str]) -> None:
    live = None if labels is None else replace(LIVE, labels=labels)
    assert declared().owned_by("shop").over(live).labels == expected


@pytest.mark.parametrize(("options", "always"), [({}, False), ({"recreate": "always"}, True), ({"force": True}, True)])
def test_settled(options: dict[str, Any], always: bool) -> None:
    network = declared(**options)
    assert network.always == always
    assert not network.settled().always
    assert network.settled().over(LIVE) == LIVE


def test_absent_is_never_recreated() -> None:
    assert not declared(state="absent", force=True).always


def test_exactly_takes_away_what_was_added() -> None:
    changed = replace(LIVE, driver_options={MTU: "1400", "a.b": "1"}, labels={"team": "red", "new": "1"}, internal=True)
    assert Network.exactly(LIVE).over(changed) == LIVE


BRIDGES = [
    ("by its ID", LIVE, "br-0123456789ab"),
    ("by an option", replace(LIVE, driver_options={"com.docker.network.bridge.name": "shop0"}), "shop0"),
    ("none", replace(LIVE, driver="macvlan"), None),
]


@pytest.mark.parametrize(("definition", "expected"), [each[1:] for each in BRIDGES], ids=[each[0] for each in BRIDGES])
def test_bridge(definition: Definition, expected: str | None) -> None:
    assert LiveNetwork("0123456789abcdef", definition).bridge == expected


def test_a_network_with_the_labels_of_another_has_no_owner() -> None:
    definition = Definition("front", config_from="recipe", labels={OWNER: "shop"})
    assert LiveNetwork("1", definition).owner is None
    assert LiveNetwork("1", replace(definition, config_from="")).owner == "shop"


HOLDS = [
    ("a free one", "10.0.0.9", True),
    ("the gateway", "10.0.0.1", False),
    ("one that is kept", "10.0.0.8", False),
    ("the network's", "10.0.0.0", False),
    ("the broadcast", "10.0.0.255", False),
    ("outside", "10.0.1.9", False),
    ("the gateway that an engine takes", "fd00::1", False),
    ("of IPv6", "fd00::2", True),
]


@pytest.mark.parametrize(("one", "expected"), [each[1:] for each in HOLDS], ids=[each[0] for each in HOLDS])
def test_holds(one: str, expected: bool) -> None:
    pools = (Pool("10.0.0.0/24", gateway="10.0.0.1", aux_addresses={"printer": "10.0.0.8"}), Pool("fd00::/64"))
    assert Definition("front", ipam_config=pools).holds(one) == expected


def test_unknown_subnets_hold_anything() -> None:
    assert Definition("front").holds("10.0.0.9")
