# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a network that is there to the one that is declared, without losing an endpoint on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Optional

from .._model import address
from .._model.connection import Endpoint, LiveEndpoint
from .._model.errors import DeclarationError, Refused
from .._model.journal import Journal
from .._model.network import Definition, LiveNetwork, Network
from .._model.step import (
    CreateNetwork,
    DropJournal,
    KeepJournal,
    Plan,
    RemoveNetwork,
    Step,
)
from .._model.world import Scope, World
from . import connection, gates, route, words
from .predict import after

Declared = Mapping[str, Optional[Endpoint]]
"""The endpoints that the same declaration wants on a network, by container ID; ``None`` for who is to leave it."""

_UNDECLARED = Endpoint("")
_BOOLEAN = {"1": "true", "t": "true", "true": "true", "0": "false", "f": "false", "false": "false"}


def plan(network: Network, world: World) -> Plan:
    """The steps to ``network`` and to the containers that it lists."""
    steps = itself(network, world)
    for index in range(len(network.connected or ())):
        steps += member(network, index, after(world, steps.steps))
    return steps + strangers(network, after(world, steps.steps))


def scope(network: Network) -> Scope:
    """What a plan for ``network`` will look at."""
    return Scope(containers=frozenset(network.connected or ()))


def report(network: Network, world: World) -> dict[str, Any]:
    """What the module ``network`` returns: the network as it is now."""
    live = world.network(network.name)
    return {"network": {"id": live.id, **words.network(live.definition)} if live else None}


def itself(network: Network, world: World, endpoints: Declared | None = None) -> Plan:
    """The steps to ``network`` with whoever is on it now; ``endpoints`` are those declared beside it.

    Raises DeclarationError where it cannot be made, Refused where it would cut somebody who was not to be cut.
    """
    if network.state == "absent":
        return Plan(_removal(network, world, endpoints or {}))
    gates.check_network(network, world.engine)
    live = world.network(network.name)
    journal = world.journals.get(network.name)
    known = live or (journal.network if journal else None)
    wanted = network.over(known.definition if known else None)
    if network.config_from:
        _check_config_from(network, world)
    steps: list[Step] = []
    if live is None:
        _check_overlaps(network, wanted, world)
        steps.append(_creation(wanted))
    elif network.always or _canonical(wanted) != _canonical(live.definition):
        steps.extend(_recreation(network, live, wanted, world, endpoints or {}))
    return Plan(tuple(steps)) + _owed(network, after(world, steps), endpoints or {})


def member(network: Network, index: int, world: World) -> Plan:
    """The steps to one of the containers that ``network`` lists under ``connected``."""
    live = world.network(network.name)
    if live is None or network.state == "absent":
        return Plan()
    where = f"{network.at('connected')}[{index}]"
    container = world.require_container((network.connected or ())[index], where)
    found = container.endpoints.get(network.name)
    if found is not None and found.is_on(live):
        return Plan()
    return connection.attach(container, live, Endpoint(network.name, path=where), world)


def strangers(network: Network, world: World) -> Plan:
    """The steps that detach whoever ``network`` does not list, where its list is the whole of it."""
    live = world.network(network.name)
    if live is None or network.state == "absent":
        return Plan()
    leaving = ((each, found) for each, found in world.endpoints_on(live).items() if not takes(network, each, world))
    return Plan(tuple(connection.detachment(world.containers[each], found) for each, found in sorted(leaving)))


def takes(network: Network, container_id: str, world: World) -> bool:
    """Whether the list of ``network``, if it is the whole of its members, has this container."""
    if network.connected is None or network.appends:
        return True
    return container_id in {world.container_id(each) for each in network.connected}


def _creation(wanted: Definition) -> Step:
    return Step(f"network {wanted.name}", "create", CreateNetwork(wanted), after=words.network(wanted))


