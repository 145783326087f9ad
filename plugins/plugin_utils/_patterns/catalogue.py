# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The patterns by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import dmz, multi_tier

Compile = Callable[[Mapping[str, Any]], dict[str, Any]]

PATTERNS: Mapping[str, tuple[Mapping[str, Any], Compile]] = {
    "multi_tier": (multi_tier.SPEC, multi_tier.multi_tier),
    "dmz": (dmz.SPEC, dmz.dmz),
}
