# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the networks that a container has to those that are declared for it, one endpoint at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._model import address, label
from .._model.connection import Connection, Container, Endpoint, LiveEndpoint, Settings
from .._model.errors import DeclarationError
from .._model.network import LiveNetwork
from .._model.route import LiveRoute
from .._model.step import Connect, Disconnect, Pending, Plan, SetMac, Step
from .._model.world import Scope, World
from . import gates, route, words
from .predict import after, planned_id


@dataclass(frozen=True)
class Former:
    """An endpoint that an earlier step has taken away, and the routes that went with it."""

    endpoint: LiveEndpoint
    routes: tuple[LiveRoute, ...] = ()


Formers = Mapping[tuple[str, str], Former]
"""Former endpoints by the ID of their container and the name of their network."""


def plan(connection: Connection, world: World) -> Plan:
    """The steps to ``connection``; DeclarationError where it cannot be."""
    steps = Plan()
    for each in chosen((connection,), world):
        steps += attachments(each, after(world, steps.steps))
        steps += detachments(each, after(world, steps.steps))
    return steps


def chosen(connections: Iterable[Connection], world: World) -> tuple[Connection, ...]:
    """The ``connections``, with one for each container in place of those by labels."""
    return tuple(
        named
        for each in connections
        for named in ([each] if each.container else (replace(each, container=name) for name in _meant(each, world)))
    )


def _meant(connection: Connection, world: World) -> list[str]:
    return [each.name for each in world.known_residents() if label.match(connection.labels, each.labels)]


def attachments(
    connection: Connection, world: World, formers: Formers | None = None, fixed: bool | None = None
) -> Plan:
    """The steps to the endpoints that are declared; ``fixed``: to those alone that declare an address, or none."""
    container = _owner(connection, world)
    steps = Plan()
    for endpoint in connection.networks if connection.state == "present" else ():
        if fixed is None or fixed == bool(endpoint.ipv4_address or endpoint.ipv6_address):
            network = world.require_network(endpoint.name, endpoint.at("name"))
            now = after(world, steps.steps)
            former = (formers or {}).get((container.id, network.name))
            steps += _reconciled(now.containers[container.id], network, endpoint, now, former)
    return steps


def detachments(connection: Connection, world: World) -> Plan:
    """The steps that take the container off the networks that it is to leave."""
    container = _owner(connection, world)
    listed = {live.name if (live := world.network(each.name)) else each.name for each in connection.networks}
    if connection.state == "absent":
        leaving = listed & set(container.endpoints)
    else:
        leaving = set(container.endpoints) - listed if connection.exclusive else set()
    return Plan(tuple(detachment(container, container.endpoints[name]) for name in sorted(leaving)))


def _owner(connection: Connection, world: World) -> Container:
    container = world.require_container(connection.container, connection.at("container"))
    if container.shares:
        raise DeclarationError(
            connection.at("container"),
            f"container '{container.name}' was started with network_mode {container.shares!r}"
            " and can have no networks of its own",
        )
    return container


def scope(connection: Connection) -> Scope:
    """What a plan for ``connection`` will look at."""
    return Scope(containers=frozenset((connection.container,) if connection.container else ()))


def report(connection: Connection, world: World) -> dict[str, Any]:
    """What the module ``connection`` returns: all the networks of the container, or of each, as they are now."""
    if not connection.container:
        return {"containers": {each: _networks(each, world) for each in _meant(connection, world)}}
    return {"networks": _networks(connection.container, world)}


def _networks(reference: str, world: World) -> list[dict[str, Any]]:
    container = world.container(reference)
    endpoints = container.endpoints if container else {}
    return [words.endpoint(name, endpoints[name].settings) for name in sorted(endpoints)]


def attach(container: Container, network: LiveNetwork, endpoint: Endpoint, world: World) -> Plan:
    """The steps that give ``container`` its first endpoint on ``network``, or a true one for a stale one."""
    stale = container.endpoints.get(network.name)
    if stale is not None:
        # The network was remade under a stopped container: it refers to an ID that is gone, and could not start.
        steps = Plan((detachment(container, stale, "release"),))
        return steps + reattach(container, network, endpoint, stale, after(world, steps.steps))
    _check(container, network, endpoint, world)
    steps = Plan((_attachment(container, network, endpoint.over(Settings())),))
    return steps + with_mac(container, network, endpoint, None, after(world, steps.steps))


