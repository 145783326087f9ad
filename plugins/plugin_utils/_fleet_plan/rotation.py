# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""New keys without a gap: what becomes of each peer of the former interface, by what was seen of both ends.

A generation of keys has its own interface and port, beside those of the one before. A peer is on both until it has
shaken hands on the new one, takes it for its traffic then, and leaves the former when both ends were seen to do so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError

from .members import Member
from .settings import Settings
from .words import PREPARES, STAYS, SWITCHES, variable


def check_generation(members: Mapping[str, Member], settings: Settings) -> None:
    """DeclarationError where a host has, on the interface of this generation, the key of another one."""
    for member in members.values():
        there = member.seen.tunnels.get(settings.interface) if member.seen else None
        key = there.get("key") if there and there.get("backend") == settings.backend else None
        if there and key and key != settings.key:
            raise DeclarationError(
                variable("generation"),
                f"'{member.name}' has {settings.interface} with key '{key}' still, which is where that of generation"
                f" {settings.generation} belongs; go back to {settings.generation - 1} until all have it, or take the"
                f" host out with {variable('absent')}",
            )


def former(member: Member, settings: Settings) -> dict[str, Any] | None:
    """The other interface of the fleet that a host has, with the name of its key and its port; None without one."""
    if not member.seen or not settings.is_wireguard:
        return None
    there = member.seen.tunnels.get(settings.interfaces[1 - settings.step])
    if not there or not there.get("key") or not there.get("peers"):
        return None
    return {key: there.get(key) for key in ("name", "key", "listen_port")}


def states(
    member: Member,
    settings: Settings,
    members: Mapping[str, Member],
    has_key: Callable[[str], bool | None],
) -> dict[str, str]:
    """What becomes of the peers of a host's former interface; who is not named is, or goes, on the new one alone.

    ``has_key`` says whether a peer has a key of this generation, None of a peer that is no longer one.
    """
    there = former(member, settings)
    if there is None or member.seen is None:
        return {}
    now = member.seen.peers_of(settings.interface)
    found: dict[str, str] = {}
    for name in member.seen.peers_of(there["name"]):
        ready = has_key(name)
        if ready is None:
            continue
        if not ready or not has_key(member.name):
            found[name] = STAYS
            continue
        takes_new = _routes(now.get(name))
        if takes_new and _is_awaited(member.name, members.get(name), settings) is False:
            continue
        heard = takes_new or member.seen.hears(settings.interface, name)
        found[name] = SWITCHES if heard else PREPARES
    return found


def _is_awaited(name: str, other: Member | None, settings: Settings) -> bool:
    """Whether the other end may still send by the former interface; one that nobody manages has no other than ours."""
    if other is None:
        return False
    return not (other.seen and _routes(other.seen.peers_of(settings.interface).get(name)))


def _routes(peer: Mapping[str, Any] | None) -> bool:
    return peer is not None and bool(peer.get("route", True))
