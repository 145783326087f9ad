# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pattern multi_tier: any number of tiers, each of which sees its neighbours alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .tiers import Tier, check_no_cycle, check_once, topology_of

SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "tiers": {"type": "list", "elements": "raw", "required": True},
    "networks": {"type": "dict", "default": {}},
    "cycles": {"type": "bool", "default": False},
    "log": {"type": "bool", "default": False},
}


def multi_tier(args: Mapping[str, Any]) -> dict[str, Any]:
    """The topology that ``args``, which SPEC has accepted, come to; DeclarationError names the field."""
    tiers = [Tier.read(each, f"tiers[{n}]") for n, each in enumerate(args["tiers"])]
    check_once(tiers)
    if not args["cycles"]:
        check_no_cycle(tiers, "where that is meant, set cycles: true")
    return topology_of(args["name"], tiers, args["networks"], args["log"])
