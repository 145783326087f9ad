# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a whole host under one name, and what is remembered of it between runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import connection as connections
from . import firewall, spec
from . import hosts_file as hosts
from . import network as networks
from . import policy as policies
from . import route as routes
from . import sysctl as sysctls
from . import tunnel as tunnels
from .connection import Connection
from .errors import DeclarationError
from .firewall import Rule
from .hosts_file import HostsFile
from .name import check_name
from .network import Network
from .policy import Policy
from .route import Key, Routes
from .sysctl import Parameter, Sysctls
from .tunnel import Tunnel

SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "networks": {"type": "list", "elements": "dict", "options": networks.SPEC, "default": []},
    "connections": {"type": "list", "elements": "dict", "options": connections.SPEC, "default": []},
    "sysctls": {"type": "list", "elements": "dict", "options": sysctls.SPEC, "default": []},
    "routes": {"type": "list", "elements": "dict", "options": routes.SPEC, "default": []},
    "policy": {"type": "dict", "options": policies.POLICY_SPEC},
    "rules": {"type": "list", "elements": "dict", "options": firewall.RULE_SPEC},
    "tunnels": {"type": "list", "elements": "dict", "options": tunnels.SPEC, "default": []},
    "prune": {"type": "bool", "default": False},
    "confirm_within": {"type": "int", "default": 0},
    "missing_containers": {"type": "str", "choices": ["report", "fail"], "default": "report"},
    "expected_containers": {"type": "list", "elements": "str", "default": []},
    "hosts_files": {"type": "list", "elements": "dict", "options": hosts.SPEC, "default": []},
}

_SHORTEST, _LONGEST = 10, 3600
DECLARED = ("networks", "connections", "sysctls", "routes", "policy", "rules", "tunnels", "hosts_files")
"""What of the arguments says how the host is to be, and is remembered."""
_CUTTING: dict[str, Any] = {"tunnels": [], "rules": None, "policy": None}
"""What of it may cut the host off, and its value where there is none."""


@dataclass(frozen=True)
class Memory:
    """What a topology once did, by names: the keeper's and ``prune``'s only source.

    ``declared`` are the arguments of the last run, ``connections`` the pairs of container and network that it
    attached, ``routes`` the containers and the keys of the routes that it set, ``networks`` those that it made with
    ``config_from``: all others tell by their label whose they are.
    """

    declared: Mapping[str, Any] = field(default_factory=dict)
    connections: frozenset[tuple[str, str]] = frozenset()
    routes: frozenset[tuple[str, Key]] = frozenset()
    networks: frozenset[str] = frozenset()
    filters: frozenset[str] = frozenset()
    """Of the packet filter: ``policy``."""
    sysctls: frozenset[tuple[str, Parameter]] = frozenset()
    """The kernel parameters that it set, each with its container's name, which is empty for the host."""
    hosts_files: bool = False
    """Whether hosts files may have a block of its own: by that it is found."""
    tunnels: frozenset[str] = frozenset()
    """Their names."""

    def disarmed(self, former: Memory | None) -> Memory:
        """This memory with all of ``former`` that could cut the host off; its networks stay, and who is on them."""
        before = former.declared if former else {}
        cutting = {key: before.get(key, nothing) for key, nothing in _CUTTING.items()}
        return replace(self, declared={**self.declared, **cutting})

    @property
    def declared_connections(self) -> frozenset[tuple[str, str]]:
        """The pairs of container and network that the last run declared, whoever attached them."""
        return frozenset(
            (each["container"], endpoint["name"])
            for each in self.declared.get("connections", ())
            if each["container"]
            for endpoint in each["networks"]
        ) | frozenset(
            (member, each["name"]) for each in self.declared.get("networks", ()) for member in each["connected"] or ()
        )


