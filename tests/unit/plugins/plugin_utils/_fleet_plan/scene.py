# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet without hosts: variables as a play has them, and a world in which the ends that were planned come true."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from copy import deepcopy
from hashlib import sha256
from ipaddress import ip_network
from typing import Any

from ansible_collections.breakwater.docker.plugins.filter.wireguard_end import wireguard_end
from ansible_collections.breakwater.docker.plugins.filter.wireguard_fleet import wireguard_fleet

PREFIX = "breakwater_wireguard_"
DEFAULT_POOLS = ["172.17.0.0/16", "172.18.0.0/16"]
POOL = "10.80.0.0/16"

Hosts = dict[str, dict[str, Any]]


def key(of: str) -> str:
    """A public key, the same for the same owner."""
    return b64encode(sha256(of.encode()).digest()).decode()


def host(name: str, number: int, generation: int = 1, **variables: Any) -> dict[str, Any]:
    """The variables of a host that has a key and no tunnel; ``seen`` adds to its fact, and None leaves it out."""
    seen = variables.pop("seen", {})
    fact = {
        "engine": "28.5.2",
        "public_keys": {f"fleet-{generation}": key(f"{name} {generation}")},
        "path_mtu": 1500,
        "networks": [{"name": "bridge", "subnets": ["172.17.0.0/16"], "driver_options": {}}],
        "prefixes": [{"subnet": "192.0.2.0/24", "interface": "eth0", "what": "a route"}],
        "pools": DEFAULT_POOLS,
        "tunnels": [],
        "handshakes": {},
        **(seen or {}),
    }
    return {
        "ansible_host": f"192.0.2.{number}",
        **({} if seen is None else {f"{PREFIX}seen": fact}),
        **{f"{PREFIX}{each}": value for each, value in variables.items()},
    }


def hosts(*names: str, **variables: Any) -> Hosts:
    """Hosts that share ``variables``."""
    return {name: host(name, number, **deepcopy(variables)) for number, name in enumerate(names, start=1)}


def planned(of: Hosts, **settings: Any) -> dict[str, Any]:
    """The whole plan of all ``of`` them."""
    plan: dict[str, Any] = json.loads(fleet(of, **settings)["plan"])
    return plan


def fleet(of: Hosts, **settings: Any) -> dict[str, Any]:
    """What the filter returns."""
    return wireguard_fleet(of, list(of), {"pool": POOL, **settings})


def ends(of: Hosts, **settings: Any) -> dict[str, dict[str, Any]]:
    """The end of each of them."""
    found = fleet(of, **settings)
    return {name: wireguard_end(found, name) for name in of}


def peers(end: dict[str, Any], interface: str = "fleet1") -> dict[str, dict[str, Any]]:
    """The peers of one tunnel of an end, by name."""
    return {
        peer["name"]: peer
        for tunnel in end["tunnels"]
        if tunnel["name"] == interface
        for peer in tunnel.get("peers", ())
    }


def carried(end: dict[str, Any], interface: str = "fleet1") -> dict[str, list[str]]:
    """The subnets by peer."""
    return {name: sorted(each["subnets"]) for name, each in peers(end, interface).items()}


def apply(of: Hosts, play: Iterable[str], **settings: Any) -> dict[str, Any]:
    """One pass of the role on the hosts of ``play``: what they are seen to have afterwards, and the plan."""
    generation = settings.get("generation", 1)
    for name in play if settings.get("backend", "wireguard") == "wireguard" else ():
        seen = of[name][f"{PREFIX}seen"]
        seen["public_keys"][f"fleet-{generation}"] = key(f"{name} {generation}")
    found = fleet(of, **settings)
    for name in play:
        end, seen = wireguard_end(found, name), of[name][f"{PREFIX}seen"]
        seen["tunnels"] = [each for each in end["tunnels"] if each.get("state") != "absent"]
        there = {each["name"] for each in seen["networks"]}
        for network in end["networks"]:
            if network["name"] not in there:
                subnets = [each["subnet"] for each in network["ipam_config"]]
                seen["networks"].append({**network, "subnets": subnets})
                interface = f"br-{network['name']}"
                seen["prefixes"] += [{"subnet": each, "interface": interface, "what": "a route"} for each in subnets]
    if settings.get("backend", "wireguard") == "wireguard":
        shake_hands(of)
    return found


def shake_hands(of: Hosts) -> None:
    """Peers that hold each other's keys on the same interface have heard of each other."""
    for name, variables in of.items():
        seen = variables.get(f"{PREFIX}seen") or {}
        seen["handshakes"] = {
            tunnel["name"]: {
                peer["name"]: 5 for peer in tunnel["peers"] if is_up(of, name, peer["name"], tunnel["name"])
            }
            for tunnel in seen.get("tunnels", ())
        }


def is_up(of: Hosts, one: str, other: str, interface: str) -> bool:
    """Whether both ends of a tunnel hold each other's key."""
    sides = [(one, other), (other, one)]
    found = [_side(of, here, there, interface) for here, there in sides]
    return all(found) and any(each and each[1].get("endpoint") for each in found)


def _side(of: Hosts, here: str, there: str, interface: str) -> tuple[str, dict[str, Any]] | None:
    theirs = (of.get(there, {}).get(f"{PREFIX}seen") or {}).get("tunnels", ())
    key_there = next((each["key"] for each in theirs if each["name"] == interface), None)
    for tunnel in (of.get(here, {}).get(f"{PREFIX}seen") or {}).get("tunnels", ()):
        for peer in tunnel["peers"]:
            if tunnel["name"] == interface and peer["name"] == there and key_there:
                generation = key_there.rpartition("-")[2]
                return (interface, peer) if peer["public_key"] == key(f"{there} {generation}") else None
    return None


def arrives(of: Hosts, source: str, subnet: str, target: str, origin: str) -> bool:
    """Whether a packet from ``origin``, a subnet of ``source``, gets to ``subnet``, which is of ``target``.

    Each host sends it by the one peer that has a route for it, and takes it from the one whose subnets it comes from.
    """
    here = source
    for _hop in range(8):
        if here == target:
            return True
        ways = [
            (tunnel["name"], peer["name"])
            for tunnel in of[here][f"{PREFIX}seen"]["tunnels"]
            for peer in tunnel["peers"]
            if peer.get("route", True) and subnet in peer["subnets"]
        ]
        if len(ways) != 1:
            return False
        interface, there = ways[0]
        if not is_up(of, here, there, interface):
            return False
        back = _side(of, here=there, there=here, interface=interface)
        if back is None or origin not in back[1]["subnets"]:
            return False
        here = there
    return False


def pairs(of: Hosts, found: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Each two hosts with a subnet of each."""
    for one in of:
        for other in of:
            if one != other and one in found["subnets"] and other in found["subnets"]:
                yield one, other, found["subnets"][one][0], found["subnets"][other][0]


def overlapping(subnets: Iterable[str]) -> bool:
    """Whether two of them share an address, by comparing each with each."""
    listed = [ip_network(each) for each in subnets]
    return any(one.overlaps(two) for n, one in enumerate(listed) for two in listed[:n] if one.version == two.version)
