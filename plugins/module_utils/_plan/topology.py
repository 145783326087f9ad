# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a whole host to a topology: networks, then connections, then what is declared no more, routes and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from .._model.connection import Connection
from .._model.errors import DeclarationError, NotThere
from .._model.firewall import Firewall
from .._model.hosts_file import owner_of
from .._model.step import ArmRollback, Pending, Plan, Remember, Step
from .._model.topology import Memory, Topology
from .._model.world import Scope, World
from . import agreed, connection, firewall, hosts_file, memory, network, passage, policy, prune, route, sysctl, tunnel
from .expected import assumed, expected
from .predict import Draft, after

_Part = Callable[[Topology, World], Plan]
"""What plans one part of a topology."""


def plan(topology: Topology, world: World) -> Plan:
    """The steps to ``topology``, each part planned on the world that the parts before it leave behind."""
    if topology.state == "absent":
        return _guarded(topology, _removal(topology, assumed(topology, world)), world)
    topology = _chosen(topology, world)
    agreed.check_owners(topology, world)
    agreed.check_members(topology, world)
    draft = _networks(topology, world)
    draft += _closing(topology, after(world, draft.steps))
    made = assumed(topology, after(world, draft.steps))
    moves, future = _moves(topology, (_connections, prune.plan, _sysctls, _routes, _hosts_files, _policy), made)
    draft += moves
    noted = memory.made(topology, draft.steps, world, future)
    # A container that the play starts after this is taken as there: its passages stay until it is.
    draft += passage.plan(topology.name, topology.routes, noted.routes, expected(topology, future))
    draft += _rules(topology, future)
    draft += tunnel.of_topology(topology, future)
    return _guarded(topology, memory.noted(topology, noted, world) + draft, world)


def report(topology: Topology, world: World) -> dict[str, Any]:
    """What the module ``topology`` returns beside its steps."""
    return {"unconfirmed": topology.name in world.unconfirmed}


def _guarded(topology: Topology, found: Plan, world: World) -> Plan:
    """``found``, after the step that takes it back unless somebody confirms: none if all is so already."""
    if not topology.confirm_within or not found.told or topology.name in world.unconfirmed:
        return found
    action = ArmRollback(topology.name, topology.confirm_within, world.memories.get(topology.name))
    return Plan((Step(f"topology {topology.name}", "guard", action, bookkeeping=True),)) + found


def filters(topology: Topology, world: World) -> Plan:
    """The steps to what filters packets alone: what closes must hold, whatever is wrong with the rest."""
    draft = _closing(topology, world)
    moves, future = _moves(topology, (_policy,), after(world, draft.steps))
    return draft + moves + _rules(topology, future)


def scope(topology: Topology) -> Scope:
    """What a plan for ``topology`` will look at."""
    members = {each for declared in topology.networks for each in declared.connected or ()}
    gateways = {each.via for declared in topology.routes for each in declared.routes if each.via}
    return Scope(
        containers=frozenset(
            members
            | gateways
            | {each.container for each in topology.connections if each.container}
            | {each.container for each in topology.hosts_files if each.container}
        ).union(*(sysctl.scope(each).containers for each in topology.sysctls)),
        routed=frozenset(each.container for each in topology.routes).union(
            *(sysctl.scope(each).routed for each in topology.sysctls)
        ),
        networks=frozenset(each.network for each in topology.hosts_files if each.network),
    )


def _chosen(topology: Topology, world: World) -> Topology:
    """``topology`` with a connection of its own for each container that one by labels means."""
    connections: dict[str, Connection] = {}
    for each in connection.chosen(topology.connections, world):
        earlier = connections.setdefault(each.container, each)
        if earlier is not each and not topology.is_kept:
            raise DeclarationError(
                each.at("labels"), f"container '{each.container}' is declared already, as {earlier.path}"
            )
    return replace(topology, connections=tuple(connections.values()))


def _networks(topology: Topology, world: World) -> Plan:
    draft = Draft(world)
    # A network that others take their configuration from must be there before them.
    for each in sorted(topology.networks, key=lambda declared: not declared.config_only):
        owned = each.owned_by(topology.name) if each.state == "present" else each
        draft.add(network.itself(owned, draft.world, agreed.declared_on(topology, each, draft.world)))
    return draft.plan


def _moves(topology: Topology, parts: Iterable[_Part], world: World) -> tuple[Plan, World]:
    """The steps of ``parts``, those to the rules that must hold meanwhile before them; and the world after all."""
    found, future = Plan(), world
    for part in parts:
        more = part(topology, future)
        found += more
        future = after(future, more.steps)
    tightened = _rules_ahead(topology, future, world) if found.steps else Plan()
    return tightened + found, after(future, tightened.steps)


def _connections(topology: Topology, world: World) -> Plan:
    draft = Draft(world)
    swapped = _swapped(topology, world)
    for container_id, name in sorted(swapped):
        container = world.containers[container_id]
        draft.add(Plan((connection.detachment(container, container.endpoints[name]),)))
    there = [each for each in topology.connections if world.container_id(each.container) is not None]
    for each in topology.connections:
        if each not in there:
            draft.add(_waiting(topology, f"connection of {each.container}", partial(connection.plan, each, world)))
    # Whoever is detached gives up an address that another one may be waiting for; and what an engine draws
    # must not be an address that is declared for a later one.
    for part in (
        connection.detachments,
        partial(connection.attachments, formers=swapped, fixed=True),
        partial(connection.attachments, formers=swapped, fixed=False),
    ):
        for each in there:
            draft.add(part(each, draft.world))
    for declared in topology.networks:
        for index, reference in enumerate(declared.connected or ()):
            what = f"connection of {reference} to {declared.name}"
            draft.add(_waiting(topology, what, partial(network.member, declared, index, draft.world)))
        draft.add(network.strangers(declared, draft.world))
    return draft.plan


