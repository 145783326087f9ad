# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a rule counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import DeclarationError
from .spec import under

LIMIT_SPEC: dict[str, dict[str, Any]] = {
    "rate": {"type": "str", "required": True},
    "burst": {"type": "int", "default": 5},
    "per": {"type": "str", "choices": ["source"]},
}

_RATE = re.compile(r"(\d{1,9})/(s|sec|second|m|min|minute|h|hour|d|day)")
_UNITS = {"d": ("day", 864_000_000), "h": ("hour", 36_000_000), "m": ("min", 600_000), "s": ("sec", 10_000)}
"""The name by which iptables prints a unit of time, and its length in the kernel's ticks."""


@dataclass(frozen=True)
class Limit:
    """A rate as iptables prints it, how many may come at once before it counts, and whether each source has its own."""

    rate: str
    burst: int
    per_source: bool = False

    @classmethod
    def read(cls, given: Mapping[str, Any] | None, path: str) -> Limit | None:
        """The limit that ``given``, which LIMIT_SPEC has accepted, declares."""
        if given is None:
            return None
        found = _RATE.fullmatch(given["rate"])
        if found is None or int(found[1]) == 0:
            raise DeclarationError(
                under(path, "rate"), f"{given['rate']!r} is not a rate, as in 10/second, 5/minute, 100/hour or 20/day"
            )
        period = _UNITS[found[2][0]][1] // int(found[1])
        if period == 0:
            raise DeclarationError(under(path, "rate"), f"{given['rate']} is more than the 10000/second of the kernel")
        if not 1 <= given["burst"] <= 10_000:
            raise DeclarationError(under(path, "burst"), f"expected a number from 1 to 10000, found {given['burst']}")
        return cls(_printed(period), given["burst"], given.get("per") == "source")


def _printed(period: int) -> str:
    """A rate of one packet in ``period`` ticks, in the unit that iptables chooses for it."""
    chosen = "d"
    for each in ("h", "m", "s"):
        ticks = _UNITS[each][1]
        if period > ticks or ticks // period < ticks % period:
            break
        chosen = each
    name, ticks = _UNITS[chosen]
    return f"{ticks // period}/{name}"
