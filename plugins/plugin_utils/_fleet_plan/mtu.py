# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of a packet for containers: one value for the fleet, for a way is as narrow as its narrowest part."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.breakwater.docker.plugins.module_utils._model.tunnel import derived_mtu

from .settings import Settings
from .words import DIRECT

_ETHERNET = 1500
_LARGEST = 1420
"""Of a WireGuard tunnel: what is right nearly everywhere."""


def mtu(settings: Settings, paths: Iterable[int | None], is_ipv6: bool) -> int:
    """The MTU of tunnels and container networks, of the MTU of the hosts' ways out, in bytes."""
    narrowest = min((each for each in paths if each), default=_ETHERNET)
    if settings.mtu:
        return settings.mtu
    if settings.backend == DIRECT:
        return narrowest
    derived = derived_mtu(settings.backend, narrowest, is_ipv6)
    return min(derived, _LARGEST) if settings.is_wireguard else derived