def _removal(network: Network, world: World, endpoints: Declared) -> tuple[Step, ...]:
    live = world.network(network.name)
    steps: list[Step] = []
    if live is not None:
        attached = world.endpoints_on(live)
        cut = {each: found for each, found in attached.items() if endpoints.get(each, _UNDECLARED) is not None}
        if cut and not network.force:
            raise Refused(
                network.at("state"),
                f"network '{live.name}' still has {_names(cut, world)};"
                " detach them first, or set force: true to cut them",
                before=words.network(live.definition),
                cuts=_running(cut, world),
            )
        steps.extend(removal(live, world))
    if network.name in world.journals:
        steps.append(_dropped(network.name))
    return tuple(steps)


def removal(live: LiveNetwork, world: World) -> list[Step]:
    """The steps that detach whoever is on ``live`` and remove it."""
    attached = world.endpoints_on(live)
    steps = [connection.detachment(world.containers[each], found) for each, found in sorted(attached.items())]
    steps.append(
        Step(
            f"network {live.name}",
            "remove",
            RemoveNetwork(live),
            before=words.network(live.definition),
        )
    )
    return steps


def _recreation(
    network: Network, live: LiveNetwork, wanted: Definition, world: World, endpoints: Declared
) -> list[Step]:
    attached = world.endpoints_on(live)
    before, changed = words.differing(words.network(live.definition), words.network(wanted))
    if network.recreate == "never" and not network.force:
        running = _running(attached, world)
        stopped = sorted({world.containers[each].name for each in attached} - set(running))
        cost = f"it would cut {', '.join(running)}" if running else "nobody running is on it"
        if stopped:
            cost += f" and re-attach {', '.join(stopped)} (stopped)"
        raise Refused(
            network.at("recreate"),
            f"network '{live.name}' differs in {_told(before, changed)}, and an engine changes no network in place;"
            f" {cost}; set recreate: if_needed to recreate it",
            before,
            changed,
            running,
        )
    _check_overlaps(network, wanted, world, live)
    owed = world.journals.get(live.name) or Journal(live)
    there = {each: world.containers[each] for each in attached}
    # What an earlier run wrote down counts more than what it has left behind.
    journal = Journal(
        owed.network,
        {
            **{each: connection.whole(container, attached[each], world) for each, container in there.items()},
            **owed.endpoints,
        },
        {
            **{each: connection.routes_by(container, live.name, world) for each, container in there.items()},
            **owed.routes,
        },
    )
    for each, endpoint in journal.endpoints.items():
        declared = endpoints.get(each, Endpoint(live.name))
        if declared is not None and takes(network, each, world) and each in world.names.values():
            _check_return(network, wanted, endpoint, declared, world.containers[each].name)
            _check_taken(each, endpoint, declared, endpoints, world)
    return [
        Step(f"network {live.name}", "note", KeepJournal(journal), bookkeeping=True),
        *removal(live, world),
        _creation(wanted),
    ]


def _owed(network: Network, world: World, endpoints: Declared) -> Plan:
    """The steps that put back what a recreate took away; then nothing is owed, and the journal goes."""
    name = network.name
    journal, live = world.journals.get(name), world.network(name)
    if journal is None or live is None:
        return Plan()
    alive = set(world.names.values())
    there = {each: found for each, found in journal.endpoints.items() if each in alive and takes(network, each, world)}
    steps = Plan()
    for each, former in sorted(there.items(), key=_turn):
        declared = endpoints.get(each, Endpoint(name))
        if declared is None:
            continue
        found = world.containers[each].endpoints.get(name)
        if found is not None and found.is_on(live):
            if world.containers[each].running:
                steps += connection.with_mac(world.containers[each], live, declared, former.mac, world)
            continue
        if found is not None:
            steps += Plan((connection.detachment(world.containers[each], found, "release"),))
        now = after(world, steps.steps)
        steps += connection.reattach(now.containers[each], live, declared, former, now)
    for each, routes in journal.routes.items():
        if each in there and endpoints.get(each, Endpoint(name)) is not None:
            now = after(world, steps.steps)
            steps += route.restored(now.containers[each], routes, now)
    return steps + Plan((_dropped(name),))


