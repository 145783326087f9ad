# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subnets that would be in two places: found in one sweep over all that the fleet has, before any host is touched."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError

FLEET, BROUGHT, HOST, POOL = "fleet", "brought", "host", "pool"
"""Kinds of claims: the fleet's own, of networks that hosts bring with them, of the hosts, and of Docker's pools."""
_AT_ODDS = {
    FLEET: (FLEET, BROUGHT, HOST, POOL),
    BROUGHT: (FLEET, BROUGHT, HOST, POOL),
    HOST: (FLEET, BROUGHT),
    POOL: (FLEET, BROUGHT),
}
_TOLD = 3


class Claim(NamedTuple):
    """A subnet and whose it is, in words; ``path`` is where that is declared, of the fleet's own."""

    subnet: str
    kind: str
    owner: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.subnet}, {self.owner}"


def check(claims: Iterable[Claim]) -> list[str]:
    """Raise DeclarationError where claims overlap; warnings where a network that was there meets a pool of Docker's."""
    wrong: list[tuple[Claim, Claim]] = []
    warnings: list[str] = []
    for earlier, later in _overlapping(claims):
        ours, theirs = (later, earlier) if later.path else (earlier, later)
        if POOL in (earlier.kind, later.kind) and ours.kind == BROUGHT:
            warnings.append(f"{ours} lies in {theirs}: a new network there may take it; give it a subnet of its own")
        else:
            wrong.append((ours, theirs))
    if wrong:
        first = wrong[0][0]
        told = "; ".join(f"{ours} overlaps {theirs}" for ours, theirs in wrong[:_TOLD])
        more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise DeclarationError(first.path, f"{told}{more}")
    return warnings


def _overlapping(claims: Iterable[Claim]) -> Iterable[tuple[Claim, Claim]]:
    """Each claim with one before it, of each kind that it is at odds with, that reaches into it: n log n."""
    spans = []
    for claim in claims:
        whole = ip_network(claim.subnet)
        spans.append((whole.version, int(whole.network_address), int(whole.broadcast_address), claim))
    # What is larger comes first: of two that begin together the second lies in the first.
    spans.sort(key=lambda each: (each[0], each[1], -each[2], each[3]))
    furthest: dict[tuple[int, str], tuple[int, Claim]] = {}
    for version, start, end, claim in spans:
        for kind in _AT_ODDS[claim.kind]:
            last, before = furthest.get((version, kind), (-1, claim))
            if last >= start:
                yield before, claim
        last, _before = furthest.get((version, claim.kind), (-1, claim))
        if end > last:
            furthest[version, claim.kind] = (end, claim)
