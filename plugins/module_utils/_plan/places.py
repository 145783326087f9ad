# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the ends of rules are: the sets that rules match by, for each version of IP, and who is not there yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .._model import address
from .._model.connection import Container
from .._model.errors import DeclarationError, NotThere
from .._model.firewall import End, Rule
from .._model.network import LiveNetwork
from .._model.packet_filter import Element, Subnets, set_name
from .._model.step import Pending
from .._model.world import World
from . import whereabouts

_UNSEEN = ("macvlan", "ipvlan", "overlay", "host", "null")
"""The drivers of networks whose packets the host's FORWARD never sees."""


class Places:
    """Where the ends of rules are on a world: their versions, their sets, and who is not there."""

    def __init__(self, chain: str, world: World) -> None:
        self.chain = chain
        self._world = world
        self._known: dict[End, Mapping[int, frozenset[Element]]] = {}
        self.sets: dict[str, frozenset[Element]] = {}
        self.missing: dict[str, NotThere] = {}
        self.waiting: dict[str, Pending] = {}

    def versions(self, rule: Rule) -> list[int]:
        """The IP versions that a rule has a meaning in; DeclarationError where there is none."""
        found = {4, 6} if rule.version == 0 else {rule.version}
        for key in ("source", "destination"):
            end = getattr(rule, key)
            has = {*self._of(end, rule.at(key))} if end and end.kind not in ("cidr", "host") else {4, 6}
            if not found & has:
                both = " and ".join(f"IPv{each}" for each in sorted(has)) or "neither IPv4 nor IPv6"
                raise DeclarationError(
                    rule.at(key), f"'{end.value or end.kind}' has {both}, the rest of the rule IPv{min(found)} alone"
                )
            found &= has
        return sorted(found)

    def set_of(self, end: End, version: int, path: str) -> str:
        """The name of the set that holds the addresses of an end."""
        name = set_name(self.chain, end, version)
        self.sets[name] = self._of(end, path)[version]
        return name

    def _of(self, end: End, path: str) -> Mapping[int, frozenset[Element]]:
        if end not in self._known:
            if end.kind == "container":
                self._known[end] = self._container(end.value, path)
            elif end.kind == "network":
                self._known[end] = _network(self._world.require_network(end.value, path), path)
            else:
                self._known[end] = _inner(self._world)
        return self._known[end]

    def _container(self, reference: str, path: str) -> Mapping[int, frozenset[Element]]:
        world = self._world
        container_id = world.container_id(reference)
        if container_id is None:
            try:
                world.require_container(reference, path)
            except NotThere as missing:
                self.missing[reference] = missing
            return {4: frozenset(), 6: frozenset()}
        container = world.residents.get(container_id) or world.containers[container_id]
        if container.shares:
            raise DeclarationError(path, _shared(container))
        seen = [name for name in container.endpoints if not _is_unseen(world.network(name))]
        if container.endpoints and not seen:
            raise DeclarationError(
                path,
                f"container '{container.name}' is on {', '.join(sorted(container.endpoints))} alone:"
                " what is sent there does not pass the host's FORWARD, and so not DOCKER-USER",
            )
        found: dict[int, set[Element]] = {
            version: set()
            for name in seen
            if (network := world.network(name)) is not None
            for version in whereabouts.versions(network)
        } or {4: set(), 6: set()}
        for name in seen:
            # Who does not run comes back to its fixed addresses: what is closed to it must be so by then.
            places: Iterable[Element] = container.endpoints[name].addresses
            if container.running:
                places = whereabouts.on_network(container, name, world)
            for each in places:
                version = address.version_of(each) if isinstance(each, str) else each.version
                found.setdefault(version, set()).add(each)
        if not container.running and not any(found.values()):
            self.waiting[reference] = Pending(container.name, path, "is not running and has no fixed address")
        return {version: frozenset(each) for version, each in found.items()}


def _is_unseen(network: LiveNetwork | None) -> bool:
    return network is not None and network.definition.driver in _UNSEEN


def _shared(container: Container) -> str:
    if container.shares == "host":
        return (
            f"container '{container.name}' has the host's network, whose packets pass INPUT and OUTPUT;"
            " DOCKER-USER does not see them"
        )
    if container.shares == "none":
        return f"container '{container.name}' has no network (network_mode none)"
    return f"container '{container.name}' has the network of another container ({container.shares}); name that one"


def _network(network: LiveNetwork, path: str) -> Mapping[int, frozenset[Element]]:
    if _is_unseen(network):
        raise DeclarationError(
            path,
            f"network '{network.name}' is a {network.definition.driver} network: its packets do not pass the host's"
            " FORWARD, and so not DOCKER-USER",
        )
    return {version: frozenset(_subnets(network, version)) for version in whereabouts.versions(network)}


def _inner(world: World) -> Mapping[int, frozenset[Element]]:
    """The subnets of all bridge networks: whatever is outside of them is the world."""
    found: dict[int, set[Element]] = {4: set(), 6: set()}
    for network in world.networks.values():
        if network.definition.driver == "bridge" and not network.definition.config_only:
            for version in whereabouts.versions(network):
                found[version].update(_subnets(network, version))
    return {version: frozenset(each) for version, each in found.items()}


def _subnets(network: LiveNetwork, version: int) -> list[Element]:
    known: list[Element] = [each for each in network.definition.subnets if address.version_of(each) == version]
    return known or [Subnets(network.name, version)]
