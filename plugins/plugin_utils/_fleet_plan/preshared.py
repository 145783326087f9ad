# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pairs of hosts share a key, by what both were seen to keep; and with whom a host is to share one yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.tunnel import preshared_name

from .known import Known
from .layouts import Layout
from .members import Member

_GIVEN = "__breakwater_wireguard_given"
"""The variable in which the role keeps what ``wireguard_preshared`` has returned on the host that gives."""


def sharers(member: Member, known: Known) -> dict[str, list[str]]:
    """The peers with whom a host shares a key, by the name of its private key that it goes with.

    A key is shared where both keep the same. Of a host of which nothing was seen, what the own tunnel has now stays.
    """
    seen = member.seen
    if seen is None:
        return {}
    found: dict[str, list[str]] = {}
    for key in sorted({known.settings.key, *(each.get("key") or "" for each in seen.tunnels.values())}):
        remembered = {
            peer["name"] for tunnel, peer in seen.peers() if tunnel.get("key") == key and peer.get("preshared")
        }
        prefix = preshared_name(key, "")
        kept = {name[len(prefix) :]: each for name, each in seen.preshared.items() if name.startswith(prefix)}
        shared = []
        for name in sorted(remembered | kept.keys()):
            other = known.members[name].seen if name in known.members else None
            if other:
                is_shared = name in kept and kept[name] == other.preshared.get(preshared_name(key, member.name))
            else:
                is_shared = name in remembered and name not in known.outside
            shared += [name] if is_shared else []
        if shared:
            found[key] = shared
    return found


def takers(plan: Mapping[str, Any], host: str) -> list[dict[str, str]]:
    """Those to whom ``host`` has to give a key yet, by name and public key."""
    return [each for each in _partners(plan, host) if host < each["name"]]


def givers(plan: Mapping[str, Any], host: str, hostvars: Mapping[str, Any]) -> list[dict[str, str]]:
    """Those who have given ``host`` a key in this play, with what they have sealed for it."""
    found = []
    for each in _partners(plan, host):
        if each["name"] < host and each["name"] in hostvars:
            given = hostvars[each["name"]].get(_GIVEN) or {}
            if host in given.get("sealed", {}):
                found.append({**each, "sealed": given["sealed"][host]})
    return found


def _partners(plan: Mapping[str, Any], host: str) -> list[dict[str, str]]:
    """The peers with whom ``host`` has no key in common yet, and is to have one."""
    key, nodes = f"{plan['name']}-{plan['generation']}", plan["nodes"]
    if not plan["preshared"] or host not in plan["hosts"] or key not in nodes.get(host, {}).get("keys", {}):
        return []
    done = {*plan["outside"], *plan["hosts"][host].get("preshared", {}).get(key, ())}
    return [
        {"name": each, "public_key": nodes[each]["keys"][key]}
        for each in sorted(Layout(plan).carried(host))
        if each not in done and key in nodes[each]["keys"]
    ]
