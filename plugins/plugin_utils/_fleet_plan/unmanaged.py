# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers that nobody manages: their side of the tunnels, as a file for whoever sets them up."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from .layouts import Layout
from .settings import Outside, Settings


def configuration(peer: Outside, settings: Settings, plan: Mapping[str, Any], layout: Layout) -> str:
    """The file for wg-quick, with the private key left for its owner to fill in."""
    addresses = [each for each in peer.subnets if ip_network(each).num_addresses == 1]
    lines = [
        f"# '{peer.name}' in the fleet '{settings.name}', generation {settings.generation}",
        "[Interface]",
        f"# PrivateKey = the one to the public key {peer.public_key}",
        *([f"Address = {', '.join(addresses)}"] if addresses else []),
        *([f"ListenPort = {peer.endpoint.port or settings.port}"] if peer.endpoint else []),
        f"MTU = {plan['mtu']}",
    ]
    for name, subnets in sorted(layout.carried(peer.name).items()):
        node = plan["nodes"][name]
        if settings.key not in node["keys"]:
            continue
        lines += [
            "",
            "[Peer]",
            f"# {name}",
            f"PublicKey = {node['keys'][settings.key]}",
            *([f"Endpoint = {node['endpoint']}"] if node["endpoint"] else []),
            f"AllowedIPs = {', '.join(subnets)}",
            *([f"PersistentKeepalive = {peer.keepalive}"] if peer.keepalive else []),
        ]
    return "\n".join(lines) + "\n"
