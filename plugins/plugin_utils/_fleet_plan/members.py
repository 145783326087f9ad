# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the fleet, and what is known of each: by its own fact, by its variables, by what others remember."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model import address
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.host_port import HostPort
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import near, read, under
from ansible_collections.breakwater.docker.plugins.module_utils._model.tunnel import check_public_key

from .seen import Seen
from .settings import Settings, subnets
from .words import variable

HOST_SPEC: dict[str, dict[str, Any]] = {
    "endpoint": {"type": "str"},
    "subnets": {"type": "list", "elements": "str", "default": []},
    "nat": {"type": "bool", "default": False},
    "hub": {"type": "bool", "default": False},
    "site": {"type": "str", "default": ""},
    "leader": {"type": "bool", "default": False},
    "networks": {"type": "list", "elements": "str", "default": []},
    "names": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "seen": {"type": "raw"},
    "public_keys": {"type": "dict", "default": {}},
}
_SPEC = {variable(key): option for key, option in HOST_SPEC.items()}
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?", re.IGNORECASE)


@dataclass(frozen=True)
class Member:
    """A host of the inventory's group, as its own variables and its own fact have it.

    ``declared`` are the subnets of the fleet's network there that its variable says, ``joined`` those of the existing
    networks that it brings in. ``names`` are the addresses of its containers by the names that others may use.
    """

    name: str
    endpoint: HostPort
    declared: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    nat: bool = False
    hub: bool = False
    site: str = ""
    leader: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    seen: Seen | None = None

    @classmethod
    def read(cls, name: str, variables: Mapping[str, Any], settings: Settings) -> Member | None:
        """The member of these ``variables`` of a host; None where its state is absent."""
        path = f"hostvars.{name}"
        # Asked for one by one: each look into hostvars is templated, and a host has hundreds of variables.
        given = {key: variables[key] for key in _SPEC if key in variables}
        read_ = read(_SPEC, given, path)
        args = {key: read_[variable(key)] for key in HOST_SPEC}
        if args["state"] == "absent":
            return None

        def at(key: str) -> str:
            return under(path, variable(key))

        where = at("endpoint")
        endpoint = args["endpoint"]
        if not endpoint:
            where, endpoint = f"{path}.ansible_host", str(variables.get("ansible_host") or name)
        found = HostPort.read(endpoint, where)
        if found.port == 65535:
            raise DeclarationError(where, "expected a port from 1 to 65534, for the next keys take the one after it")
        _check_backend(found, args, settings, where, at)
        seen = Seen.read(args["seen"], settings.interfaces, at("seen"))
        return cls(
            name=name,
            endpoint=found,
            declared=subnets(args["subnets"], at("subnets")),
            joined=tuple(_joined(args["networks"], seen, settings, at("networks"))),
            networks=tuple(args["networks"]),
            nat=args["nat"],
            hub=args["hub"],
            site=args["site"],
            leader=args["leader"],
            names={each: _named(each, one, at("names")) for each, one in args["names"].items()},
            keys=_keys(seen, args["public_keys"], at) if settings.is_wireguard else {},
            seen=seen,
        )

    @property
    def path(self) -> str:
        """Where it is declared."""
        return f"hostvars.{self.name}"

    def at(self, key: str) -> str:
        """The path of its variable for ``key``."""
        return under(self.path, variable(key))

    def network_subnets(self, network: str) -> tuple[str, ...]:
        """The subnets of the fleet's ``network`` there, as far as the host itself tells."""
        if self.declared or self.seen is None:
            return self.declared
        there = self.seen.network_subnets(network)
        if there:
            return there
        remembered = (each for tunnel in self.seen.tunnels.values() for each in tunnel.get("subnets") or ())
        return tuple(dict.fromkeys(each for each in remembered if each not in self.joined))


@dataclass
class Memory:
    """What tunnels of others hold of a peer: its keys by name, its endpoint, and what every one of them sends to it.

    ``by`` are the hosts of those tunnels.
    """

    keys: dict[str, str] = field(default_factory=dict)
    endpoint: str | None = None
    subnets: dict[str, None] = field(default_factory=dict)
    by: list[str] = field(default_factory=list)


def memories(members: Iterable[Member], known: frozenset[str]) -> dict[str, Memory]:
    """What ``members`` remember of peers that are not ``known`` from elsewhere, by name."""
    found: dict[str, Memory] = {}
    for member in members:
        for tunnel, peer in member.seen.peers() if member.seen else ():
            name = peer["name"]
            if name in known:
                continue
            memory = found.get(name)
            if memory is None:
                memory = found[name] = Memory(subnets=dict.fromkeys(peer["subnets"]))
            elif member.name not in memory.by:
                # A hub's or a leader's peers send it what is of others too: its own is what all of them agree on.
                memory.subnets = {each: None for each in memory.subnets if each in set(peer["subnets"])}
            memory.by += [member.name] if member.name not in memory.by else []
            memory.endpoint = memory.endpoint or peer.get("endpoint")
            if tunnel.get("key") and peer.get("public_key"):
                memory.keys.setdefault(tunnel["key"], peer["public_key"])
    return found


def _check_backend(endpoint: HostPort, args: Mapping[str, Any], settings: Settings, where: str, at: Any) -> None:
    if settings.is_wireguard:
        return
    if args["nat"]:
        raise DeclarationError(at("nat"), f"goes with backend: wireguard; {settings.backend} cannot be called back")
    if not endpoint.is_address or endpoint.port:
        raise DeclarationError(
            where,
            f"backend: {settings.backend} needs an address without a port, found {endpoint.host!r}; say it in"
            f" {variable('endpoint')}",
        )


def _joined(networks: list[str], seen: Seen | None, settings: Settings, path: str) -> Iterable[str]:
    """The subnets of existing networks; while nothing was seen of the host, others may remember them."""
    for n, name in enumerate(networks if seen else ()):
        if name == settings.network:
            raise DeclarationError(f"{path}[{n}]", f"'{name}' is the fleet's own network, which is in it anyway")
        if seen and name not in seen.networks:
            raise DeclarationError(
                f"{path}[{n}]", f"the host has no network '{name}' to bring in; {near(name, seen.networks)}"
            )
        yield from seen.network_subnets(name) if seen else ()


def _keys(seen: Seen | None, declared: Mapping[str, Any], at: Any) -> dict[str, str]:
    """The host's public keys by name: what it was seen to keep counts before what is declared of it."""
    found = {}
    for key, source in (("public_keys", declared), ("seen", seen.public_keys if seen else {})):
        path = at(key) if key == "public_keys" else f"{at(key)}.public_keys"
        found.update({name: check_public_key(str(each), under(path, name)) for name, each in source.items()})
    return found


def _named(name: Any, given: Any, path: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DeclarationError(path, f"{name!r} is no host name")
    return address.address(str(given), under(path, name))
