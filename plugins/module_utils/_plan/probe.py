# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From expectations to cells: whose namespace, which address; and from what was measured to a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from .._model import address
from .._model.connection import Container
from .._model.errors import DeclarationError, Differs, NotThere
from .._model.network import LiveNetwork
from .._model.probe import HOST, Cell, Expectation, Measured, Place, Probe
from .._model.world import Scope, World

Measure = Callable[[Probe, "tuple[Cell, ...]"], "tuple[Measured, ...]"]

_THE_HOST = Place(HOST)
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}
_TOLD = 5
"""Differences spelt out in the message; all are in the result."""
_DONE = {"pass": "passed", "drop": "was dropped", "refused": "was refused"}


def scope(probe: Probe) -> Scope:
    """What a probe will look at."""
    ends = {end for each in probe.expectations for end in (each.source, each.to, each.through) if end}
    return Scope(containers=frozenset(end for end in ends if end != HOST and not address.is_address(end)))


def report(measure: Measure, probe: Probe, world: World) -> dict[str, Any]:
    """What the module ``probe`` returns of what ``measure`` finds; Differs where that is not what is expected."""
    cells = resolve(probe, world)
    outcomes = measure(probe, cells)
    told = [_told(n, cell, found) for n, (cell, found) in enumerate(zip(cells, outcomes))]
    wrong = [n for n, (cell, found) in enumerate(zip(cells, outcomes)) if _difference(cell, found)]
    if wrong:
        sentences = [_sentence(cells[n], outcomes[n]) for n in wrong[:_TOLD]]
        more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        verb = "differs" if len(wrong) == 1 else "differ"
        raise Differs(
            f"{len(wrong)} of {_counted(len(cells))} {verb}: {'; '.join(sentences)}{more}",
            [told[n] for n in wrong],
            told,
        )
    return {"matrix": told, "measured": len(told)}


def resolve(probe: Probe, world: World) -> tuple[Cell, ...]:
    """The cells of ``probe``; DeclarationError where one cannot be measured, NotThere where nobody runs to be asked."""
    return tuple(_cell(each, world) for each in probe.expectations)


def _cell(expectation: Expectation, world: World) -> Cell:
    sender, source = _end(expectation.source, expectation.at("from"), world)
    target, found, network = _target(expectation, sender, source, world)
    hops: tuple[str, ...] = ()
    if expectation.through:
        gateway, _place = _end(expectation.through, expectation.at("through"), world)
        if gateway is None:
            raise DeclarationError(expectation.at("through"), "expected a container of its own, found the host")
        addresses = [each for endpoint in gateway.endpoints.values() for each in endpoint.addresses]
        hops = tuple(sorted(each for each in addresses if address.version_of(each) == expectation.ip_version))
        if not hops:
            raise DeclarationError(
                expectation.at("through"), f"container '{gateway.name}' {_lacks(gateway, expectation.ip_version)}"
            )
    return Cell(
        expectation,
        source,
        target,
        found,
        bind=expectation.source if address.is_address(expectation.source) else None,
        network=network,
        hops=hops,
    )


def _end(reference: str, path: str, world: World) -> tuple[Container | None, Place]:
    """The container that an end names and the place that it lives in; an address is the host's own."""
    if reference == HOST or address.is_address(reference):
        return None, _THE_HOST
    container = world.require_container(reference, path)
    if container.netns is None:
        raise NotThere(path, container.name, "is not running")
    landlord = _landlord(container, world)
    return landlord, Place(landlord.name, container.netns) if landlord else _THE_HOST


def _landlord(container: Container, world: World) -> Container | None:
    """The container whose namespace ``container`` lives in, ``None`` for the host."""
    while container.shares and container.shares.startswith("container:"):
        owner = world.container(container.shares.partition(":")[2])
        if owner is None:
            break  # it was removed; who shares its namespace keeps that alive
        container = owner
    return None if container.shares == "host" else container


