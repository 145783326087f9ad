# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as it was observed, or as it will be once a plan has been carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from .connection import Container, LiveEndpoint
from .engine import Engine
from .errors import DeclarationError, NotThere
from .hosts_file import LiveHostsFile
from .journal import Journal
from .live_tunnel import LiveTunnel, Way
from .network import LiveNetwork
from .packet_filter import PacketFilter, Ruleset
from .passage import Passage
from .policy import Table
from .route import LiveRoute
from .spec import near
from .sysctl import Space
from .topology import Memory


@dataclass(frozen=True)
class HostPrefix:
    """A subnet that the host itself reaches: by a route or as an address of an interface."""

    subnet: str
    interface: str
    what: str


@dataclass(frozen=True)
class Scope:
    """What a look at a host should fetch at once: containers by name or ID, and those whose routes matter.

    Of ``networks``, all containers on them.
    """

    containers: frozenset[str] = frozenset()
    routed: frozenset[str] = frozenset()
    everything: bool = False
    networks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class BridgeFilter:
    """How the host's packet filter comes to see what passes a bridge.

    ``versions`` are the IP versions that br_netfilter shows it; ``former`` those that it did before it was us who
    switched it on, if it was. ``has_conntrack`` asks the kernel for nf_conntrack_bridge, with which none is needed.
    """

    versions: AbstractSet[int] = frozenset((4, 6))
    former: AbstractSet[int] | None = None
    has_conntrack: Callable[[], bool] = field(default=lambda: False, compare=False)


@dataclass(frozen=True)
class World:
    """Networks, containers and routes of a host by full ID.

    ``containers`` and ``routes`` may be lazy mappings: a planner that does not look costs nothing.
    """

    engine: Engine
    networks: Mapping[str, LiveNetwork] = field(default_factory=dict)
    containers: Mapping[str, Container] = field(default_factory=dict)
    residents: Mapping[str, Container] = field(default_factory=dict)
    """The same containers as one list of the engine tells of them all: labels, and addresses now or once started."""
    routes: Mapping[str, tuple[LiveRoute, ...]] = field(default_factory=dict)
    macs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The MAC addresses that running containers use, by full ID and then by network: the engine may not know."""
    sysctls: Mapping[str, Space] = field(default_factory=dict)
    """By full ID, and the host's own."""
    prefixes: Iterable[HostPrefix] = ()
    journals: Mapping[str, Journal] = field(default_factory=dict)
    passages: Mapping[str, tuple[Passage, ...]] = field(default_factory=dict)
    """By the topology that holds them."""
    policies: Mapping[str, Table] = field(default_factory=dict)
    bridge_filter: BridgeFilter = field(default_factory=BridgeFilter)
    sessions: Iterable[tuple[str, int]] = ()
    """Who is logged in on the host by ssh: the peer's address and the host's port."""
    rulesets: Mapping[str, Ruleset] = field(default_factory=dict)
    """By the chain that holds them."""
    packet_filter: PacketFilter = field(default_factory=PacketFilter)
    tunnels: Mapping[str, LiveTunnel] = field(default_factory=dict)
    """Those that the collection has made, by name."""
    way: Way = field(default_factory=Way)
    memories: Mapping[str, Memory] = field(default_factory=dict)
    unconfirmed: Collection[str] = ()
    """The topologies that are brought back to what they were, unless somebody confirms what they are."""
    kept: bool = False
    """Whether a keeper runs on the host, and brings back what topologies have declared."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Names of containers to their IDs: known without a look at each container."""
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """IDs of the containers, running or not, that refer to a network, by the network's name."""
    hosts_files: Mapping[str, LiveHostsFile] = field(default_factory=dict)
    """Of running containers, by full ID."""

    def network(self, reference: str) -> LiveNetwork | None:
        """The network of this name or ID."""
        for network in self.networks.values():
            if network.name == reference:
                return network
        return self.networks.get(_by_id(reference, self.networks) or "")

    def require_network(self, reference: str, path: str) -> LiveNetwork:
        """The network of this name or ID; DeclarationError with the near matches where there is none."""
        network = self.network(reference)
        if network is None:
            known = [each.name for each in self.networks.values()]
            raise DeclarationError(path, f"there is no network '{reference}'; {near(reference, known)}")
        return network

    def container_id(self, reference: str) -> str | None:
        """The full ID of the container of this name or ID."""
        reference = reference.lstrip("/")
        return self.names.get(reference) or _by_id(reference, self.names.values())

    def container(self, reference: str) -> Container | None:
        """The container of this name or ID."""
        found = self.container_id(reference)
        return self.containers[found] if found else None

    def require_container(self, reference: str, path: str) -> Container:
        """The container of this name or ID; DeclarationError with the near matches where there is none."""
        return self.containers[self.require_container_id(reference, path)]

    def require_container_id(self, reference: str, path: str) -> str:
        """The full ID of the container of this name or ID; NotThere with the near matches where there is none."""
        found = self.container_id(reference)
        if found is None:
            raise NotThere(path, reference, "does not exist", f"; {near(reference, self.names)}")
        return found

    def known_residents(self) -> Iterable[Container]:
        """All containers, by their names."""
        return (self.residents[self.names[each]] for each in sorted(self.names))

    def endpoints_on(self, network: LiveNetwork) -> dict[str, LiveEndpoint]:
        """The endpoints that refer to ``network`` by name, of running and stopped containers, by container ID."""
        return {
            each: self.containers[each].endpoints[network.name]
            for each in self.members.get(network.name, ())
            if network.name in self.containers[each].endpoints
        }


def _by_id(reference: str, ids: Iterable[str]) -> str | None:
    """The one ID that begins with ``reference``; engines take any unique beginning, we ask for four digits."""
    if len(reference) < 4 or not all(each in "0123456789abcdef" for each in reference):
        return None
    found = [each for each in ids if each.startswith(reference)]
    return found[0] if len(found) == 1 else None
