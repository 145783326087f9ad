# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that engines before a version ignore in silence."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import SPEC as CONNECTION
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import Connection
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Engine
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import SPEC, Network
from ansible_collections.breakwater.docker.plugins.module_utils._plan import gates

BRIDGE = "com.docker.network.bridge"


def option(key: str, value: str, driver: str = "bridge") -> dict[str, Any]:
    """A network with one driver option."""
    return {"driver": driver, "driver_options": {key: value}}


NETWORKS: list[tuple[str, dict[str, Any], tuple[int, int]]] = [
    ("enable_ipv4", {"enable_ipv4": True}, (28, 0)),
    ("routed", option(f"{BRIDGE}.gateway_mode_ipv6", "routed"), (27, 0)),
    ("nat-unprotected", option(f"{BRIDGE}.gateway_mode_ipv4", "nat-unprotected"), (28, 0)),
    ("isolated", option(f"{BRIDGE}.gateway_mode_ipv4", "isolated"), (28, 0)),
    ("trusted interfaces", option(f"{BRIDGE}.trusted_host_interfaces", "eth0"), (28, 2)),
    ("host_ipv6", option("com.docker.network.host_ipv6", "fd00::1"), (25, 0)),
    ("ipvlan_flag", option("ipvlan_flag", "private", "ipvlan"), (23, 0)),
    ("l3s", option("ipvlan_mode", "l3s", "ipvlan"), (23, 0)),
    ("IPv6 of the engine's choice", {"enable_ipv6": True}, (27, 0)),
]


@pytest.mark.parametrize(("args", "since"), [each[1:] for each in NETWORKS], ids=[each[0] for each in NETWORKS])
def test_network(args: dict[str, Any], since: tuple[int, int]) -> None:
    network = Network.read(spec.read(SPEC, {"name": "n", **args}))
    gates.check_network(network, Engine(since, (1, 41)))
    for older in ((20, 10), (since[0] - 1, 9)):
        with pytest.raises(DeclarationError) as refusal:
            gates.check_network(network, Engine(older, (1, 41)))
        assert f"needs Docker Engine {since[0]}.{since[1]}, found {older[0]}.{older[1]}" in str(refusal.value)


EVERYWHERE: list[tuple[str, dict[str, Any]]] = [
    ("IPv6 with a subnet", {"enable_ipv6": True, "ipam_config": [{"subnet": "fd00::/64"}]}),
    ("l2", option("ipvlan_mode", "l2", "ipvlan")),
    ("options alone", {"enable_ipv6": True, "config_only": True}),
]


@pytest.mark.parametrize("args", [each[1] for each in EVERYWHERE], ids=[each[0] for each in EVERYWHERE])
def test_on_every_engine(args: dict[str, Any]) -> None:
    gates.check_network(Network.read(spec.read(SPEC, {"name": "n", **args})), Engine((20, 10), (1, 41)))


def test_overlay_needs_a_swarm() -> None:
    network = Network.read(spec.read(SPEC, {"name": "n", "driver": "overlay"}))
    with pytest.raises(DeclarationError, match="an overlay network needs a swarm"):
        gates.check_network(network, Engine((28, 5), (1, 51)))
    gates.check_network(network, Engine((28, 5), (1, 51), lambda: True))


ENDPOINTS: list[tuple[str, dict[str, Any], tuple[int, int]]] = [
    ("gw_priority", {"gw_priority": 0}, (28, 0)),
    ("sysctls", {"driver_opts": {"com.docker.network.endpoint.sysctls": "x"}}, (27, 0)),
    ("interface name", {"driver_opts": {"com.docker.network.endpoint.ifname": "x"}}, (28, 0)),
    ("another option", {"driver_opts": {"com.example.x": "x"}}, (1, 0)),
]


@pytest.mark.parametrize(("args", "since"), [each[1:] for each in ENDPOINTS], ids=[each[0] for each in ENDPOINTS])
def test_endpoint(args: dict[str, Any], since: tuple[int, int]) -> None:
    given = {"container": "web", "networks": [{"name": "n", **args}]}
    (endpoint,) = Connection.read(spec.read(CONNECTION, given)).networks
    gates.check_endpoint(endpoint, Engine(since, (1, 41)))
    if since > (20, 10):
        with pytest.raises(DeclarationError, match="found 20\\.10"):
            gates.check_endpoint(endpoint, Engine((20, 10), (1, 41)))