def _turn(item: tuple[str, LiveEndpoint]) -> tuple[bool, bool, int, str]:
    """Fixed addresses first, so that none of them is drawn for another; then in the order in which they are drawn."""
    container_id, former = item
    drawn = int(ip_address(former.ipv4)) if former.ipv4 else 0
    return (not former.settings.ipv4_address, not former.ipv4, drawn, container_id)


def _dropped(name: str) -> Step:
    return Step(f"network {name}", "close", DropJournal(name), bookkeeping=True)


def _canonical(definition: Definition) -> Definition:
    """``definition`` with the spellings of true and false made one, as the driver reads them."""
    options = {key: _BOOLEAN.get(value.lower(), value) for key, value in definition.driver_options.items()}
    return replace(definition, driver_options=options)


def _check_config_from(network: Network, world: World) -> None:
    where = network.at("config_from")
    source = world.require_network(network.config_from or "", where)
    if not source.definition.config_only:
        raise DeclarationError(where, f"network '{source.name}' is not a config_only network")


def _check_overlaps(network: Network, wanted: Definition, world: World, live: LiveNetwork | None = None) -> None:
    """Every owner of an address that ``wanted`` would take, found before anything is touched."""
    if wanted.config_only:
        return
    bridges = {each.bridge for each in world.networks.values()}
    for index, pool in enumerate(wanted.ipam_config):
        where = f"{network.at('ipam_config')}[{index}].subnet"
        for other in world.networks.values():
            if (live and other.id == live.id) or other.definition.config_only:
                continue
            for subnet in other.definition.subnets:
                if address.overlap(pool.subnet, subnet):
                    raise DeclarationError(
                        where,
                        f"{pool.subnet} of network '{wanted.name}' overlaps {subnet} of network '{other.name}'",
                    )
        if wanted.shares_parent:
            continue
        for held in world.prefixes:
            if held.interface not in bridges and address.overlap(pool.subnet, held.subnet):
                raise DeclarationError(
                    where,
                    f"{pool.subnet} of network '{wanted.name}' overlaps {held.subnet},"
                    f" {held.what} of the host on {held.interface}",
                )


def _check_return(
    network: Network, wanted: Definition, former: LiveEndpoint, declared: Endpoint, container: str
) -> None:
    """A fixed address that the wanted network has no place for would be lost: refuse."""
    for key in ("ipv4_address", "ipv6_address"):
        fixed = getattr(former.settings, key)
        if fixed and not getattr(declared, key) and not (wanted.ipam_config and wanted.holds(fixed)):
            raise DeclarationError(
                network.at("ipam_config"),
                f"container '{container}' has the fixed address {fixed}, which the new network"
                f" ({', '.join(wanted.subnets) or 'no fixed subnet'}) cannot give back; declare its new address",
            )


def _check_taken(
    container_id: str, former: LiveEndpoint, declared: Endpoint, endpoints: Declared, world: World
) -> None:
    """An address that a container keeps through a recreate is not free for another one: refuse."""
    others = [wanted for other, wanted in endpoints.items() if wanted and other != container_id]
    for key in ("ipv4_address", "ipv6_address"):
        kept = () if getattr(declared, key) else former.addresses
        for wanted in others:
            if getattr(wanted, key) in kept:
                raise DeclarationError(
                    wanted.at(key),
                    f"{getattr(wanted, key)} is taken on network '{former.network}' by container"
                    f" '{world.containers[container_id].name}'",
                )


def _told(before: Mapping[str, Any], after_: Mapping[str, Any]) -> str:
    """Each difference in the words of a sentence."""
    keys = sorted({**before, **after_})
    return ", ".join(f"{key} ({before.get(key, 'unset')}, declared is {after_.get(key, 'unset')})" for key in keys)


def _names(attached: Mapping[str, LiveEndpoint], world: World) -> str:
    return ", ".join(
        sorted(
            world.containers[each].name + ("" if world.containers[each].running else " (stopped)") for each in attached
        )
    )


def _running(attached: Mapping[str, LiveEndpoint], world: World) -> list[str]:
    return sorted(world.containers[each].name for each in attached if world.containers[each].running)
