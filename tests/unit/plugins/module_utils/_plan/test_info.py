# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there, as declarations that would change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import NotThere
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import fake_host

from .shop import shop


def told(module: str, **args: Any) -> dict[str, Any]:
    """What an info module returns on the host of the tables."""
    with fake_host(shop()) as host:
        return host.module(module, args)


def test_networks() -> None:
    found = told("network_info")
    assert found["exists"]
    assert [each["name"] for each in found["networks"]] == ["back", "bridge", "front", "host", "none"]
    assert not found["changed"]


def test_one_network() -> None:
    (front,) = told("network_info", name="front")["networks"]
    assert {key: front[key] for key in ("driver", "topology", "ipam_config", "labels")} == {
        "driver": "bridge",
        "topology": None,
        "ipam_config": [{"subnet": "10.1.0.0/24", "gateway": "10.1.0.1"}],
        "labels": {"team": "blue"},
    }
    assert front["interface"] == f"br-{front['id'][:12]}"
    assert [(each["container"], each["running"], each["addresses"], each["stale"]) for each in front["containers"]] == [
        ("db", True, ["10.1.0.2"], False),
        ("idle", False, ["10.1.0.30"], False),
        ("web", True, ["10.1.0.10"], False),
    ]


def test_no_network() -> None:
    assert told("network_info", name="gone") == {
        **told("network_info", name="gone"),
        "exists": False,
        "networks": [],
    }


def test_topology() -> None:
    found = told("topology_info", name="shop")["topology"]
    assert [each["name"] for each in found["networks"]] == ["back", "front"]
    assert [each["container"] for each in found["connections"]] == ["db", "gw", "idle", "web"]
    assert found["routes"] == [
        {"container": "web", "routes": [{"destination": "192.0.2.0/24", "gateway": "10.1.0.20", "metric": 7}]}
    ]


def test_some_containers_and_their_networks() -> None:
    found = told("topology_info", containers=["gw"])["topology"]
    assert [each["name"] for each in found["networks"]] == ["back"]
    assert found["connections"] == [{"container": "gw", "networks": [{"name": "back", "ipv4_address": "10.2.0.20"}]}]


def test_an_unknown_container() -> None:
    with pytest.raises(NotThere, match=r"^containers\[0\]: container 'wbe' does not exist; did you mean 'web'\?"):
        told("topology_info", containers=["wbe"])
