# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that each network driver has: engines ignore what they do not know without a word."""

from __future__ import annotations

from collections.abc import Mapping

from . import address
from .errors import DeclarationError
from .spec import near, under

_BOOLEAN = "true or false"
_BRIDGE_OPTIONS = {
    "com.docker.network.bridge.name": "name",
    "com.docker.network.bridge.enable_icc": _BOOLEAN,
    "com.docker.network.bridge.enable_ip_masquerade": _BOOLEAN,
    "com.docker.network.bridge.host_binding_ipv4": "address",
    "com.docker.network.bridge.inhibit_ipv4": _BOOLEAN,
    "com.docker.network.bridge.default_bridge": _BOOLEAN,
    "com.docker.network.bridge.gateway_mode_ipv4": "mode",
    "com.docker.network.bridge.gateway_mode_ipv6": "mode",
    "com.docker.network.bridge.trusted_host_interfaces": "names",
    "com.docker.network.container_iface_prefix": "name",
    "com.docker.network.driver.mtu": "mtu",
    "com.docker.network.host_ipv4": "address",
    "com.docker.network.host_ipv6": "address",
}
_MODES = ("nat", "nat-unprotected", "routed", "isolated")
_KNOWN: Mapping[str, Mapping[str, str]] = {
    "bridge": _BRIDGE_OPTIONS,
    "macvlan": {"parent": "name", "macvlan_mode": "text", "com.docker.network.driver.mtu": "mtu"},
    "ipvlan": {
        "parent": "name",
        "ipvlan_mode": "text",
        "ipvlan_flag": "text",
        "com.docker.network.driver.mtu": "mtu",
    },
    "overlay": {
        "encrypted": "text",
        "com.docker.network.driver.mtu": "mtu",
        "com.docker.network.driver.overlay.vxlanid_list": "text",
    },
}


def check(driver: str, options: Mapping[str, str], path: str) -> None:
    """Refuse an option that the driver does not have: engines ignore unknown ones without a word.

    Another driver's options (a plugin's) pass, and so does a key of a foreign prefix.
    """
    known = _KNOWN.get(driver)
    if known is None:
        return
    for key, value in options.items():
        where = under(path, key)
        kind = known.get(key)
        if kind is None:
            if "." not in key or key.startswith("com.docker.network."):
                others = [other for other, options_ in _KNOWN.items() if key in options_]
                hint = f"{' and '.join(others)} have it" if others else near(key, known)
                raise DeclarationError(where, f"the {driver} driver has no such option; {hint}")
        elif kind == "mtu" and not (value.isdigit() and 68 <= int(value) <= 65535):
            raise DeclarationError(where, f"expected an MTU from 68 to 65535, found {value!r}")
        elif kind == _BOOLEAN and value.lower() not in ("true", "false", "1", "0", "t", "f"):
            raise DeclarationError(where, f"expected true or false, found {value!r}")
        elif kind == "mode" and value not in _MODES:
            raise DeclarationError(where, f"expected one of {', '.join(_MODES)}, found {value!r}")
        elif kind == "address":
            address.address(value, where)
        elif kind == "name" and len(value) > 15:
            raise DeclarationError(where, f"{value!r} is longer than the 15 characters of an interface name")
