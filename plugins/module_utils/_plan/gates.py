# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine an option needs, checked where it is used: old engines ignore what they do not know."""

from __future__ import annotations

from .._model.connection import Endpoint
from .._model.engine import Engine, Gate
from .._model.errors import DeclarationError
from .._model.network import Network

_NETWORK = {
    "com.docker.network.bridge.gateway_mode_ipv4": Gate("gateway_mode_ipv4", (27, 0)),
    "com.docker.network.bridge.gateway_mode_ipv6": Gate("gateway_mode_ipv6", (27, 0)),
    "com.docker.network.bridge.trusted_host_interfaces": Gate("trusted_host_interfaces", (28, 2)),
    "com.docker.network.host_ipv6": Gate("host_ipv6", (25, 0)),
    "ipvlan_flag": Gate("ipvlan_flag", (23, 0)),
}
_NEWER_MODES = {"nat-unprotected", "isolated"}
_ENDPOINT = {
    "com.docker.network.endpoint.sysctls": Gate("com.docker.network.endpoint.sysctls", (27, 0)),
    "com.docker.network.endpoint.ifname": Gate("com.docker.network.endpoint.ifname", (28, 0)),
}


def check_network(network: Network, engine: Engine) -> None:
    """DeclarationError at the first option of ``network`` that ``engine`` is too old for."""
    for key, value in network.driver_options.items():
        where = f"{network.at('driver_options')}.{key}"
        if key.partition("gateway_mode_ipv")[1] and value in _NEWER_MODES:
            Gate(f"the gateway mode {value}", (28, 0)).check(engine, where)
        if key in _NETWORK:
            _NETWORK[key].check(engine, where)
        if key == "ipvlan_mode" and value == "l3s":
            Gate("the ipvlan mode l3s", (23, 0)).check(engine, where)
    if network.enable_ipv4 is not None:
        Gate("enable_ipv4", (28, 0)).check(engine, network.at("enable_ipv4"))
    chosen = any(pool.version == 6 for pool in network.ipam_config or ()) or network.config_from
    if network.enable_ipv6 and not chosen and not network.config_only:
        Gate("enable_ipv6 without an IPv6 subnet in ipam_config", (27, 0)).check(engine, network.at("enable_ipv6"))
    if network.driver == "overlay" and not engine.swarm():
        raise DeclarationError(
            network.at("driver"),
            "an overlay network needs a swarm; run 'docker swarm init' or join one first",
        )


def check_endpoint(endpoint: Endpoint, engine: Engine) -> None:
    """DeclarationError at the first option of ``endpoint`` that ``engine`` is too old for."""
    if endpoint.gw_priority is not None:
        Gate("gw_priority", (28, 0)).check(engine, endpoint.at("gw_priority"))
    for key in endpoint.driver_opts or ():
        if key in _ENDPOINT:
            _ENDPOINT[key].check(engine, f"{endpoint.at('driver_opts')}.{key}")