def _swapped(topology: Topology, world: World) -> dict[tuple[str, str], connection.Former]:
    """The endpoints, by container ID and network, that must leave first: another one takes their address."""
    wanted: dict[tuple[str, str], set[str]] = {}
    for each in topology.connections:
        container = world.container(each.container)
        for endpoint in each.networks if container and each.state == "present" else ():
            addresses = {one for one in (endpoint.ipv4_address, endpoint.ipv6_address) if one}
            live = world.network(endpoint.name)
            if live is not None and addresses and container is not None:
                wanted[container.id, live.name] = addresses
    found = {}
    for (container_id, name), addresses in wanted.items():
        container = world.containers[container_id]
        endpoint_now = container.endpoints.get(name)
        if endpoint_now is None or addresses <= set(endpoint_now.addresses):
            continue
        others = set().union(*(all_ for (c, n), all_ in wanted.items() if n == name and c != container_id))
        if others & set(endpoint_now.addresses):
            found[container_id, name] = connection.Former(endpoint_now, connection.routes_by(container, name, world))
    return found


def _sysctls(topology: Topology, world: World) -> Plan:
    draft = Draft(world)
    for each in topology.sysctls:
        what = f"sysctls of {each.container}"
        draft.add(_waiting(topology, what, partial(sysctl.plan, each, draft.world)))
    return draft.plan


def _routes(topology: Topology, world: World) -> Plan:
    plans = Plan()
    for each in topology.routes:
        patient = topology.missing_containers == "report"
        plans += _waiting(topology, f"routes in {each.container}", partial(route.plan, each, world, patient))
    return plans


def _hosts_files(topology: Topology, world: World) -> Plan:
    blocks, found = hosts_file.Blocks(owner_of(topology.name)), Plan()
    for each in topology.hosts_files:
        found += _waiting(topology, str(each), partial(blocks.add, each, world))
    is_stale = topology.prune and world.memories.get(topology.name, Memory()).hosts_files
    return found + blocks.plan(world, exclusive=is_stale)


def _closing(topology: Topology, world: World) -> Plan:
    """What its policy governs is closed before the first container comes to it."""
    declared = topology.policy
    if declared is None:
        return Plan()
    return policy.closing(declared, policy.governed(declared, world, _own(topology)), world)


def _policy(topology: Topology, world: World) -> Plan:
    declared = topology.policy
    if declared is None:
        is_stale = topology.prune and "policy" in world.memories.get(topology.name, Memory()).filters
        return policy.removal(topology.name, world) if is_stale else Plan()
    pending = []

    def waits(missing: NotThere, what: str) -> None:
        if _may_not_wait(topology, missing):
            raise missing
        pending.append(Pending(missing.container, what, missing.reason))

    found = policy.whole(declared, policy.governed(declared, world, _own(topology)), world, waits, topology.is_kept)
    return found + Plan(pending=tuple(pending))


def _own(topology: Topology) -> list[str]:
    return [each.name for each in topology.networks if each.state == "present" and not each.config_only]


def _may_not_wait(topology: Topology, missing: NotThere) -> bool:
    return topology.missing_containers == "fail" and missing.container not in topology.expected_containers


def _ruleset(topology: Topology, world: World) -> Firewall | None:
    """The ruleset that ``topology`` is to have; None where it says nothing of rules, and leaves them alone."""
    is_stale = topology.prune and "rules" in world.memories.get(topology.name, Memory()).filters
    if topology.rules is None and not is_stale:
        return None
    return Firewall.of_topology(topology.name, topology.rules or ())


def _rules_ahead(topology: Topology, future: World, world: World) -> Plan:
    """The step before containers move, or are let in: new rules hold while they do."""
    ruleset = _ruleset(topology, world)
    return Plan() if ruleset is None else firewall.ahead(ruleset, future, world)


def _rules(topology: Topology, world: World) -> Plan:
    """The step to the rules of ``topology``; a rule for a container that is awaited stands, and matches nothing."""
    ruleset = _ruleset(topology, world)
    if ruleset is None:
        return Plan()
    compiled = firewall.compile_(ruleset, world)
    for missing in compiled.missing:
        if _may_not_wait(topology, missing):
            raise missing
    missed = tuple(Pending(each.container, each.field, each.reason) for each in compiled.missing)
    return firewall.step_to(ruleset, compiled.ruleset, world) + Plan(pending=(*missed, *compiled.waiting))


def _waiting(topology: Topology, what: str, planned: Callable[[], Plan]) -> Plan:
    """A part of the plan, or the note that it waits for a container."""
    try:
        return planned()
    except NotThere as missing:
        if _may_not_wait(topology, missing):
            raise
        return Plan(pending=(Pending(missing.container, what, missing.reason),))
    except DeclarationError as wrong:
        if not topology.is_kept:
            raise
        return Plan(warnings=(str(wrong),))


def _removal(topology: Topology, world: World) -> Plan:
    """Everything that ``topology`` made goes, and its memory last."""
    emptied = Topology(topology.name, prune=True)
    plans = passage.plan(topology.name, (), frozenset(), world) + prune.plan(emptied, world) + _policy(emptied, world)
    plans += _hosts_files(emptied, world)
    # Last: what they close stays closed as long as there is somebody to reach.
    plans += _rules(emptied, world) + tunnel.of_topology(emptied, world)
    if topology.name in world.memories:
        forget = Step(f"topology {topology.name}", "forget", Remember(topology.name, None), bookkeeping=True)
        plans += Plan((forget,))
    return plans