def reattach(
    container: Container, network: LiveNetwork, endpoint: Endpoint, former: LiveEndpoint, world: World
) -> Plan:
    """The steps that give ``container`` the endpoint that it had, changed as ``endpoint`` declares.

    It has its addresses again where ``network`` holds them and the engine lets it.
    """
    _check(container, network, endpoint, world)

    def held(one: str | None) -> str | None:
        return one if one is None or network.definition.holds(one) else None

    settings = replace(
        former.settings,
        ipv4_address=held(former.settings.ipv4_address),
        ipv6_address=held(former.settings.ipv6_address),
    )
    kept = replace(former, ipv4=held(former.ipv4), ipv6=held(former.ipv6))
    steps = Plan((_attachment(container, network, endpoint.over(settings), kept),))
    return steps + with_mac(container, network, endpoint, former.mac, after(world, steps.steps))


def with_mac(container: Container, network: LiveNetwork, endpoint: Endpoint, former: str | None, world: World) -> Plan:
    """The step that gives the interface the MAC address which the engine's connect leaves out."""
    wanted = endpoint.mac_address or former
    if wanted is None or world.engine.connects_with_mac:
        return Plan()
    if container.running:
        now = world.macs.get(container.id, {}).get(network.name)
        if now == wanted:
            return Plan()
        action = SetMac(container.id, container.name, network.name, wanted)
        before = {"mac_address": now} if now else {}
        return Plan((Step(_title(container, network.name), "set", action, before, {"mac_address": wanted}),))
    if endpoint.mac_address:
        what = f"MAC address {wanted} on {network.name}"
        return Plan(pending=(Pending(container.name, what, "is not running, and its engine is older than 29.3"),))
    loss = (
        f"container '{container.name}' is stopped and had the MAC address {wanted} on network '{network.name}';"
        " an engine before 29.3 draws another one when it starts"
    )
    return Plan(warnings=(loss,))


def whole(container: Container, found: LiveEndpoint, world: World) -> LiveEndpoint:
    """The endpoint with the MAC address that is in use, which an engine before 29.3 may not know."""
    if not container.running:
        return found
    return replace(found, mac=world.macs.get(container.id, {}).get(found.network, found.mac))


def lost(plan: Plan, done: Iterable[Step], before: World, world: World) -> Plan:
    """The steps that give back the endpoints which ``plan`` was to replace, where it came no further than to cut them.

    What an engine tells of them does not count: 28.5 goes on to tell of an endpoint whose connect failed half-way.
    """

    def pairs(steps: Iterable[Step], kind: type[Connect] | type[Disconnect]) -> set[tuple[str, str]]:
        return {(s.action.container_id, s.action.network) for s in steps if isinstance(s.action, kind)}

    cut = pairs(done, Disconnect) & pairs(plan.steps, Connect) - pairs(done, Connect)
    steps = Plan()
    for container_id, name in sorted(cut):
        now = after(world, steps.steps)
        live, container = now.network(name), now.containers.get(container_id)
        former = before.containers[container_id].endpoints.get(name)
        if live is None or container is None or former is None:
            continue
        steps += reattach(container, live, Endpoint(name), whole(container, former, before), now)
        routes = routes_by(before.containers[container_id], name, before)
        steps += route.restored(container, routes, after(world, steps.steps))
    return steps


def detachment(container: Container, found: LiveEndpoint, verb: str = "disconnect") -> Step:
    """The step that takes ``container`` off the network of ``found``."""
    return Step(
        _title(container, found.network),
        verb,
        Disconnect(container.id, container.name, found.network),
        before=words.endpoint(found.network, found.settings),
        cuts=(container.name,) if container.running else (),
    )


