# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks between the engine's JSON and the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._model import address
from .._model.engine import Engine
from .._model.ipam import Pool
from .._model.network import Definition, LiveNetwork

# What engines from 28.0 on write beside the options that somebody gave (they are fields of their own).
_ECHOED = ("com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6")


def observed(found: Mapping[str, Any]) -> LiveNetwork:
    """The network of one entry of GET /networks."""
    ipam = found.get("IPAM") or {}
    pools = [_pool(each) for each in ipam.get("Config") or () if each.get("Subnet")]
    options = {key: value for key, value in (found.get("Options") or {}).items() if key not in _ECHOED}
    return LiveNetwork(
        found["Id"],
        Definition(
            name=found["Name"],
            driver=_driver(found),
            driver_options=options,
            ipam_driver=ipam.get("Driver") or "default",
            ipam_driver_options=ipam.get("Options") or {},
            ipam_config=tuple(sorted(pools, key=lambda pool: (pool.version, pool.subnet))),
            internal=bool(found.get("Internal")),
            attachable=bool(found.get("Attachable")),
            ingress=bool(found.get("Ingress")),
            enable_ipv4=found.get("EnableIPv4", True) is not False,
            enable_ipv6=bool(found.get("EnableIPv6")),
            scope=found.get("Scope") or "local",
            config_only=bool(found.get("ConfigOnly")),
            config_from=(found.get("ConfigFrom") or {}).get("Network") or "",
            labels=found.get("Labels") or {},
        ),
    )


def _driver(found: Mapping[str, Any]) -> str:
    """The driver; a network that only holds options for others has none, whichever was asked for."""
    driver = found.get("Driver") or "null"
    return "bridge" if found.get("ConfigOnly") and driver == "null" else str(driver)


def _pool(found: Mapping[str, Any]) -> Pool:
    return Pool(
        address.observed_prefix(found["Subnet"]),
        address.observed_prefix(found["IPRange"]) if found.get("IPRange") else None,
        address.observed(found.get("Gateway")),
        {host: str(address.observed(each)) for host, each in (found.get("AuxiliaryAddresses") or {}).items()},
    )


def body(definition: Definition, engine: Engine) -> dict[str, Any]:
    """What POST /networks/create wants; the same as the docker command sends."""
    config = [
        {
            key: value
            for key, value in (
                ("Subnet", pool.subnet),
                ("IPRange", pool.iprange),
                ("Gateway", pool.gateway),
                ("AuxiliaryAddresses", dict(pool.aux_addresses or {})),
            )
            if value
        }
        for pool in definition.ipam_config
    ]
    wanted: dict[str, Any] = {
        "Name": definition.name,
        "CheckDuplicate": True,
        "Driver": definition.driver,
        "Options": dict(definition.driver_options),
        "IPAM": {
            "Driver": definition.ipam_driver,
            "Options": dict(definition.ipam_driver_options),
            "Config": config,
        },
        "Internal": definition.internal,
        "Attachable": definition.attachable,
        "Ingress": definition.ingress,
        "EnableIPv6": definition.enable_ipv6,
        "ConfigOnly": definition.config_only,
        "Labels": dict(definition.labels),
    }
    if definition.scope == "swarm" and definition.driver != "overlay":
        wanted["Scope"] = definition.scope
    if engine.api >= (1, 48):
        wanted["EnableIPv4"] = definition.enable_ipv4
    if definition.config_from:
        wanted["ConfigFrom"] = {"Network": definition.config_from}
        for key in ("IPAM", "Options", "Labels", "EnableIPv6"):
            del wanted[key]  # the other network gives them, and engines refuse to hear them twice
    return wanted
