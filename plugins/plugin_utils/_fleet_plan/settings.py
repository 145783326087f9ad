# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the role declare of the fleet as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model import address
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.host_port import HostPort
from ansible_collections.breakwater.docker.plugins.module_utils._model.name import check_name
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import read, under
from ansible_collections.breakwater.docker.plugins.module_utils._model.tunnel import (
    LARGEST_MTU,
    SMALLEST_MTU,
    check_public_key,
)

from .words import DIRECT, HUB, KEEPALIVE, MESH, SITES, VXLAN, WIREGUARD, variable

PEER_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "public_key": {"type": "str", "required": True},
    "endpoint": {"type": "str"},
    "subnets": {"type": "list", "elements": "str", "required": True},
    "keepalive": {"type": "int"},
    "at": {"type": "list", "elements": "str"},
}
SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "default": "fleet"},
    "backend": {"type": "str", "choices": [WIREGUARD, VXLAN, DIRECT], "default": WIREGUARD},
    "layout": {"type": "str", "choices": [MESH, HUB, SITES], "default": MESH},
    "port": {"type": "int", "default": 51820},
    "pool": {"type": "str", "default": ""},
    "prefix": {"type": "int", "default": 24},
    "network": {"type": "str", "default": ""},
    "mtu": {"type": "int", "default": 0},
    "preshared": {"type": "bool", "default": False},
    "generation": {"type": "int", "default": 1},
    "peers": {"type": "list", "elements": "dict", "options": PEER_SPEC, "default": []},
    "absent": {"type": "list", "elements": "str", "default": []},
    "policy": {"type": "dict", "default": {}},
}
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,13}")


@dataclass(frozen=True)
class Outside:
    """A peer that nobody manages: a cloud's gateway, a laptop. ``at`` are the members that speak to it, if declared.

    ``keepalive``, in seconds, is what its own configuration says: by default it keeps the way open if nobody calls it.
    """

    name: str
    public_key: str
    endpoint: HostPort | None
    subnets: tuple[str, ...]
    keepalive: int
    at: tuple[str, ...] | None
    path: str


@dataclass(frozen=True)
class Settings:
    """What is declared of the fleet; an empty ``pool`` gives no subnets, ``mtu`` 0 is derived from the paths."""

    name: str
    backend: str
    layout: str
    port: int
    pool: str
    prefix: int
    network: str
    mtu: int
    preshared: bool
    generation: int
    peers: tuple[Outside, ...]
    absent: frozenset[str]
    policy: Mapping[str, Any]

    @classmethod
    def read(cls, given: Any) -> Settings:
        """The settings that ``given``, by the variables' names without their prefix, declare."""
        if not isinstance(given, Mapping):
            raise DeclarationError("", f"expected a dictionary of settings, found {given!r}")
        named = {variable(str(key)): value for key, value in given.items()}
        args = read({variable(key): option for key, option in SPEC.items()}, named)
        args = {key: args[variable(key)] for key in SPEC}
        if not _NAME.fullmatch(args["name"]):
            raise DeclarationError(
                variable("name"), f"{args['name']!r} names no interface: a letter, then up to 13 letters, digits, '_-'"
            )
        if not 1 <= args["port"] <= 65534:
            raise DeclarationError(variable("port"), f"expected a port from 1 to 65534, found {args['port']}")
        if args["generation"] < 1:
            raise DeclarationError(variable("generation"), f"is counted from 1, found {args['generation']}")
        if args["mtu"] and not SMALLEST_MTU <= args["mtu"] <= LARGEST_MTU:
            raise DeclarationError(
                variable("mtu"),
                f"expected {SMALLEST_MTU} to {LARGEST_MTU} bytes, or 0 to derive it, found {args['mtu']}",
            )
        for key in ("preshared", "peers"):
            if args[key] and args["backend"] != WIREGUARD:
                raise DeclarationError(variable(key), f"goes with backend: wireguard, not with {args['backend']}")
        if args["layout"] != MESH and args["backend"] == DIRECT:
            raise DeclarationError(
                variable("layout"), "of backend: direct is mesh: hosts of one LAN need nobody between"
            )
        peers = tuple(_outside(each, f"{variable('peers')}[{n}]") for n, each in enumerate(args["peers"]))
        seen: dict[str, str] = {}
        for peer in peers:
            if peer.name in seen:
                raise DeclarationError(
                    under(peer.path, "name"), f"peer '{peer.name}' is declared already, as {seen[peer.name]}"
                )
            seen[peer.name] = peer.path
        return cls(
            **{
                **args,
                "pool": _pool(args["pool"], args["prefix"]),
                "network": args["network"] or args["name"],
                "peers": tuple(each for each in peers if each.name not in args["absent"]),
                "absent": frozenset(args["absent"]),
                "policy": _plain(args["policy"]),
            }
        )

    @property
    def is_wireguard(self) -> bool:
        """Whether there are keys."""
        return self.backend == WIREGUARD

    @property
    def step(self) -> int:
        """0 or 1: which of the fleet's two interfaces, and of its two ports, is that of this generation."""
        return self.generation % 2 if self.is_wireguard else 0

    @property
    def interfaces(self) -> tuple[str, str]:
        """The names of the fleet's interfaces: those of even generations, and of odd ones."""
        return f"{self.name}0", f"{self.name}1"

    @property
    def interface(self) -> str:
        """The interface of this generation."""
        return self.interfaces[self.step]

    @property
    def key(self) -> str:
        """The name under which a host keeps its key of this generation."""
        return f"{self.name}-{self.generation}"


def subnets(given: list[str], path: str) -> tuple[str, ...]:
    """Subnets in canonical form; DeclarationError names the one that is wrong."""
    return tuple(dict.fromkeys(address.prefix(each, f"{path}[{n}]") for n, each in enumerate(given)))


def _plain(value: Any) -> Any:
    """``value`` in dictionaries and lists of its own: those of Ansible's variables are filled in as they are read."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _outside(args: Mapping[str, Any], path: str) -> Outside:
    if not args["subnets"]:
        raise DeclarationError(under(path, "subnets"), "lists none; nothing would ever go to this peer")
    endpoint = HostPort.read(args["endpoint"], under(path, "endpoint")) if args["endpoint"] else None
    keepalive = args["keepalive"]
    if keepalive is None:
        keepalive = 0 if endpoint else KEEPALIVE
    if not 0 <= keepalive <= 65535:
        raise DeclarationError(under(path, "keepalive"), f"expected 0 to 65535 seconds, found {keepalive}")
    return Outside(
        name=check_name(args["name"], under(path, "name"), "peer"),
        public_key=check_public_key(args["public_key"], under(path, "public_key")),
        endpoint=endpoint,
        subnets=subnets(args["subnets"], under(path, "subnets")),
        keepalive=keepalive,
        at=None if args["at"] is None else tuple(dict.fromkeys(args["at"])),
        path=path,
    )


def _pool(text: str, prefix: int) -> str:
    if not text:
        return ""
    pool = ip_network(address.prefix(text, variable("pool")))
    most = pool.max_prefixlen - 2
    if not pool.prefixlen <= prefix <= most:
        raise DeclarationError(
            variable("prefix"), f"expected {pool.prefixlen} to {most} for subnets of pool {pool}, found {prefix}"
        )
    return str(pool)
