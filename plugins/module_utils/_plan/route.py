# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the routes that a container has to those that are declared for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._model import address
from .._model.connection import Container, LiveEndpoint
from .._model.errors import DeclarationError, NotThere
from .._model.route import LiveRoute, Route, Routes
from .._model.step import DeleteRoute, Pending, Plan, SetRoute, Step
from .._model.world import Scope, World
from . import words

_KERNEL, _ROUTER = 2, 9
"""Protocols of routes that come and go with an address, or with a router's advertisements."""


def plan(routes: Routes, world: World, patient: bool = False) -> Plan:
    """The steps to ``routes``; DeclarationError where they cannot be, NotThere where nobody runs to have them.

    With ``patient`` a route whose gateway container is missing is pending, and holds up no other.
    """
    container = world.require_container(routes.container, routes.at("container"))
    if container.shares and container.shares != "none":
        owner = "the host" if container.shares == "host" else "another container"
        raise DeclarationError(
            routes.at("container"),
            f"container '{container.name}' was started with network_mode {container.shares!r}:"
            f" its routes are those of {owner}",
        )
    if not container.running:
        raise NotThere(routes.at("container"), container.name, "is not running")
    live = {each.key: each for each in world.routes.get(container.id, ()) if each.protocol not in (_KERNEL, _ROUTER)}
    steps: list[Step] = []
    pending: list[Pending] = []
    for declared in routes.routes:
        found = live.pop(declared.key, None)
        if declared.state == "absent":
            steps.extend([deletion(container, found)] if found else [])
            continue
        try:
            wanted = resolve(declared, container, world)
        except NotThere as missing:
            if not patient:
                raise
            what = f"route {declared.destination} in {container.name}"
            pending.append(Pending(missing.container, what, missing.reason))
            continue
        if found != wanted:
            steps.append(_setting(container, wanted, found))
    if routes.purge:
        steps = [deletion(container, each) for each in live.values() if not each.is_default] + steps
    return Plan(tuple(steps), tuple(pending))


def scope(routes: Routes) -> Scope:
    """What a plan for ``routes`` will look at."""
    gateways = {each.via for each in routes.routes if each.via}
    return Scope(containers=frozenset(gateways), routed=frozenset((routes.container,)))


def report(routes: Routes, world: World) -> dict[str, Any]:
    """What the module ``route`` returns: the container's routes as they are now, without those of the kernel."""
    container = world.container(routes.container)
    live = world.routes.get(container.id, ()) if container else ()
    return {"routes": [words.route(each) for each in live if each.protocol not in (_KERNEL, _ROUTER)]}


def restored(container: Container, routes: Iterable[LiveRoute], world: World) -> Plan:
    """The steps that set again those of ``routes`` that went with an endpoint, and still lead to a neighbour."""
    if not container.running:
        return Plan()
    there = {each.key for each in world.routes.get(container.id, ()) if not by_engine(each, container)}
    lost = [each for each in routes if each.key not in there]
    return Plan(
        tuple(_setting(container, each, None, "restore") for each in lost if _leads(each, world)),
        warnings=tuple(
            f"{_title(container, each)} is gone: its gateway {each.gateway} is on no subnet of network"
            f" '{each.network}' any more"
            for each in lost
            if not _leads(each, world)
        ),
    )


def _leads(live: LiveRoute, world: World) -> bool:
    """Whether the gateway of ``live`` is still a neighbour on its network."""
    network = world.network(live.network or "")
    if network is None or live.gateway is None or live.onlink or live.gateway.startswith("fe80:"):
        return True
    return address.home(live.gateway, network.definition.subnets) is not None or not network.definition.subnets


def deletion(container: Container, found: LiveRoute) -> Step:
    """The step that takes the route ``found`` away."""
    return Step(
        _title(container, found),
        "delete",
        DeleteRoute(container.id, container.name, found),
        before=words.route(found),
    )


def by_engine(live: LiveRoute, container: Container) -> bool:
    """Whether the kernel or the engine sets ``live`` by itself, as soon as there is an endpoint."""
    gateways = {each for endpoint in container.endpoints.values() for each in endpoint.gateways}
    return live.protocol in (_KERNEL, _ROUTER) or (live.is_default and live.gateway in gateways)


