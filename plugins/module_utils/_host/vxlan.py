# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLAN by ip and bridge: an interface that learns nothing, and is told who is where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from .._model import vxlan
from .._model.live_tunnel import LivePeer, LiveTunnel
from .command import run


def create(name: str, wanted: LiveTunnel) -> None:
    """Make the interface."""
    run(
        [
            *("ip", "link", "add", "dev", name, "address", vxlan.mac(wanted.local), "type", "vxlan"),
            *("id", str(wanted.vni), "local", wanted.local, "dstport", str(wanted.listen_port), "nolearning"),
        ]
    )


def placed(name: str, last: LiveTunnel) -> Iterator[tuple[str, LivePeer]]:
    """The peers that a VXLAN knows; to one that it knows by half, as a killed run leaves it, nothing goes."""
    neighbours, places = _known(name)
    for each, peer in last.peers.items():
        mac = vxlan.mac(each)
        halves = [neighbours.get(gateway) == mac for gateway in _gateways(each, peer)]
        halves.append((mac, each) in places)
        if any(halves):
            yield each, peer if all(halves) else replace(peer, subnets=())


def introduce(name: str, wanted: LiveTunnel) -> None:
    """Who is where behind a VXLAN: known beforehand, so that nobody has to ask all the others."""
    neighbours, places = _known(name)
    meant = {gateway: vxlan.mac(each) for each, peer in wanted.peers.items() for gateway in _gateways(each, peer)}
    at = {(vxlan.mac(each), each) for each in wanted.peers}
    for gateway in neighbours.keys() - meant.keys():
        run(["ip", "neighbour", "delete", gateway, "dev", name])
    for mac, each in sorted(places - at):
        run(["bridge", "fdb", "delete", mac, "dev", name, "dst", each])
    for mac, each in sorted(at - places):
        run(["bridge", "fdb", "replace", mac, "dev", name, "dst", each, "self", "permanent"])
    for gateway, mac in meant.items():
        if neighbours.get(gateway) != mac:
            run(["ip", "neighbour", "replace", gateway, "lladdr", mac, "dev", name, "nud", "permanent"])


def _gateways(endpoint: str, peer: LivePeer) -> set[str]:
    return {vxlan.gateway(endpoint, each) for each in peer.subnets}


def _known(name: str) -> tuple[Mapping[str, str], set[tuple[str, str]]]:
    """The MAC addresses of a VXLAN's neighbours by their addresses, and at which address each MAC address is."""
    neighbours = json.loads(run(["ip", "-json", "neighbour", "show", "dev", name, "nud", "permanent"]) or "[]")
    places = json.loads(run(["bridge", "-json", "fdb", "show", "dev", name]) or "[]")
    return (
        {each["dst"]: each.get("lladdr", "") for each in neighbours},
        {(each["mac"], each["dst"]) for each in places if "dst" in each},
    )
