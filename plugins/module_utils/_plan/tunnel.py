# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tunnel that is there to the declared one, in place: whom a change is not about does not notice it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._model import address, vxlan
from .._model.errors import DeclarationError
from .._model.live_tunnel import Fence, LivePeer, LiveTunnel
from .._model.spec import under
from .._model.step import Plan, RemoveTunnel, SetTunnel, Step
from .._model.topology import Memory, Topology
from .._model.tunnel import DIRECT, WIREGUARD, Peer, Tunnel, derived_mtu, preshared_name
from .._model.world import World

_TRUSTED = "com.docker.network.bridge.trusted_host_interfaces"
_SHIELDS_SINCE = (28, 0)
"""Engines from here on drop, ahead of all, what comes to a container by another way than its bridge."""


def plan(tunnel: Tunnel, world: World) -> Plan:
    """The step to ``tunnel``; DeclarationError where it cannot be on this host."""
    if tunnel.state == "absent":
        return removal(tunnel.name, world)
    _check_ways(tunnel, world)
    live = world.tunnels.get(tunnel.name)
    if live is not None and live.backend != tunnel.backend:
        gone = removal(tunnel.name, world)
        return gone + Plan((_step(tunnel, None, _wanted(tunnel, world), world),))
    wanted = _wanted(tunnel, world)
    if live == wanted:
        return Plan((_step(tunnel, live, wanted, world, bookkeeping=True),)) if live.silent else Plan()
    return Plan((_step(tunnel, live, wanted, world),))


def removal(name: str, world: World) -> Plan:
    """The step that takes a tunnel away, with its routes and what filters it."""
    live = world.tunnels.get(name)
    if live is None:
        return Plan()
    names = _remembered(name, world)
    cuts = tuple(sorted(names.get(each, each) for each in live.peers))
    return Plan((Step(f"tunnel {name}", "remove", RemoveTunnel(name), _words(live, names), {}, cuts=cuts),))


def of_topology(topology: Topology, world: World) -> Plan:
    """The steps to the tunnels of a topology; one that a keeper finds impossible by now is told, and left."""
    formerly = world.memories.get(topology.name, Memory()).tunnels if topology.prune else frozenset()
    found = Plan()
    for each in topology.tunnels:
        try:
            found += plan(each, world)
        except DeclarationError as wrong:
            if not topology.is_kept:
                raise
            found += Plan(warnings=(str(wrong),))
    for name in sorted(formerly - {each.name for each in topology.tunnels}):
        found += removal(name, world)
    return found


def report(tunnel: Tunnel, world: World) -> dict[str, Any]:
    """What the module ``tunnel`` returns: by what it runs, and when each peer was heard."""
    live = world.tunnels.get(tunnel.name)
    names = {_key(each): each.name for each in tunnel.peers}
    return {
        "driver": live.driver if live else "",
        "public_key": live.public_key if live else "",
        "mtu": live.mtu if live else 0,
        "handshakes": {names.get(key, key): age for key, age in (live.handshakes if live else {}).items()},
    }


def _wanted(tunnel: Tunnel, world: World) -> LiveTunnel:
    public_key = ""
    if tunnel.backend == WIREGUARD:
        public_key = world.way.public_key(tunnel.key)
        if not public_key:
            raise DeclarationError(
                tunnel.at("key"),
                f"this host keeps no key '{tunnel.key}'; make it with the module breakwater.docker.wireguard_key",
            )
        for each in tunnel.peers:
            if each.public_key == public_key:  # which the kernel leaves out, and says nothing
                raise DeclarationError(under(each.path, "public_key"), f"is that of this host, key '{tunnel.key}'")
    return LiveTunnel(
        backend=tunnel.backend,
        public_key=public_key,
        listen_port=tunnel.listen_port,
        local=tunnel.local,
        vni=tunnel.vni,
        mtu=_mtu(tunnel, world),
        peers={_key(each): _peer(tunnel, each, world) for each in tunnel.peers},
        routes={
            subnet: _gateway(tunnel, each, subnet) for each in tunnel.peers if each.route for subnet in each.subnets
        },
        fence=_fence(tunnel, world),
    )


def _gateway(tunnel: Tunnel, peer: Peer, subnet: str) -> str:
    if tunnel.backend == WIREGUARD or not peer.endpoint:
        return ""
    return peer.endpoint if tunnel.backend == DIRECT else vxlan.gateway(peer.endpoint, subnet)


def _mtu(tunnel: Tunnel, world: World) -> int:
    if tunnel.backend == DIRECT:
        return tunnel.mtu or 0
    return tunnel.mtu or derived_mtu(tunnel.backend, world.way.mtu(), ":" in tunnel.local)


def _key(peer: Peer) -> str:
    return peer.public_key or peer.endpoint or peer.name


