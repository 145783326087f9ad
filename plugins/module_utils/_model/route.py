# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes inside a container: as they are declared, and as the kernel holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import address
from .errors import DeclarationError
from .spec import under

UNREACHED = ("blackhole", "unreachable", "prohibit")
"""The types of a route that leads nowhere, and so has no gateway and no network."""

ROUTE_SPEC: dict[str, dict[str, Any]] = {
    "destination": {"type": "str", "required": True},
    "gateway": {"type": "str"},
    "via": {"type": "str"},
    "network": {"type": "str"},
    "metric": {"type": "int"},
    "table": {"type": "str", "default": "main"},
    "onlink": {"type": "bool", "default": False},
    "type": {"type": "str", "choices": ["unicast", *UNREACHED], "default": "unicast"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}

SPEC: dict[str, dict[str, Any]] = {
    "container": {"type": "str", "required": True},
    "routes": {"type": "list", "elements": "dict", "options": ROUTE_SPEC, "default": []},
    "purge": {"type": "bool", "default": False},
}

TABLES = {"default": 253, "main": 254}
_DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}
_METRIC = {4: 0, 6: 1024}
"""What the kernel takes for a route whose metric nobody gave."""

Key = tuple[str, int, int]
"""What tells one route of a namespace from another: destination, table, metric."""


@dataclass(frozen=True)
class LiveRoute:
    """A route of a namespace. ``network`` is the name of the network that it leaves by, never an interface.

    ``via`` is the name of the container whose address on ``network`` is the gateway, where that address
    is not known before the container has been connected; ``gateway`` is ``None`` then, and for a route
    that needs none. ``protocol`` is the kernel's number for who made it: 2 is the kernel itself.
    """

    destination: str
    gateway: str | None = None
    network: str | None = None
    metric: int = 0
    table: int = TABLES["main"]
    onlink: bool = False
    type: str = "unicast"
    via: str | None = None
    protocol: int = field(default=3, compare=False)

    @property
    def key(self) -> Key:
        return (self.destination, self.table, self.metric)

    @property
    def version(self) -> int:
        return address.version_of(self.destination)

    @property
    def is_default(self) -> bool:
        return self.destination == _DEFAULT[self.version]


@dataclass(frozen=True)
class Route:
    """A route as declared, its metric and table filled in."""

    destination: str
    gateway: str | None = None
    via: str | None = None
    network: str | None = None
    metric: int = 0
    table: int = TABLES["main"]
    onlink: bool = False
    type: str = "unicast"
    state: str = "present"
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str) -> Route:
        """The route that ``args``, which ROUTE_SPEC has accepted, declare."""

        def at(key: str) -> str:
            return under(path, key)

        destination, version = _destination(args, at("destination"))
        gateway = address.address(args["gateway"], at("gateway"), version) if args["gateway"] else None
        if gateway and args["via"]:
            raise DeclarationError(at("via"), f"gateway is {gateway} already; give one of them")
        kind = args["type"]
        for key in ("gateway", "via", "network"):
            if kind in UNREACHED and args[key]:
                raise DeclarationError(at(key), f"a route of type {kind} leads nowhere and has no {key}")
        if kind == "unicast" and args["state"] == "present" and not (gateway or args["via"] or args["network"]):
            raise DeclarationError(
                path,
                f"the route to {destination} needs a gateway (an address), via (a container) or a network",
            )
        if args["onlink"] and not (gateway and args["network"]):
            raise DeclarationError(at("onlink"), "needs a gateway and the network that it is reached on")
        metric = args["metric"] if args["metric"] is not None else _METRIC[version]
        if not 0 <= metric <= 0xFFFFFFFF:
            raise DeclarationError(at("metric"), f"expected a number from 0 to 4294967295, found {metric}")
        if metric == 0 and version == 6:
            metric = _METRIC[6]  # the kernel takes 0 for "none given"
        return cls(
            destination,
            gateway,
            args["via"] or None,
            args["network"] or None,
            metric,
            _table(args["table"], at("table")),
            args["onlink"],
            kind,
            args["state"],
            path,
        )

    @property
    def key(self) -> Key:
        return (self.destination, self.table, self.metric)

    @property
    def version(self) -> int:
        return address.version_of(self.destination)

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)


@dataclass(frozen=True)
class Routes:
    """The routes of one container as declared; ``purge`` removes every other static one but the default."""

    container: str
    routes: tuple[Route, ...] = ()
    purge: bool = False
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str = "") -> Routes:
        """The routes that ``args``, which SPEC has accepted, declare."""
        where = under(path, "routes")
        routes = tuple(Route.read(each, f"{where}[{n}]") for n, each in enumerate(args["routes"]))
        seen: dict[Key, str] = {}
        for route in routes:
            if route.key in seen:
                raise DeclarationError(
                    route.path,
                    f"the route to {route.destination} stands already at {seen[route.key]};"
                    " a second one needs another metric or table",
                )
            seen[route.key] = route.path
        if not routes and not args["purge"]:
            raise DeclarationError(where, "lists no route; without purge: true there is nothing to do")
        return cls(args["container"], routes, args["purge"], path)

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)


def _destination(args: Mapping[str, Any], path: str) -> tuple[str, int]:
    text = args["destination"]
    if text == "default":
        version = address.version_of(args["gateway"] or "0.0.0.0")
        return _DEFAULT[version], version
    if text in ("default6", "default -6"):
        raise DeclarationError(path, "the IPv6 default route is written ::/0")
    if "/" not in text:
        canonical = address.address(text, path)
        text = f"{canonical}/{128 if ':' in canonical else 32}"
    canonical = address.prefix(text, path)
    return canonical, address.version_of(canonical)


def _table(text: str, path: str) -> int:
    if text in TABLES:
        return TABLES[text]
    if text == "local" or text == "255":
        raise DeclarationError(path, "the table 'local' is the kernel's own")
    if text.isdigit() and 0 < int(text) <= 0xFFFFFFFF:
        return int(text)
    raise DeclarationError(path, f"expected main, default or a number from 1 to 4294967295, found {text!r}")
