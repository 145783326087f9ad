# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which addresses the hosts of a VXLAN know each other on it: all find them alike, and nobody has to ask."""

from __future__ import annotations

from hashlib import sha256
from ipaddress import ip_address

from .address import version_of


def mac(endpoint: str) -> str:
    """The MAC address of the interface of the host at ``endpoint``."""
    return _mac(endpoint).hex(":")


def gateway(endpoint: str, subnet: str) -> str:
    """By which address the host at ``endpoint`` is the gateway to ``subnet``.

    For IPv6, and by IPv6, it is the link-local one (RFC 4291, appendix A): the kernel takes no other for a neighbour.
    """
    if version_of(endpoint) == version_of(subnet) == 4:
        return endpoint
    own = _mac(endpoint)
    return str(ip_address(b"\xfe\x80" + bytes(7) + own[1:3] + b"\xff\xfe" + own[3:]))


def _mac(endpoint: str) -> bytes:
    packed = ip_address(endpoint).packed
    own = packed if len(packed) == 4 else sha256(packed).digest()[:5]
    return b"\x02" + own.rjust(5, b"\0")