def _peer(tunnel: Tunnel, peer: Peer, world: World) -> LivePeer:
    fingerprint = ""
    if peer.preshared:
        name = preshared_name(tunnel.key, peer.name)
        fingerprint = world.way.preshared(name)
        if not fingerprint:
            raise DeclarationError(under(peer.path, "preshared"), f"this host keeps no pre-shared key '{name}'")
    if tunnel.backend == WIREGUARD:
        return LivePeer(tuple(sorted(peer.subnets)), peer.endpoint, peer.keepalive, fingerprint)
    return LivePeer(tuple(sorted(peer.subnets)))


def _fence(tunnel: Tunnel, world: World) -> Fence:
    interface = "" if tunnel.backend == DIRECT else tunnel.name
    local = tuple(sorted(tunnel.subnets))
    return Fence(interface, local, tunnel.remote, _shielded(tunnel, interface, world), tunnel.transit)


def _shielded(tunnel: Tunnel, interface: str, world: World) -> tuple[str, ...]:
    """The local subnets whose network does not trust the tunnel by itself."""
    if world.engine.version < _SHIELDS_SINCE:
        return ()
    trusting = {
        subnet
        for each in world.networks.values()
        if interface and interface in each.definition.driver_options.get(_TRUSTED, "").split(":")
        for subnet in each.definition.subnets
    }
    return tuple(each for each in sorted(tunnel.subnets) if not any(address.within(each, one) for one in trusting))


def _check_ways(tunnel: Tunnel, world: World) -> None:
    """What is behind a peer must not be what the host reaches by itself."""
    ours = set(world.tunnels)
    direct = {subnet for each in world.tunnels.values() if each.backend == DIRECT for subnet in each.routes}
    held = [each for each in world.prefixes if each.interface not in ours and each.subnet not in direct]
    for peer in tunnel.peers:
        for n, subnet in enumerate(peer.subnets):
            for each in held:
                if address.overlap(subnet, each.subnet):
                    raise DeclarationError(
                        f"{under(peer.path, 'subnets')}[{n}]",
                        f"{subnet} of peer '{peer.name}' overlaps what this host reaches by {each.interface}:"
                        f" {each.what}",
                    )


def _step(tunnel: Tunnel, live: LiveTunnel | None, wanted: LiveTunnel, world: World, bookkeeping: bool = False) -> Step:
    names = {**_remembered(tunnel.name, world), **{_key(each): each.name for each in tunnel.peers}}
    before, after = _words(live, names) if live else {}, _words(wanted, names)
    differing = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    return Step(
        f"tunnel {tunnel.name}",
        "create" if live is None else "set",
        SetTunnel(tunnel, wanted),
        {key: each for key, each in before.items() if key in differing},
        {key: each for key, each in after.items() if key in differing},
        cuts=_cut(live, wanted, names),
        bookkeeping=bookkeeping,
    )


def _remembered(name: str, world: World) -> dict[str, str]:
    """The names of peers by their key, as topologies last declared the tunnel; the kernel has none."""
    return {
        peer.get("public_key") or peer.get("endpoint") or peer["name"]: peer["name"]
        for memory in world.memories.values()
        for each in memory.declared.get("tunnels") or ()
        if each["name"] == name
        for peer in each.get("peers") or ()
    }


def _cut(live: LiveTunnel | None, wanted: LiveTunnel, names: Mapping[str, str]) -> tuple[str, ...]:
    """The peers that lose their session: all with the key of this end, else those that go."""
    if live is None:
        return ()
    lost = live.peers if live.public_key != wanted.public_key else live.peers.keys() - wanted.peers.keys()
    return tuple(sorted(names.get(each, each) for each in lost))


def _words(live: LiveTunnel, names: Mapping[str, str]) -> dict[str, Any]:
    """A tunnel in the words of its module, each peer a word of its own: so a diff shows who is concerned."""
    told: dict[str, Any] = {
        "backend": live.backend,
        "public_key": live.public_key,
        "listen_port": live.listen_port,
        "local": live.local,
        "vni": live.vni,
        "mtu": live.mtu,
        "routes": [f"{each} via {gateway}" if gateway else each for each, gateway in sorted(live.routes.items())],
        "fence": _fence_words(live.fence),
    }
    for key, each in live.peers.items():
        told[f"peer {names.get(key, key)}"] = {
            "public_key": key if live.backend == WIREGUARD else "",
            "endpoint": each.endpoint if live.backend == WIREGUARD else key,
            "subnets": list(each.subnets),
            "keepalive": each.keepalive,
            "preshared": bool(each.preshared),
        }
    return {key: each for key, each in told.items() if each}


def _fence_words(fence: Fence | None) -> dict[str, Any]:
    if fence is None:
        return {}
    told = {
        "local": list(fence.local),
        "remote": list(fence.remote),
        "opened": list(fence.opened),
        "transit": fence.transit,
    }
    return {key: each for key, each in told.items() if each}
