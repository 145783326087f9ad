# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's end of the ways to the containers of other hosts, as it is declared."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import address
from .errors import DeclarationError
from .host_port import HostPort
from .name import check_name
from .spec import under

WIREGUARD, VXLAN, DIRECT = "wireguard", "vxlan", "direct"

PEER_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "public_key": {"type": "str"},
    "endpoint": {"type": "str"},
    "subnets": {"type": "list", "elements": "str", "required": True},
    "keepalive": {"type": "int", "default": 0},
    "preshared": {"type": "bool", "default": False},
    "route": {"type": "bool", "default": True},
}
SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "backend": {"type": "str", "choices": [WIREGUARD, VXLAN, DIRECT], "default": WIREGUARD},
    "key": {"type": "str", "no_log": False},
    "listen_port": {"type": "int"},
    "local": {"type": "str"},
    "vni": {"type": "int", "default": 4789},
    "mtu": {"type": "int"},
    "transit": {"type": "bool", "default": False},
    "subnets": {"type": "list", "elements": "str", "default": []},
    "peers": {"type": "list", "elements": "dict", "options": PEER_SPEC, "default": []},
}

PORTS = {WIREGUARD: 51820, VXLAN: 4789}
"""The UDP port of a tunnel that names none."""
_OVERHEAD = {WIREGUARD: (80, 80), VXLAN: (50, 70)}
"""Bytes that each packet grows by, over IPv4 and over IPv6; a peer of WireGuard may move from one to the other."""
SMALLEST_MTU, LARGEST_MTU = 1280, 65535
_INTERFACE = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,14}")
_PEER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}")


def check_public_key(text: str, path: str) -> str:
    """``text``, if it may be a WireGuard key: 32 bytes in base64."""
    try:
        if len(text) == 44 and len(b64decode(text, validate=True)) == 32:
            return text
    except ValueError:
        pass
    raise DeclarationError(path, f"{text!r} is no public key of WireGuard: 32 bytes in base64, 44 characters")


def check_peer_name(name: str, path: str) -> str:
    """``name``, if a peer may have it: as long as names in an inventory are."""
    if not _PEER.fullmatch(name):
        raise DeclarationError(path, f"{name!r} is no peer's name: letters, digits, '_', '.', '-', as inventories have")
    return name


@dataclass(frozen=True)
class Peer:
    """The end on another host. ``endpoint`` is where it is called, None where it is it that calls.

    ``subnets`` are behind it; with ``route`` the host sends what is for them this way. ``keepalive`` is in seconds.
    """

    name: str
    subnets: tuple[str, ...]
    public_key: str = ""
    endpoint: str | None = None
    keepalive: int = 0
    preshared: bool = False
    route: bool = True
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], backend: str, path: str) -> Peer:
        """The peer that ``args``, which PEER_SPEC has accepted, declare."""

        def at(key: str) -> str:
            return under(path, key)

        if not 0 <= args["keepalive"] <= 65535:
            raise DeclarationError(at("keepalive"), f"expected 0 to 65535 seconds, found {args['keepalive']}")
        if not args["subnets"]:
            raise DeclarationError(at("subnets"), "lists none; nothing would ever go to this peer")
        public_key = ""
        if backend == WIREGUARD:
            if not args["public_key"]:
                raise DeclarationError(at("public_key"), "is required with backend: wireguard")
            public_key = check_public_key(args["public_key"], at("public_key"))
        else:
            for key in ("public_key", "keepalive", "preshared"):
                if args[key]:
                    raise DeclarationError(at(key), f"goes with backend: wireguard, not with {backend}")
        subnets = _subnets(args["subnets"], at("subnets"))
        endpoint = _endpoint(args["endpoint"], backend, at("endpoint"))
        if backend == DIRECT:
            check_gateway(endpoint or "", subnets, at("endpoint"))
        return cls(
            name=check_peer_name(args["name"], at("name")),
            subnets=subnets,
            public_key=public_key,
            endpoint=endpoint,
            keepalive=args["keepalive"],
            preshared=args["preshared"],
            route=args["route"],
            path=path,
        )


