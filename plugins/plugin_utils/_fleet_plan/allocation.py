# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A subnet from the pool for each host that has none: by its name, whatever the order, and never one that is taken."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from hashlib import sha256
from ipaddress import ip_network

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError

from .words import variable

Span = tuple[int, int]


def allocate(names: Iterable[str], pool: str, prefix: int, taken: Iterable[str]) -> dict[str, str]:
    """A free subnet of ``prefix`` bits for each of ``names``.

    Each begins to look at the place that its name hashes to, so that who comes or goes moves nobody else.
    """
    whole = ip_network(pool)
    bits = whole.max_prefixlen - prefix
    base, places = int(whole.network_address) >> bits, 1 << (prefix - whole.prefixlen)
    obstacles = _merged(
        (int(each.network_address) >> bits, int(each.broadcast_address) >> bits)
        for each in map(ip_network, taken)
        if each.version == whole.version
    )
    starts = [first for first, _last in obstacles]
    given: dict[int, str] = {}
    for name in sorted(names):
        start = int.from_bytes(sha256(name.encode()).digest()[:16], "big") % places
        gone = 0
        while gone < places:
            place = base + (start + gone) % places
            at = bisect_right(starts, place) - 1
            if at >= 0 and obstacles[at][1] >= place:
                # What is taken may be as large as the pool: on to its end in one step, and no further than the pool's.
                gone += min(obstacles[at][1], base + places - 1) - place + 1
            elif place in given:
                gone += 1
            else:
                given[place] = name
                break
        else:
            raise DeclarationError(
                variable("pool"),
                f"{pool} has no free /{prefix} for '{name}': {len(given)} are given away here, and the rest of"
                f" {places} is in use somewhere in the fleet",
            )
    network = type(whole)
    return {name: str(network((place << bits, prefix))) for place, name in given.items()}


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those that touch one another as one."""
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
