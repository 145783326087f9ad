# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person should know of a plan that is right: who is left out, who waits, who is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .known import Known
from .words import HUB, SITES, STAYS, variable

_TOLD = 5


def notices(known: Known, plan: Mapping[str, Any], states: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """The sentences, each with whom it is about."""
    for what, whom in _noticed(known, plan, states):
        listed = sorted(whom)
        if listed:
            more = f" and {len(listed) - _TOLD} more" if len(listed) > _TOLD else ""
            yield f"{what}: {', '.join(listed[:_TOLD])}{more}"


def _noticed(
    known: Known, plan: Mapping[str, Any], states: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, Iterable[str]]]:
    settings, members, keys, nodes = known.settings, known.members, known.keys, plan["nodes"]
    if settings.is_wireguard:
        keyless = [name for name in members if not keys[name]]
        yield "left out as a peer, for no public key is known of it until it was in a play", keyless
        behind = [name for name in members if keys[name] and settings.key not in keys[name]]
        yield f"on the former keys alone, for it was in no play since generation {settings.generation}", behind
    unknown = [name for name in members if name not in nodes and known.is_usable(name)]
    yield "left out, for no subnet is known of it until it was in a play", unknown
    yield f"not in the fleet, and kept by its peers until {variable('absent')} names it", known.strangers
    outside = (peer for each in states.values() for peer in each if peer in known.outside and each[peer] != STAYS)
    yield f"on the former keys until its configuration of generation {settings.generation} is in use", {*outside}
    yield "a peer to whom nobody speaks", [name for name in known.outside if not nodes[name]["at"]]
    for site, natted in _natted(known, plan).items():
        where = f", in site '{site}'" if site else ""
        yield f"behind NAT, so they do not reach each other{where}", natted if len(natted) > 1 else ()


def _natted(known: Known, plan: Mapping[str, Any]) -> dict[str, list[str]]:
    """Members behind NAT that would have to call each other, by their site; those of a mesh, and leaders, under ''."""
    found: dict[str, list[str]] = {}
    leaders = frozenset(plan["leaders"].values())
    for name, member in known.members.items():
        if member.nat and plan["layout"] != HUB:
            groups = {member.site if plan["layout"] == SITES else "", *([""] if name in leaders else [])}
            for group in groups:
                found.setdefault(group, []).append(name)
    return found