def _target(
    expectation: Expectation, sender: Container | None, source: Place, world: World
) -> tuple[Place | None, str, str | None]:
    """Where the packets go: the place, the address, and the network that it was taken from."""
    if address.is_address(expectation.to):
        if ip_address(expectation.to).is_loopback:
            return source, expectation.to, None
        return _place_of(expectation.to, world), expectation.to, None
    receiver, place = _end(expectation.to, expectation.at("to"), world)
    wanted = None
    if expectation.network:
        wanted = world.require_network(expectation.network, expectation.at("network")).name
    if receiver is None:
        found, network = _address_of_host(expectation, sender, wanted, world)
        return place, found, network
    version = expectation.ip_version
    known = {
        name: found
        for name, endpoint in sorted(receiver.endpoints.items())
        for found in endpoint.addresses
        if address.version_of(found) == version
    }
    if wanted:
        if wanted not in known:
            reason = _lacks(receiver, version) if wanted in receiver.endpoints else f"is {_on(receiver)}"
            raise DeclarationError(
                expectation.at("network"), f"container '{receiver.name}' has no address on '{wanted}': it {reason}"
            )
        return place, known[wanted], wanted
    if not known:
        raise DeclarationError(expectation.at("to"), f"container '{receiver.name}' {_lacks(receiver, version)}")
    shared = [name for name in known if sender and name in sender.endpoints]
    network = next(iter(shared or known))
    return place, known[network], network


def _place_of(wanted: str, world: World) -> Place | None:
    """The running container that holds the address ``wanted``, if any does."""
    for network in world.networks.values():
        if not address.home(wanted, network.definition.subnets):
            continue
        for container_id, endpoint in world.endpoints_on(network).items():
            container = world.containers[container_id]
            if container.netns and wanted in endpoint.addresses:
                return Place(container.name, container.netns)
    return None


def _address_of_host(
    expectation: Expectation, sender: Container | None, wanted: str | None, world: World
) -> tuple[str, str | None]:
    """An address of the host as seen from ``sender``: where a bridge network has its gateway."""
    version = expectation.ip_version
    if sender is None and wanted is None:
        return _LOOPBACK[version], None
    endpoints = sender.endpoints if sender else {}
    for name in [wanted] if wanted else sorted(endpoints):
        network = world.network(name)
        told = endpoints[name].gateways if name in endpoints else ()
        gateway = gateway_on(network, told, version) if network else None
        if gateway:
            return gateway, name
    where = f"network '{wanted}'" if wanted else f"the networks of container '{sender.name if sender else HOST}'"
    raise DeclarationError(
        expectation.at("to"),
        f"the host has no IPv{version} address on {where}; write the address that is meant",
    )


def gateway_on(network: LiveNetwork, told: Iterable[str], version: int) -> str | None:
    """The host's address on a bridge network: its gateway, by the engine's habit the subnet's first address.

    ``told`` are the gateways that the engine tells of an endpoint; of an internal network's it tells none.
    """
    if network.bridge is None:
        return None
    for pool in network.definition.ipam_config:
        if pool.version == version:
            known = (each for each in (pool.gateway, *told) if each and address.version_of(each) == version)
            return next(known, str(next(ip_network(pool.subnet).hosts())))
    return None


def _difference(cell: Cell, found: Measured) -> str:
    """What is not as expected, in a few words; nothing where all is."""
    expected = cell.expectation
    if (found.outcome == "pass") != (expected.expect == "pass"):
        return f"{_DONE[found.outcome]}, expected {expected.expect}"
    if expected.through and not set(found.hops) & set(cell.hops):
        way = f"the way led through {', '.join(found.hops)}" if found.hops else found.note or "no hop answered"
        return f"passed, expected through {expected.through} ({way})"
    return ""


def _sentence(cell: Cell, found: Measured) -> str:
    expected = cell.expectation
    return f"{expected.source} to {expected.to} {expected.flow} {_difference(cell, found)}"


def _counted(number: int) -> str:
    return f"{number} expectation{'' if number == 1 else 's'}"


def _told(index: int, cell: Cell, found: Measured) -> dict[str, Any]:
    """A cell of the result: the expectation in the user's words, then what was found."""
    expected = cell.expectation
    return {
        "index": index,
        "from": expected.source,
        "to": expected.to,
        "protocol": expected.protocol,
        "port": expected.port,
        "ip_version": expected.ip_version,
        "expect": expected.expect,
        "through": expected.through,
        "network": cell.network,
        "address": cell.address,
        "outcome": found.outcome,
        "differs": bool(_difference(cell, found)),
        "latency_ms": None if found.latency is None else round(found.latency, 3),
        "listener": found.listener,
        "hops": list(found.hops),
        "note": found.note,
    }


def _lacks(container: Container, version: int) -> str:
    return f"has no IPv{version} address ({_on(container)})"


def _on(container: Container) -> str:
    def plain(addresses: Iterable[str]) -> str:
        return " ".join(addresses) or "no address"

    listed = [f"{name} {plain(each.addresses)}" for name, each in sorted(container.endpoints.items())]
    return f"on {', '.join(listed)}" if listed else "on no network"
