# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recreate must put back: written down before the first endpoint is cut, dropped when all holds again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .connection import LiveEndpoint
from .network import LiveNetwork
from .route import LiveRoute


@dataclass(frozen=True)
class Journal:
    """A network as it was, the endpoints on it and the routes through it, by container ID.

    Whoever finds a journal finds a recreate that was cut off; its endpoints are still owed.
    """

    network: LiveNetwork
    endpoints: Mapping[str, LiveEndpoint] = field(default_factory=dict)
    routes: Mapping[str, tuple[LiveRoute, ...]] = field(default_factory=dict)
