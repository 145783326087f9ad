# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's end of the fleet: the arguments of its topology, cut from the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import near

from .layouts import Layout
from .words import DIRECT, KEEPALIVE, PREPARES, STAYS, VXLAN, WIREGUARD, variable


def end(plan: Mapping[str, Any], host: str) -> dict[str, Any]:
    """The end of ``host``; DeclarationError where it has none, or lacks what only it can have."""
    if host in plan["absent"]:
        return {"name": plan["name"], "state": "absent"}
    if host not in plan["hosts"]:
        raise DeclarationError(
            variable("group"), f"'{host}' is not in the fleet '{plan['name']}'; {near(host, plan['hosts'])}"
        )
    own = plan["hosts"][host]
    if plan["backend"] == WIREGUARD and not (plan["nodes"].get(host) or {}).get("keys"):
        raise DeclarationError(
            f"hostvars.{host}",
            f"no public key of '{host}' is known; wireguard_key makes '{plan['name']}-{plan['generation']}', and"
            " tunnel_info shows it",
        )
    carried = Layout(plan).carried(host)
    for peer, subnets in own.get("leftover", {}).items():
        if peer in carried:
            carried[peer] += subnets
    carried = {peer: subnets for peer, subnets in carried.items() if subnets}
    tunnels = _wireguard(plan, host, own, carried) if plan["backend"] == WIREGUARD else [_plain(plan, own, carried)]
    planned = {each["name"] for each in tunnels}
    gone = [each for each in own["tunnels"] if each not in planned]
    found: dict[str, Any] = {
        "name": plan["name"],
        "networks": own["networks"],
        "tunnels": [*tunnels, *({"name": each, "state": "absent"} for each in gone)],
        "hosts_files": _hosts_files(plan, host, own),
    }
    return {**found, "policy": plan["policy"]} if plan["policy"] else found


def _hosts_files(plan: Mapping[str, Any], host: str, own: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The names of all other hosts' containers by their address, for the containers of the fleet's network."""
    found: dict[str, list[str]] = {}
    for each in plan["names"]:
        if each["host"] != host:
            found.setdefault(each["address"], []).append(each["name"])
    entries = [{"address": address, "names": listed} for address, listed in found.items()]
    return [{"network": plan["network"], "entries": entries}] if entries and own["networks"] else []


def _plain(plan: Mapping[str, Any], own: Mapping[str, Any], carried: Mapping[str, list[str]]) -> dict[str, Any]:
    """The one tunnel of a backend without keys."""
    return {
        "name": f"{plan['name']}0",
        "backend": plan["backend"],
        **({"local": own["local"]} if plan["backend"] == VXLAN else {}),
        **({"mtu": plan["mtu"], "transit": own["transit"]} if plan["backend"] != DIRECT else {}),
        "subnets": own["subnets"],
        "peers": [
            {"name": peer, "endpoint": plan["nodes"][peer]["endpoint"], "subnets": subnets}
            for peer, subnets in sorted(carried.items())
        ],
    }


def _wireguard(
    plan: Mapping[str, Any], host: str, own: Mapping[str, Any], carried: Mapping[str, list[str]]
) -> list[dict[str, Any]]:
    """The tunnel of this generation, and the one before it for as long as a peer is on it."""
    nodes, states, former = plan["nodes"], own.get("states", {}), own.get("former")
    key, step = f"{plan['name']}-{plan['generation']}", plan["generation"] % 2
    nat, shared = nodes[host]["nat"], own.get("preshared", {})

    def peer(name: str, key: str, endpoint: str | None, keepalive: bool, route: bool) -> dict[str, Any]:
        return {
            "name": name,
            "public_key": nodes[name]["keys"][key],
            **({"endpoint": endpoint} if endpoint else {}),
            "subnets": carried[name],
            "keepalive": KEEPALIVE if keepalive else 0,
            "preshared": name in shared.get(key, ()),
            "route": route,
        }

    def tunnel(name: str, key: str, port: int, peers: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "name": name,
            "backend": WIREGUARD,
            "key": key,
            "listen_port": port,
            "mtu": plan["mtu"],
            "transit": own["transit"],
            "subnets": own["subnets"],
            "peers": peers,
        }

    found = []
    if key in nodes[host]["keys"]:
        new = [
            peer(each, key, nodes[each]["endpoint"], nat or each in states, states.get(each) != PREPARES)
            for each in sorted(carried)
            if states.get(each) != STAYS and key in nodes[each]["keys"]
        ]
        found.append(tunnel(f"{plan['name']}{step}", key, plan["port"] + step, new))
    if former:
        kept = [
            peer(each, former["key"], nodes[each]["former"], nat, states[each] in (STAYS, PREPARES))
            for each in sorted(carried)
            if each in states and former["key"] in nodes[each]["keys"]
        ]
        port = former["listen_port"] or plan["port"] + 1 - step
        found += [tunnel(former["name"], former["key"], port, kept)] if kept else []
    return found
