# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members that a layout rests on: hubs, or the leaders of sites, or all."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError

from .known import Known
from .members import Member
from .words import HUB, MESH, SITES, variable


def hubs(known: Known) -> list[str]:
    """Those of the hubs that others can have for a peer."""
    if known.settings.layout != HUB:
        return []
    hubs = [name for name, each in known.members.items() if each.hub]
    if not hubs:
        raise DeclarationError(
            variable("layout"), f"hub needs a host with {variable('hub')}: true, and none of the group has it"
        )
    for name in hubs:
        if known.members[name].nat:
            raise DeclarationError(known.members[name].at("hub"), f"'{name}' is behind NAT: nobody could call it")
    return [name for name in hubs if known.is_usable(name)]


def leaders(known: Known) -> dict[str, str]:
    """The leader of each site: the one that says so, or the first that can be called."""
    if known.settings.layout != SITES:
        return {}
    found: dict[str, Member] = {}
    for name, member in known.members.items():
        if not member.site:
            raise DeclarationError(member.at("site"), f"is required with layout: sites, and '{name}' has none")
        chosen = found.get(member.site)
        if chosen and chosen.leader and member.leader:
            raise DeclarationError(
                member.at("leader"), f"site '{member.site}' has two leaders: '{chosen.name}' and '{name}'"
            )
        if known.is_usable(name) and (chosen is None or _rank(member) < _rank(chosen)):
            found[member.site] = member
    return {site: found[site].name for site in sorted(found)}


def backbone(layout: str, hubs: list[str], leaders: Mapping[str, str], members: list[str]) -> list[str]:
    """The members that speak to those outside unless something else is declared."""
    return {MESH: members, HUB: hubs, SITES: sorted(leaders.values())}[layout]


def _rank(member: Member) -> tuple[bool, bool, str]:
    return (not member.leader, member.nat, member.name)
