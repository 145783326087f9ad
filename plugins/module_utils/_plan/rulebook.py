# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a policy read on a host: who is meant, and what is allowed from one end to one end.

A line becomes elements of the table's sets, and elements become lines again, by which a person knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from typing import Any

from .._model import address, boxes, label
from .._model.connection import Container, Drawn
from .._model.errors import DeclarationError, NotThere
from .._model.network import LiveNetwork
from .._model.policy import HOST, WORLD, Allowed, Element, End, Entry, Ports, Selector
from .._model.world import World
from . import whereabouts

Waits = Callable[[NotThere, str], None]
"""What is done about a container that an entry names and that is not there; the text says what waits for it."""


def passed_over(_missing: NotThere, _what: str) -> None:
    """Who is not there has no address that could be allowed."""


@dataclass(frozen=True)
class _Found:
    """What a selector means on a host: the ends, and the containers among them."""

    selector: Selector
    ends: tuple[End, ...]
    members: tuple[Container, ...] = ()


class Rulebook:
    """The entries of a policy as lines from one end to one end.

    ``early`` is the moment before containers are connected: addresses on networks that are not governed may be left
    yet, and nobody asks for a way between the two ends.
    """

    def __init__(self, networks: list[LiveNetwork], world: World, waits: Waits, early: bool = False) -> None:
        self.warnings: list[str] = []
        self._networks = {each.name: each for each in networks}
        self._world = world
        self._waits = waits
        self._early = early

    def lines(self, entry: Entry) -> Iterator[Allowed]:
        """What ``entry`` allows; DeclarationError where it says what cannot be."""
        sources = [self._found(each, entry) for each in entry.sources]
        destinations = [self._found(each, entry) for each in entry.destinations]
        if not self._early:
            if not any(self._is_governed(each) for each in (*sources, *destinations)):
                listed = ", ".join(self._networks)
                raise DeclarationError(
                    entry.path, f"neither end is on a network that the policy governs; it governs {listed}"
                )
            for source in sources:
                for destination in destinations:
                    self._check_way(source, destination)
        return self._product(sources, destinations, entry)

    def product(self, entry: Entry) -> Iterator[Allowed]:
        """What ``entry`` allows, whether that can be or not."""
        sources, destinations = ([self._found(each, entry) for each in ends] for ends in entry.ends)
        return self._product(sources, destinations, entry)

    def governs(self, entry: Entry) -> bool:
        """Whether an end of ``entry`` is on a governed network."""
        return any(self._is_governed(self._found(each, entry)) for ends in entry.ends for each in ends)

    def _product(self, sources: list[_Found], destinations: list[_Found], entry: Entry) -> Iterator[Allowed]:
        receivers = dict.fromkeys(end for each in destinations for end in each.ends)
        for source in dict.fromkeys(end for each in sources for end in each.ends):
            for destination in receivers:
                if _fit(source, destination):
                    yield from (Allowed(source, destination, ports) for ports in entry.ports)

    def _found(self, selector: Selector, entry: Entry) -> _Found:
        if selector.kind in (HOST, WORLD):
            return _Found(selector, (End(selector.kind),))
        if selector.kind == "cidr":
            return _Found(selector, tuple(End(str(selector), each) for each in _remaining(selector)))
        if selector.kind == "network":
            return _Found(selector, tuple(self._of_network(selector)))
        members = tuple(self._members(selector, entry))
        ends = (
            End(each.name, where)
            for each in members
            for name in sorted(each.endpoints)
            if name in self._networks or not self._early
            for where in whereabouts.on_network(each, name, self._world)
        )
        return _Found(selector, tuple(ends), members)

    def _of_network(self, selector: Selector) -> list[End]:
        network = self._world.require_network(selector.value, selector.path)
        check_governable(network, selector.path)
        if not network.definition.subnets:
            return [End(network.name, Drawn(network.name, network.name, 4))]
        return [End(network.name, each) for each in network.definition.subnets]

    def _members(self, selector: Selector, entry: Entry) -> list[Container]:
        if selector.kind == "container":
            try:
                return [self._named(selector)]
            except NotThere as missing:
                self._waits(missing, entry.path)
                return []
        found = [
            each
            for each in self._world.known_residents()
            if each.running
            and not self._networks.keys().isdisjoint(each.endpoints)
            and label.match(selector.terms, each.labels)
        ]
        if not found:
            among = ", ".join(self._networks)
            self.warnings.append(f"{selector.path}: no running container on {among} has the labels {selector.value!r}")
        return found

    def _named(self, selector: Selector) -> Container:
        world, path = self._world, selector.path
        found = world.residents[world.require_container_id(selector.value, path)]
        if found.shares == "host":
            raise DeclarationError(path, f"container '{found.name}' lives in the host's network; it is 'host'")
        if found.shares and found.shares != "none":
            owner = world.residents.get(found.shares.partition(":")[2])
            raise DeclarationError(
                path,
                f"container '{found.name}' lives in the network of container"
                f" '{owner.name if owner else found.shares}'; name that one",
            )
        if not found.running:
            raise NotThere(path, found.name, "is not running")
        outside = [
            f"{name} ({network.definition.driver})"
            for name in sorted(found.endpoints)
            if (network := world.network(name)) is not None and network.bridge is None
        ]
        if outside and len(outside) == len(found.endpoints):
            raise DeclarationError(
                path,
                f"container '{found.name}' is on {', '.join(outside)} alone,"
                " whose packets do not pass the host's packet filter",
            )
        return found

    def _is_governed(self, found: _Found) -> bool:
        """Whether ``found`` has to do with a governed network; a container that is waited for may have."""
        kind = found.selector.kind
        if kind == "labels" or (kind == "container" and not found.members):
            return True
        if kind == "network":
            return bool({end.name for end in found.ends} & self._networks.keys())
        if any(not self._networks.keys().isdisjoint(each.endpoints) for each in found.members):
            return True
        subnets = [subnet for each in self._networks.values() for subnet in each.definition.subnets]
        return any(
            isinstance(end.where, str) and address.overlap(end.where, each) for end in found.ends for each in subnets
        )

    def _check_way(self, source: _Found, destination: _Found) -> None:
        """DeclarationError where containers are allowed to talk that no network and no route joins."""
        pairs = ((one, other) for one in source.members for other in destination.members if one.id != other.id)
        first = None
        for one, other in pairs:
            first = first or (one, other)
            if self._has_way(one, other):
                return
        if first is not None:
            one, other = first
            raise DeclarationError(
                destination.selector.path,
                f"container '{one.name}' ({_on(one)}) has no way to '{other.name}' ({_on(other)}): connect '{one.name}'"
                f" to {' or '.join(sorted(other.endpoints)) or 'a network'}, or give it a route by a container on both",
            )

    def _has_way(self, one: Container, other: Container) -> bool:
        if set(one.endpoints) & set(other.endpoints):
            return True
        theirs = [each for each in whereabouts.addresses(other, self._world) if isinstance(each, str)]
        drawn = [each for each in whereabouts.addresses(other, self._world) if isinstance(each, Drawn)]
        theirs += [
            subnet
            for each in drawn
            if (network := self._world.network(each.network)) is not None
            for subnet in network.definition.subnets
        ]
        return any(
            route.type == "unicast"
            and (route.via or route.gateway in self._gateways())
            and any(address.overlap(each, route.destination) for each in theirs)
            for route in self._world.routes.get(one.id, ())
        )

    def _gateways(self) -> set[str]:
        """The addresses of all containers: a route by one of them leads elsewhere than to the host."""
        return {
            found
            for each in self._world.known_residents()
            for end in each.endpoints.values()
            for found in end.addresses
        }