def resolve(route: Route, container: Container, world: World) -> LiveRoute:
    """The route that the kernel will hold for the declared one: its network and its gateway's address found."""
    network, gateway, via = route.network, route.gateway, None
    if route.network:
        network = world.require_network(route.network, route.at("network")).name
        if network not in container.endpoints:
            raise DeclarationError(
                route.at("network"),
                f"container '{container.name}' is not on '{network}' ({_on(container)})",
            )
    if route.via:
        network, gateway, via = _through(route, container, network, world)
    elif route.gateway and not route.onlink:
        network = _home_of(route, container, network, world)
    return LiveRoute(
        route.destination,
        gateway,
        network,
        route.metric,
        route.table,
        route.onlink,
        route.type,
        via,
    )


def _through(
    route: Route, container: Container, network: str | None, world: World
) -> tuple[str, str | None, str | None]:
    gateway = world.require_container(route.via or "", route.at("via"))
    if gateway.id == container.id:
        raise DeclarationError(route.at("via"), f"container '{container.name}' cannot be its own gateway")
    shared = sorted({*container.endpoints} & {*gateway.endpoints})
    if network is not None and network not in shared:
        raise DeclarationError(
            route.at("via"),
            f"container '{gateway.name}' is not on network '{network}' ({_on(gateway)})",
        )
    if not shared:
        raise DeclarationError(
            route.at("via"),
            f"container '{gateway.name}' shares no network with '{container.name}'"
            f" ({container.name} is {_on(container)}; {gateway.name} is {_on(gateway)})",
        )
    if network is None and len(shared) > 1:
        raise DeclarationError(
            route.at("via"),
            f"container '{gateway.name}' shares {' and '.join(shared)} with '{container.name}'; say which by network",
        )
    network = network or shared[0]
    found = _address(gateway.endpoints[network], route.version)
    live = world.network(network)
    subnets = live.definition.ipam_config if live else ()
    if found is None and subnets and not any(pool.version == route.version for pool in subnets):
        raise DeclarationError(
            route.at("via"),
            f"container '{gateway.name}' has no IPv{route.version} address on network '{network}'",
        )
    if found and found in container.endpoints[network].addresses:
        raise DeclarationError(
            route.at("via"), f"container '{gateway.name}' waits for {found}, which container '{container.name}' has"
        )
    if found is None and not gateway.running:
        raise NotThere(route.at("via"), gateway.name, "is not running and has no fixed address")
    return network, found, None if found else gateway.name


def _home_of(route: Route, container: Container, network: str | None, world: World) -> str:
    """The network of ``container`` on which the gateway's address is to be found."""
    subnets = {}
    for name, endpoint in container.endpoints.items():
        live = world.network(name)
        subnets[name] = live.definition.subnets if live else ()
        if route.gateway in endpoint.addresses:
            raise DeclarationError(route.at("gateway"), f"{route.gateway} is container '{container.name}' itself")
    if route.gateway and network and address.version_of(route.gateway) == 6 and route.gateway.startswith("fe80:"):
        return network
    homes = [name for name in sorted(subnets) if address.home(route.gateway or "", subnets[name])]
    if network in homes:
        return network
    if homes and network is None:
        return homes[0]
    known = ", ".join(f"{name} {' '.join(subnets[name])}".strip() for name in sorted(subnets)) or "no network"
    raise DeclarationError(
        route.at("gateway"),
        f"{route.gateway} is in no subnet of '{network or container.name}' ({known}); a gateway must be a neighbour",
    )


def _address(endpoint: LiveEndpoint, version: int) -> str | None:
    return next((each for each in endpoint.addresses if address.version_of(each) == version), None)


def _on(container: Container) -> str:
    return f"on {', '.join(sorted(container.endpoints))}" if container.endpoints else "on no network"


def _setting(container: Container, wanted: LiveRoute, found: LiveRoute | None, verb: str = "") -> Step:
    return Step(
        _title(container, wanted),
        verb or ("change" if found else "add"),
        SetRoute(container.id, container.name, wanted),
        before=words.route(found) if found else {},
        after=words.route(wanted),
    )


def _title(container: Container, route: LiveRoute) -> str:
    return f"route {route.destination} in {container.name}"
