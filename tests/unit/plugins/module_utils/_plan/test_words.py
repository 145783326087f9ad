# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the modules for what is there: what says nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import Settings
from ansible_collections.breakwater.docker.plugins.module_utils._model.ipam import Pool
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import OWNER, Definition
from ansible_collections.breakwater.docker.plugins.module_utils._model.route import LiveRoute
from ansible_collections.breakwater.docker.plugins.module_utils._plan import words

NETWORKS: list[tuple[str, Definition, dict[str, Any]]] = [
    ("a plain one", Definition("n"), {"name": "n"}),
    ("options", Definition("n", driver_options={"a": "1"}), {"name": "n", "driver_options": {"a": "1"}}),
    ("the owner is nobody's option", Definition("n", labels={OWNER: "shop"}), {"name": "n"}),
    ("other labels are", Definition("n", labels={OWNER: "shop", "a": "1"}), {"name": "n", "labels": {"a": "1"}}),
    (
        "pools",
        Definition("n", ipam_config=(Pool("10.0.0.0/24", "10.0.0.0/25", "10.0.0.1", {"a": "10.0.0.9"}),)),
        {
            "name": "n",
            "ipam_config": [
                {
                    "subnet": "10.0.0.0/24",
                    "iprange": "10.0.0.0/25",
                    "gateway": "10.0.0.1",
                    "aux_addresses": {"a": "10.0.0.9"},
                }
            ],
        },
    ),
]


@pytest.mark.parametrize(("given", "expected"), [each[1:] for each in NETWORKS], ids=[each[0] for each in NETWORKS])
def test_network(given: Definition, expected: dict[str, Any]) -> None:
    assert words.network(given) == expected


ROUTES: list[tuple[str, LiveRoute, dict[str, Any]]] = [
    (
        "by a gateway",
        LiveRoute("10.0.0.0/8", "10.1.0.1", "front"),
        {"destination": "10.0.0.0/8", "gateway": "10.1.0.1"},
    ),
    ("by a network", LiveRoute("10.0.0.0/8", None, "front"), {"destination": "10.0.0.0/8", "network": "front"}),
    ("by a container", LiveRoute("10.0.0.0/8", None, "front", via="gw"), {"destination": "10.0.0.0/8", "via": "gw"}),
    ("nowhere", LiveRoute("10.0.0.0/8", type="prohibit"), {"destination": "10.0.0.0/8", "type": "prohibit"}),
    (
        "beyond the link",
        LiveRoute("10.0.0.0/8", "192.0.2.1", "front", onlink=True),
        {"destination": "10.0.0.0/8", "gateway": "192.0.2.1", "network": "front", "onlink": True},
    ),
    (
        "with all numbers",
        LiveRoute("10.0.0.0/8", "10.1.0.1", metric=7, table=100),
        {"destination": "10.0.0.0/8", "gateway": "10.1.0.1", "metric": 7, "table": "100"},
    ),
    ("a table by name", LiveRoute("10.0.0.0/8", table=253), {"destination": "10.0.0.0/8", "table": "default"}),
    ("the metric that IPv6 has anyway", LiveRoute("fd00::/8", metric=1024), {"destination": "fd00::/8"}),
    ("the same number of IPv4", LiveRoute("10.0.0.0/8", metric=1024), {"destination": "10.0.0.0/8", "metric": 1024}),
]


@pytest.mark.parametrize(("given", "expected"), [each[1:] for each in ROUTES], ids=[each[0] for each in ROUTES])
def test_route(given: LiveRoute, expected: dict[str, Any]) -> None:
    assert words.route(given) == expected


def test_endpoint() -> None:
    assert words.endpoint("n", Settings()) == {"name": "n"}
    settings = Settings("10.0.0.9", aliases=("a",), driver_opts={"x": "1"}, gw_priority=5)
    assert words.endpoint("n", settings) == {
        "name": "n",
        "ipv4_address": "10.0.0.9",
        "aliases": ["a"],
        "driver_opts": {"x": "1"},
        "gw_priority": 5,
    }


def test_differing() -> None:
    assert words.differing({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "d": 1}) == ({"b": 1, "c": 1}, {"b": 2, "d": 1})