@dataclass(frozen=True)
class Topology:
    """Networks, connections, routes and rules of one host; rules that are ``None`` are left alone.

    ``expected_containers`` are those that the play starts after this call, or removes before it; with ``assumed``
    (check mode) they are taken as started, on the networks that are declared for them, or as gone.
    """

    name: str
    state: str = "present"
    networks: tuple[Network, ...] = ()
    connections: tuple[Connection, ...] = ()
    routes: tuple[Routes, ...] = ()
    sysctls: tuple[Sysctls, ...] = ()
    policy: Policy | None = None
    rules: tuple[Rule, ...] | None = None
    tunnels: tuple[Tunnel, ...] = ()
    prune: bool = False
    confirm_within: int = 0
    missing_containers: str = "report"
    expected_containers: tuple[str, ...] = ()
    assumed: bool = False
    is_kept: bool = False
    hosts_files: tuple[HostsFile, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Topology:
        """The topology that ``args``, which SPEC has accepted, declare; DeclarationError names the field."""
        name = check_name(args["name"], "name", "topology")
        topology = cls(
            name=name,
            state=args["state"],
            networks=tuple(Network.read(each, f"networks[{n}]") for n, each in enumerate(args["networks"])),
            connections=tuple(Connection.read(each, f"connections[{n}]") for n, each in enumerate(args["connections"])),
            routes=tuple(Routes.read(each, f"routes[{n}]") for n, each in enumerate(args["routes"])),
            sysctls=tuple(Sysctls.read(each, f"sysctls[{n}]") for n, each in enumerate(args["sysctls"])),
            policy=Policy.read(args["policy"], "policy", name) if args["policy"] else None,
            rules=None if args["rules"] is None else firewall.read_rules(args["rules"]),
            tunnels=tuple(Tunnel.read(each, f"tunnels[{n}]") for n, each in enumerate(args["tunnels"])),
            prune=args["prune"],
            confirm_within=_seconds(args["confirm_within"]),
            missing_containers=args["missing_containers"],
            expected_containers=tuple(args["expected_containers"]),
            hosts_files=tuple(HostsFile.read(each, f"hosts_files[{n}]") for n, each in enumerate(args["hosts_files"])),
            arguments={key: args[key] for key in DECLARED},
        )
        topology._check()
        return topology

    @classmethod
    def recalled(cls, name: str, memory: Memory) -> Topology:
        """What a topology declared when it was applied last; DeclarationError where this version cannot read it."""
        return cls.read(spec.read(SPEC, {"name": name, **memory.declared}))

    def settled(self) -> Topology:
        """This declaration once it has been carried out.

        A keeper does not write hosts files twice in one look: a container that overwrites its own gets no further.
        """
        files = () if self.is_kept else self.hosts_files
        return replace(self, networks=tuple(each.settled() for each in self.networks), hosts_files=files)

    def foreseen(self) -> Topology:
        """This declaration as check mode plans it: with the containers that the play would have started."""
        return replace(self, assumed=True)

    def kept(self) -> Topology:
        """This declaration as the keeper brings it about.

        It was right when it was declared: what others have made impossible since is left out, and told. And of its own
        accord a keeper cuts nobody.
        """
        networks = tuple(replace(each, recreate="never", force=False) for each in self.networks)
        return replace(self, networks=networks, prune=False, is_kept=True)

    def _check(self) -> None:
        _once("network", ((each.name, each.at("name")) for each in self.networks))
        _once("container", ((each.container, each.at("container")) for each in self.connections if each.container))
        _once("container", ((each.container, each.at("container")) for each in self.routes))
        _once("tunnel", ((each.name, each.at("name")) for each in self.tunnels))
        _once(
            "the way to",
            (
                (subnet, f"{peer.path}.subnets[{n}]")
                for tunnel in self.tunnels
                for peer in tunnel.peers
                if peer.route
                for n, subnet in enumerate(peer.subnets)
            ),
        )
        _once(
            "kernel parameter",
            (
                (f"{each.key} in {item.container}" if item.container else str(each.key), each.path)
                for item in self.sysctls
                for each in item.settings
            ),
        )
        taken: dict[tuple[str, str], str] = {}
        gone = {each.name: each.at("state") for each in self.networks if each.state == "absent"}
        for connection in self.connections:
            for endpoint in connection.networks:
                if endpoint.name in gone and connection.state == "present":
                    raise DeclarationError(
                        endpoint.at("name"), f"network '{endpoint.name}' is absent, by {gone[endpoint.name]}"
                    )
                for key in ("ipv4_address", "ipv6_address", "mac_address"):
                    value = getattr(endpoint, key)
                    if value is None or connection.state == "absent":
                        continue
                    earlier = taken.setdefault((endpoint.name, value), endpoint.at(key))
                    if earlier != endpoint.at(key):
                        raise DeclarationError(
                            endpoint.at(key),
                            f"{value} is taken on network '{endpoint.name}' already, by {earlier}",
                        )


def _seconds(given: int) -> int:
    if given and not _SHORTEST <= given <= _LONGEST:
        raise DeclarationError("confirm_within", f"expected {_SHORTEST} to {_LONGEST} seconds, or 0, found {given}")
    return given


def _once(kind: str, named: Any) -> None:
    seen: dict[str, str] = {}
    for name, path in named:
        if name in seen:
            raise DeclarationError(path, f"{kind} '{name}' is declared already, as {seen[name]}")
        seen[name] = path
