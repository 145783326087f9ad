# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where containers and networks are, as the packet filter must know it: addresses, drawn or yet to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from .._model import address
from .._model.connection import Container, Drawn
from .._model.network import LiveNetwork
from .._model.world import World

Whereabouts = Union[str, Drawn]
"""A canonical address, or the one that an engine will draw."""


def addresses(container: Container, world: World) -> tuple[Whereabouts, ...]:
    """The addresses of ``container`` on all of its networks, none while it does not run."""
    if not container.running:
        return ()
    return tuple(each for name in sorted(container.endpoints) for each in on_network(container, name, world))


def on_network(container: Container, name: str, world: World) -> Iterator[Whereabouts]:
    """The addresses of a running container on the network ``name``."""
    endpoint, network = container.endpoints[name], world.network(name)
    for version, known in ((4, endpoint.ipv4), (6, endpoint.ipv6)):
        if known:
            yield known
        elif network is not None and version in versions(network):
            yield Drawn(container.name, name, version)


def homes(world: World) -> dict[str, tuple[str, str]]:
    """Whose the addresses in use are: the names of the container and of the network, by address."""
    return {
        found: (each.name, name)
        for each in world.known_residents()
        if each.running
        for name, endpoint in each.endpoints.items()
        for found in endpoint.addresses
    }


def versions(network: LiveNetwork) -> tuple[int, ...]:
    """The IP versions that containers have an address of on ``network``."""
    definition = network.definition
    return tuple(version for version, enabled in ((4, definition.enable_ipv4), (6, definition.enable_ipv6)) if enabled)


def version_of(found: Whereabouts) -> int:
    """4 or 6."""
    return found.version if isinstance(found, Drawn) else address.version_of(found)
