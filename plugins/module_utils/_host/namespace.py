# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces seen and changed from the host: a container's image needs no tool for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from .._model.connection import Container
from .._model.errors import HostError
from . import netlink
from .command import run


@dataclass(frozen=True)
class Namespace:
    """One look into a container's namespace."""

    links: tuple[netlink.Link, ...] = ()
    routes: tuple[netlink.Route, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    """The network that each interface leads to, by the interface's name of the moment."""

    @property
    def macs(self) -> dict[str, str]:
        """The MAC address in use on each network."""
        return {self.networks[link.name]: link.mac for link in self.links if link.name in self.networks}


class Namespaces(Mapping[str, Namespace]):
    """The namespaces of containers by full ID, each read when it is first looked at; empty where nothing runs."""

    def __init__(self, containers: Mapping[str, Container]) -> None:
        self._containers = containers
        self._seen: dict[str, Namespace] = {}

    def prefetch(self, ids: Iterable[str]) -> None:
        """Read many namespaces in one moment."""
        self._seen.update((each, look(self._containers[each])) for each in ids if each not in self._seen)

    def __getitem__(self, container_id: str) -> Namespace:
        if container_id not in self._seen:
            self.prefetch([container_id])
        return self._seen[container_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._containers)

    def __len__(self) -> int:
        return len(self._containers)


class Macs(Mapping[str, "dict[str, str]"]):
    """The MAC addresses that running containers use, by full ID and then by network."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._namespaces = namespaces

    def __getitem__(self, container_id: str) -> dict[str, str]:
        return self._namespaces[container_id].macs

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespaces)

    def __len__(self) -> int:
        return len(self._namespaces)


def look(container: Container) -> Namespace:
    """What is in the namespace of ``container`` now."""
    if container.netns is None:
        return Namespace()
    try:
        links, routes = netlink.read(container.netns)
    except FileNotFoundError:
        return Namespace()  # it ended while we looked: the next look will say so
    except OSError as error:
        raise HostError(
            f"the network namespace of container '{container.name}' could not be read ({error.strerror}); become: true?"
        ) from error
    return Namespace(links, routes, _networks(container, links))


def interface(container: Container, network: str) -> str:
    """The interface of ``container`` on ``network``, as it is named right now."""
    found = [name for name, each in look(container).networks.items() if each == network]
    if not found:
        raise HostError(f"container '{container.name}' has no interface on network '{network}'")
    return found[0]


def set_mac(container: Container, network: str, mac: str) -> None:
    """Give the interface on ``network`` a MAC address; it lasts until the endpoint goes."""
    inside(container, [], f"link set dev {interface(container, network)} address {mac}\n")


def inside(container: Container, options: list[str], batch: str) -> str:
    """What ``ip`` prints for the commands of ``batch`` in the namespace of ``container``."""
    if container.netns is None:
        raise HostError(f"container '{container.name}' does not run and has no namespace")
    return run(["nsenter", f"--net={container.netns}", "ip", *options, "-batch", "-"], batch)


def _networks(container: Container, links: Iterable[netlink.Link]) -> dict[str, str]:
    """The network of each interface, known by an IP address or else by the MAC address that the engine drew."""
    by_mark = {}
    for name, endpoint in container.endpoints.items():
        for mark in (endpoint.ipv4, endpoint.ipv6, endpoint.mac):
            if mark:
                by_mark[mark] = name
    found = {}
    for link in links:
        marks = [*(each.address for each in link.addresses), link.mac]
        network = next((by_mark[mark] for mark in marks if mark in by_mark), None)
        if network:
            found[link.name] = network
    return found