def routes_by(container: Container, network: str, world: World) -> tuple[LiveRoute, ...]:
    """The routes of a running ``container`` that leave by ``network`` and that somebody has set."""
    if not container.running:
        return ()
    routes = world.routes.get(container.id, ())
    return tuple(each for each in routes if each.network == network and not route.by_engine(each, container))


def _reconciled(
    container: Container, network: LiveNetwork, endpoint: Endpoint, world: World, former: Former | None
) -> Plan:
    gates.check_endpoint(endpoint, world.engine)
    live = container.endpoints.get(network.name)
    if former is None and (live is None or not live.is_on(network)):
        return attach(container, network, endpoint, world)
    steps = Plan()
    if former is None and live is not None:
        mac = endpoint.mac_address
        if replace(endpoint, mac_address=None).over(live.settings) == live.settings:
            if not mac or mac == whole(container, live, world).mac:
                return Plan()
            if not world.engine.connects_with_mac:
                return with_mac(container, network, endpoint, None, world)
        former = Former(whole(container, live, world), routes_by(container, network.name, world))
        steps += Plan((detachment(container, live),))
    if former is not None:
        steps += reattach(container, network, endpoint, former.endpoint, after(world, steps.steps))
        steps += route.restored(container, former.routes, after(world, steps.steps))
    return steps


def _attachment(
    container: Container, network: LiveNetwork, settings: Settings, kept: LiveEndpoint | None = None
) -> Step:
    return Step(
        _title(container, network.name),
        "connect",
        Connect(
            container.id,
            container.name,
            network.name,
            settings,
            kept.ipv4 if kept else None,
            kept.ipv6 if kept else None,
            kept.mac if kept else None,
        ),
        after=words.endpoint(network.name, settings),
    )


def _title(container: Container, network: str) -> str:
    return f"connection {container.name} to {network}"


def _check(container: Container, network: LiveNetwork, endpoint: Endpoint, world: World) -> None:
    """DeclarationError where ``network`` cannot give ``endpoint`` what it declares."""
    if network.name in ("host", "none"):
        raise DeclarationError(endpoint.at("name"), f"'{network.name}' is a network mode that containers start with")
    if network.definition.config_only:
        raise DeclarationError(
            endpoint.at("name"),
            f"network '{network.name}' is config_only: it holds options for other networks",
        )
    if network.definition.scope == "swarm" and not network.definition.attachable:
        raise DeclarationError(
            endpoint.at("name"),
            f"network '{network.name}' takes services alone; it needs attachable: true",
        )
    for key, version in (("ipv4_address", 4), ("ipv6_address", 6)):
        wanted = getattr(endpoint, key)
        if wanted:
            _check_address(container, network, wanted, version, endpoint.at(key), world)
    if network.name == "bridge" and endpoint.aliases:
        raise DeclarationError(endpoint.at("aliases"), "the engine's own network 'bridge' has no aliases")


def _check_address(
    container: Container, network: LiveNetwork, wanted: str, version: int, where: str, world: World
) -> None:
    pools = [pool for pool in network.definition.ipam_config if pool.version == version]
    if not pools and network.definition.ipam_config:
        raise DeclarationError(where, f"network '{network.name}' has no IPv{version} subnet for {wanted}")
    if network.name == "bridge":
        raise DeclarationError(where, "the engine's own network 'bridge' gives no fixed addresses")
    if not pools and network.id == planned_id(network.name):
        raise DeclarationError(
            where,
            f"the engine draws the subnet of network '{network.name}', and then gives no fixed addresses;"
            " declare it in ipam_config",
        )
    if pools and not address.home(wanted, [pool.subnet for pool in pools]):
        subnets = ", ".join(pool.subnet for pool in pools)
        raise DeclarationError(where, f"{wanted} is not within the subnet {subnets} of network '{network.name}'")
    for pool in pools:
        if wanted in pool.reserved:
            raise DeclarationError(where, f"{wanted} is {pool.reserved[wanted]} of network '{network.name}'")
    for each, other in world.endpoints_on(network).items():
        if each != container.id and wanted in other.addresses:
            raise DeclarationError(
                where,
                f"{wanted} is taken on network '{network.name}' by container '{world.containers[each].name}'",
            )
