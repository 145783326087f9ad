# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of a container: as they are declared, and as the engine holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import address, label
from .errors import DeclarationError
from .network import LiveNetwork
from .spec import texts, under

ENDPOINT_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "ipv4_address": {"type": "str"},
    "ipv6_address": {"type": "str"},
    "link_local_ips": {"type": "list", "elements": "str"},
    "aliases": {"type": "list", "elements": "str"},
    "links": {"type": "list", "elements": "str"},
    "mac_address": {"type": "str"},
    "driver_opts": {"type": "dict"},
    "gw_priority": {"type": "int"},
}

SPEC: dict[str, dict[str, Any]] = {
    "container": {"type": "str"},
    "labels": {"type": "str"},
    "networks": {"type": "list", "elements": "dict", "options": ENDPOINT_SPEC, "default": []},
    "exclusive": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}

_OF_ONE = ("ipv4_address", "ipv6_address", "link_local_ips", "mac_address")


@dataclass(frozen=True)
class Settings:
    """What an endpoint is configured with, every field known; lists without an order are sorted."""

    ipv4_address: str | None = None
    ipv6_address: str | None = None
    link_local_ips: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    mac_address: str | None = None
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    gw_priority: int = 0


@dataclass(frozen=True)
class LiveEndpoint:
    """A container's endpoint on a network as the engine holds it.

    ``network_id`` is empty where a stopped container refers to its network by name alone.
    ``ipv4`` and ``ipv6`` are the addresses in use, ``None`` while the container does not run;
    ``mac`` is the MAC address in use, whether the user asked for it or the engine drew it;
    ``gateways`` are those that the engine may make the container's default.
    """

    network_id: str
    network: str
    settings: Settings
    ipv4: str | None = None
    ipv6: str | None = None
    mac: str | None = None
    gateways: tuple[str, ...] = ()

    def is_on(self, network: LiveNetwork) -> bool:
        """Whether it refers to this network, and not to one of the same name that is gone."""
        return self.network == network.name and self.network_id in ("", network.id)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that reach it: those in use, or those it will have when its container starts."""
        both = (self.ipv4 or self.settings.ipv4_address, self.ipv6 or self.settings.ipv6_address)
        return tuple(each for each in both if each)


@dataclass(frozen=True)
class Drawn:
    """The address that an engine has yet to draw for a container on a network: it is known once the two are joined."""

    container: str
    network: str
    version: int

    def __str__(self) -> str:
        return f"{self.container} on {self.network}"


@dataclass(frozen=True)
class Published:
    """A port of a container that the host publishes on one of its addresses, ``host``."""

    protocol: str
    port: int
    host: str
    host_port: int


@dataclass(frozen=True)
class Container:
    """A container as the engine holds it; ``endpoints`` by the name of their network.

    ``network_mode`` is ``host``, ``none``, ``container:<id>`` or anything else for networks of its own;
    ``netns`` is the path of its network namespace, ``None`` while it does not run.
    """

    id: str
    name: str
    running: bool
    network_mode: str = "bridge"
    endpoints: Mapping[str, LiveEndpoint] = field(default_factory=dict)
    netns: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    """Known where the engine lists its containers alone."""
    hosts_path: str = ""
    """Where the host has the container's /etc/hosts, once it has started."""

    @property
    def shares(self) -> str | None:
        """Whose network namespace it lives in, where that is not its own."""
        mode = self.network_mode
        return mode if mode in ("host", "none") or mode.startswith("container:") else None


@dataclass(frozen=True)
class Endpoint:
    """One network of a container as declared. ``None`` is a field that is left alone."""

    name: str
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    link_local_ips: tuple[str, ...] | None = None
    aliases: tuple[str, ...] | None = None
    links: tuple[str, ...] | None = None
    mac_address: str | None = None
    driver_opts: Mapping[str, str] | None = None
    gw_priority: int | None = None
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str) -> Endpoint:
        """The endpoint that ``args``, which ENDPOINT_SPEC has accepted, declare."""

        def listed(key: str) -> tuple[str, ...] | None:
            return None if args[key] is None else tuple(sorted(set(args[key])))

        def canonical(key: str, version: int) -> str | None:
            return address.address(args[key], under(path, key), version) if args[key] else None

        link_local = args["link_local_ips"]
        if link_local is not None:
            where = under(path, "link_local_ips")
            link_local = tuple(sorted(address.address(each, f"{where}[{n}]") for n, each in enumerate(link_local)))
        return cls(
            name=args["name"],
            ipv4_address=canonical("ipv4_address", 4),
            ipv6_address=canonical("ipv6_address", 6),
            link_local_ips=link_local,
            aliases=listed("aliases"),
            links=listed("links"),
            mac_address=address.mac(args["mac_address"], under(path, "mac_address")) if args["mac_address"] else None,
            driver_opts=None if args["driver_opts"] is None else texts(args["driver_opts"], under(path, "driver_opts")),
            gw_priority=args["gw_priority"],
            path=path,
        )

    def over(self, live: Settings) -> Settings:
        """What is wanted: this declaration over what the endpoint is configured with."""
        declared = {
            key: getattr(self, key) for key in ENDPOINT_SPEC if key != "name" and getattr(self, key) is not None
        }
        return replace(live, **declared)

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)


@dataclass(frozen=True)
class Connection:
    """The networks of one container as declared; ``exclusive`` detaches it from every other.

    Without a ``container`` they are those of each one that meets the terms of ``labels``.
    """

    container: str
    networks: tuple[Endpoint, ...] = ()
    exclusive: bool = False
    state: str = "present"
    labels: tuple[label.Term, ...] = ()
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str = "") -> Connection:
        """The connection that ``args``, which SPEC has accepted, declare."""
        container, labels = args["container"], args["labels"]
        if bool(container) == bool(labels):
            found = "both" if container else "neither"
            raise DeclarationError(under(path, "container"), f"expected either container or labels, found {found}")
        where = under(path, "networks")
        networks = tuple(Endpoint.read(each, f"{where}[{n}]") for n, each in enumerate(args["networks"]))
        seen: dict[str, str] = {}
        for endpoint in networks:
            if endpoint.name in seen:
                raise DeclarationError(
                    endpoint.at("name"),
                    f"network '{endpoint.name}' is listed already, as {seen[endpoint.name]}",
                )
            seen[endpoint.name] = endpoint.path
            for key in _OF_ONE:
                if labels and getattr(endpoint, key):
                    raise DeclarationError(endpoint.at(key), "is of one container; labels may mean many")
        if args["state"] == "absent" and args["exclusive"]:
            raise DeclarationError(under(path, "exclusive"), "goes with state: present alone")
        if not networks and not args["exclusive"]:
            raise DeclarationError(where, "lists no network; without exclusive: true there is nothing to do")
        terms = label.terms(labels, under(path, "labels")) if labels else ()
        return cls(container or "", networks, args["exclusive"], args["state"], terms, path)

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)