def _on(container: Container) -> str:
    return f"on {', '.join(sorted(container.endpoints))}" if container.endpoints else "on no network"


def _fit(source: End, destination: End) -> bool:
    """Whether packets can go from one end to the other: of one IP version, and not from an address to itself."""
    versions = {whereabouts.version_of(each.where) for each in (source, destination) if each.where is not None}
    return len(versions) == 1 and not (source == destination and _is_one(source))


def _is_one(end: End) -> bool:
    """Whether an end is a single address."""
    if not isinstance(end.where, str):
        return True
    low, high = boxes.span(end.where)
    return low == high


def _remaining(selector: Selector) -> Iterator[str]:
    """What a CIDR leaves when its exceptions are taken out, as subnets."""
    version = address.version_of(selector.value)
    excepted: list[Element] = [(boxes.span(each),) for each in selector.excepted]
    for ((low, high),) in boxes.left((boxes.span(selector.value),), excepted):
        yield from (str(each) for each in summarize_address_range(_address(low, version), _address(high, version)))


def check_governable(network: LiveNetwork, path: str) -> None:
    if network.bridge is None:
        raise DeclarationError(
            path,
            f"network '{network.name}' is of driver {network.definition.driver}, whose packets do not pass"
            " the host's packet filter; name the bridge networks that the policy is to govern",
        )


def elements_of(line: Allowed) -> Iterator[tuple[str, Element]]:
    """The elements that allow ``line``, each with the name of its set; none while an address has yet to be drawn."""
    source, destination = line.source.where, line.destination.where
    if isinstance(source, Drawn) or isinstance(destination, Drawn):
        return
    subnets = [each for each in (source, destination) if each is not None]
    version = address.version_of(subnets[0])
    ports = (line.ports.numbers(version), (line.ports.first, line.ports.last))
    element = (*(boxes.span(each) for each in subnets), *ports)
    if len(subnets) == 2:
        name = "pairs" if all(low == high for low, high in element) else "ranges"
    else:
        name = f"from_{line.source.name}" if source is None else f"to_{line.destination.name}"
    yield f"{name}{version}", element


def lines_of(sets: Mapping[str, Iterable[Element]], world: World) -> Iterator[Allowed]:
    """The lines that the elements of a table allow, named as far as somebody is there to give the name."""
    names = {found: container for found, (container, _network) in whereabouts.homes(world).items()}
    subnets = {subnet: each.name for each in world.networks.values() for subnet in each.definition.subnets}

    def end(span: tuple[int, int], version: int) -> End:
        first, last = (_address(each, version) for each in span)
        if first == last:
            return End(names.get(str(first), str(first)))
        found = [str(each) for each in summarize_address_range(first, last)]
        return End(subnets.get(found[0], found[0]) if len(found) == 1 else f"{first}-{last}")

    for name, elements in sets.items():
        kind, version = name[:-1], int(name[-1])
        for *spans, protocol, ports in elements if kind not in ("governed", "local") else ():
            ends = [end(each, version) for each in spans]
            if kind.startswith("from_"):
                ends.insert(0, End(kind[len("from_") :]))
            elif kind.startswith("to_"):
                ends.append(End(kind[len("to_") :]))
            yield Allowed(ends[0], ends[1], Ports.of(protocol, ports))


def _address(number: int, version: int) -> Any:
    return (IPv4Address if version == 4 else IPv6Address)(number)
