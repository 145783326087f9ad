# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a plan, for those who make it and for the end that is cut from it."""

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils._model import tunnel

WIREGUARD, VXLAN, DIRECT = tunnel.WIREGUARD, tunnel.VXLAN, tunnel.DIRECT
"""Backends."""
MESH, HUB, SITES = "mesh", "hub", "sites"
"""Layouts."""
STAYS, PREPARES, SWITCHES = "stays", "prepares", "switches"
"""What becomes of a peer of the former generation of keys.

On the former interface alone; on both, with traffic on the former; on both, with traffic on the new one.
"""
KEEPALIVE = 25
"""Seconds between two packets that keep the way through a NAT open; most forget it after thirty."""


def variable(key: str) -> str:
    """The name of the role's variable for ``key``."""
    return f"breakwater_wireguard_{key}"