@dataclass(frozen=True)
class Tunnel:
    """One interface to peers, or with ``direct`` the routes alone. ``subnets`` are the host's that may use it.

    ``mtu`` is None where the path says it, ``key`` the name under which the host keeps its private key. With
    ``transit`` the peers reach each other through this host.
    """

    name: str
    state: str = "present"
    backend: str = WIREGUARD
    key: str = ""
    listen_port: int = 0
    local: str = ""
    vni: int = 0
    mtu: int | None = None
    transit: bool = False
    subnets: tuple[str, ...] = ()
    peers: tuple[Peer, ...] = ()
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str = "") -> Tunnel:
        """The tunnel that ``args``, which SPEC has accepted, declare; DeclarationError names the field."""

        def at(key: str) -> str:
            return under(path, key)

        name, backend = args["name"], args["backend"]
        if not _INTERFACE.fullmatch(name):
            raise DeclarationError(
                at("name"), f"{name!r} is no name for an interface: a letter, then up to 14 letters, digits, '_', '-'"
            )
        if args["state"] == "absent":
            return cls(name, "absent", path=path)
        if args["key"] and backend != WIREGUARD:
            raise DeclarationError(at("key"), f"goes with backend: wireguard, not with {backend}")
        if bool(args["local"]) != (backend == VXLAN):
            problem = "is required with backend: vxlan: the address from which this host sends"
            raise DeclarationError(
                at("local"), f"goes with backend: vxlan, not with {backend}" if args["local"] else problem
            )
        if args["mtu"] is not None and not SMALLEST_MTU <= args["mtu"] <= LARGEST_MTU:
            raise DeclarationError(at("mtu"), f"expected {SMALLEST_MTU} to {LARGEST_MTU} bytes, found {args['mtu']}")
        if args["transit"] and backend == DIRECT:
            raise DeclarationError(at("transit"), "goes with a tunnel; hosts of one LAN reach each other by themselves")
        if not args["subnets"]:
            raise DeclarationError(at("subnets"), "lists none; nobody on this host could use it")
        tunnel = cls(
            name=name,
            backend=backend,
            key=check_name(args["key"] or name, at("key"), "key") if backend == WIREGUARD else "",
            listen_port=_port(args["listen_port"], backend, at("listen_port")),
            local=address.address(args["local"], at("local")) if args["local"] else "",
            vni=_vni(args["vni"], at("vni")) if backend == VXLAN else 0,
            mtu=args["mtu"],
            transit=args["transit"],
            subnets=_subnets(args["subnets"], at("subnets")),
            peers=tuple(Peer.read(each, backend, f"{at('peers')}[{n}]") for n, each in enumerate(args["peers"])),
            path=path,
        )
        tunnel._check()
        return tunnel

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)

    def _check(self) -> None:
        """Each peer once, and each subnet at one place alone: a later peer would take it from an earlier one."""
        owners = [(each, "this host", f"{self.at('subnets')}[{n}]") for n, each in enumerate(self.subnets)]
        seen: dict[str, str] = {}
        # What encrypts knows a peer by its key, what does not by its address.
        identity = "public_key" if self.backend == WIREGUARD else "endpoint"
        for peer in self.peers:
            for key in ("name", identity):
                value = f"{key} {getattr(peer, key)}"
                if value in seen:
                    raise DeclarationError(under(peer.path, key), f"is that of {seen[value]} already")
                seen[value] = f"peer '{peer.name}'"
            if self.local and address.version_of(peer.endpoint or "") != address.version_of(self.local):
                raise DeclarationError(
                    under(peer.path, "endpoint"), f"{peer.endpoint} is not of the IP version of {self.local}, local"
                )
            where = under(peer.path, "subnets")
            owners += [(each, f"peer '{peer.name}'", f"{where}[{n}]") for n, each in enumerate(peer.subnets)]
        # Sorted, what overlaps anything overlaps its neighbour: the spoke of a hub has thousands.
        ordered = sorted(enumerate(owners), key=lambda each: address.order(each[1][0]))
        for pair in zip(ordered, ordered[1:]):
            (_n, (early, owner, _path)), (_m, (late, another, path)) = sorted(pair)
            if address.overlap(early, late):
                raise DeclarationError(path, f"{late} of {another} overlaps {early} of {owner}")

    @property
    def remote(self) -> tuple[str, ...]:
        """The subnets behind all peers."""
        return tuple(sorted(each for peer in self.peers for each in peer.subnets))


def derived_mtu(backend: str, path_mtu: int, is_ipv6: bool) -> int:
    """The MTU of a tunnel over a path: what is left of a packet, and never less than IPv6 asks for."""
    return max(SMALLEST_MTU, path_mtu - _OVERHEAD[backend][is_ipv6])


def check_gateway(endpoint: str, subnets: Iterable[str], path: str) -> None:
    """A route of IPv4 may lead to a gateway of IPv6; the kernel has none the other way round."""
    six = next((each for each in subnets if address.version_of(each) == 6), None)
    if six and address.version_of(endpoint) == 4:
        raise DeclarationError(path, f"{endpoint} is no gateway for {six}: IPv6 needs one of IPv6, which takes both")


def preshared_name(key: str, peer: str) -> str:
    """The name under which a host keeps the key that it shares with ``peer``; the names of both may have dots."""
    return f"{key}@{peer}"


def _subnets(given: list[str], path: str) -> tuple[str, ...]:
    """In their order: so the place of each is that in the path of its field."""
    return tuple(address.prefix(each, f"{path}[{n}]") for n, each in enumerate(given))


def _port(given: int | None, backend: str, path: str) -> int:
    if backend == DIRECT:
        if given:
            raise DeclarationError(path, "goes with a tunnel; backend: direct has none")
        return 0
    port = PORTS[backend] if given is None else given
    if not 1 <= port <= 65535:
        raise DeclarationError(path, f"expected a port from 1 to 65535, found {port}")
    return port


def _vni(given: int, path: str) -> int:
    if not 1 <= given < 1 << 24:
        raise DeclarationError(path, f"expected a number from 1 to {(1 << 24) - 1}, found {given}")
    return given


def _endpoint(given: str | None, backend: str, path: str) -> str | None:
    """``host:port``, with an IPv6 address in brackets; an address alone where it is no WireGuard."""
    if backend != WIREGUARD:
        if not given:
            raise DeclarationError(path, f"is required with backend: {backend}: the address of the peer")
        return address.address(given, path)
    if not given:
        return None
    found = HostPort.read(given, path)
    if found.port is None:
        raise DeclarationError(path, f"{given!r} names no port, as 192.0.2.1:51820 and [2001:db8::1]:51820 do")
    return found.at(found.port)
