# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes between the kernel and the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .._model import address
from .._model.connection import Container
from .._model.errors import HostError
from .._model.route import LiveRoute
from .._model.step import DeleteRoute, SetRoute
from .._model.world import HostPrefix
from . import netlink, sysctl
from .namespace import Namespace, inside, interface

_TYPES = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_NOT_HELD = ("0.0.0.0/0", "::/0", "fe80:", "ff00:")
"""How the destinations begin that lead to no subnet of the host's own."""


class NamespaceRoutes(Mapping[str, "tuple[LiveRoute, ...]"]):
    """The routes of running containers by full ID, in every table but ``local``."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._namespaces = namespaces
        self._seen: dict[str, tuple[LiveRoute, ...]] = {}

    def __getitem__(self, container_id: str) -> tuple[LiveRoute, ...]:
        if container_id not in self._seen:
            space = self._namespaces[container_id]
            found = [_observed(each, space.networks) for each in space.routes if each.type in _TYPES]
            self._seen[container_id] = tuple(
                sorted(found, key=lambda each: (each.table, each.destination, each.metric))
            )
        return self._seen[container_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespaces)

    def __len__(self) -> int:
        return len(self._namespaces)


def apply(action: SetRoute | DeleteRoute, container: Container, gateway: str | None) -> None:
    """Set or delete one route; ``gateway`` is the address that ``via`` has by now."""
    route = action.route
    words = [route.destination, "metric", str(route.metric), "table", str(route.table)]
    verb = "delete" if isinstance(action, DeleteRoute) else "replace"
    if route.type != "unicast":
        words.insert(0, route.type)
    if gateway:
        words += ["via", gateway]
    if route.network:
        words += ["dev", interface(container, route.network)]
    if route.onlink:
        words.append("onlink")
    try:
        if gateway and verb == "replace":
            sysctl.refuse_redirects(container, route.version)
        inside(container, [f"-{route.version}"], f"route {verb} {' '.join(words)}\n")
    except HostError as error:
        if verb == "delete" and "No such process" in str(error):
            return
        raise HostError(f"route {route.destination} of container '{container.name}': {error}") from error


def host_prefixes() -> tuple[HostPrefix, ...]:
    """The subnets that the host itself has routes to and addresses in, the default routes left out."""
    links, routes = netlink.read(None)
    found = [
        HostPrefix(address.observed_prefix(f"{each.address}/{each.length}"), link.name, f"the address {each.address}")
        for link in links
        for each in link.addresses
        if link.name != "lo" and each.scope != netlink.LINK_SCOPE
    ]
    for each in routes:
        if each.type in _TYPES and not each.destination.startswith(_NOT_HELD):
            interface_name = each.interface or "no interface"
            found.append(HostPrefix(each.destination, interface_name, f"the route to {each.destination}"))
    return tuple(found)


def _observed(found: netlink.Route, networks: Mapping[str, str]) -> LiveRoute:
    kind = _TYPES[found.type]
    return LiveRoute(
        found.destination,
        found.gateway,
        networks.get(found.interface or "") if kind == "unicast" else None,
        found.metric,
        found.table,
        found.onlink,
        kind,
        protocol=found.protocol,
    )
