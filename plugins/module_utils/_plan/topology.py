# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a whole host to a topology: networks, then connections, then what is declared no more, routes and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from .._model.connection import Connection, Container, Endpoint, LiveEndpoint, Settings
from .._model.errors import DeclarationError, NotThere, Refused
from .._model.firewall import Firewall
from .._model.network import Network
from .._model.route import Key, LiveRoute
from .._model.step import Connect, CreateNetwork, Pending, Plan, Remember, SetRoute, Step
from .._model.sysctl import Parameter
from .._model.topology import Memory, Topology
from .._model.world import Scope, World
from . import connection, firewall, network, passage, policy, route, sysctl, words
from .predict import Draft, after, with_container, without_container


def plan(topology: Topology, world: World) -> Plan:
    """The steps to ``topology``, each part planned on the world that the parts before it leave behind."""
    if topology.state == "absent":
        return _removal(topology, _assumed(topology, world))
    topology = _chosen(topology, world)
    _check_owners(topology, world)
    _check_members(topology, world)
    draft = _networks(topology, world)
    draft += _closing(topology, after(world, draft.steps))
    made = future = _assumed(topology, after(world, draft.steps))
    moves = Plan()
    for part in (_connections, _prune, _sysctls, _routes, _policy):
        found = part(topology, future)
        moves += found
        future = after(future, found.steps)
    tightened = _rules_ahead(topology, future, made) if moves.steps else Plan()
    draft += tightened + moves
    future = after(future, tightened.steps)
    memory = _memory(topology, draft.steps, world, future)
    # A container that the play starts after this is taken as there: its passages stay until it is.
    draft += passage.plan(topology.name, topology.routes, memory.routes, _expected(topology, future))
    draft += _rules(topology, future)
    return _noted(topology, memory, world) + draft


def filters(topology: Topology, world: World) -> Plan:
    """The steps to what filters packets alone: what closes must hold, whatever is wrong with the rest."""
    draft = _closing(topology, world)
    draft += _policy(topology, after(world, draft.steps))
    return draft + _rules(topology, after(world, draft.steps))


def scope(topology: Topology) -> Scope:
    """What a plan for ``topology`` will look at."""
    members = {each for declared in topology.networks for each in declared.connected or ()}
    gateways = {each.via for declared in topology.routes for each in declared.routes if each.via}
    return Scope(
        containers=frozenset(
            members | gateways | {each.container for each in topology.connections if each.container}
        ).union(*(sysctl.scope(each).containers for each in topology.sysctls)),
        routed=frozenset(each.container for each in topology.routes).union(
            *(sysctl.scope(each).routed for each in topology.sysctls)
        ),
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
        draft.add(network.itself(owned, draft.world, _declared_on(topology, each, draft.world)))
    return draft.plan


def _declared_on(topology: Topology, declared: Network, world: World) -> dict[str, Endpoint | None]:
    """The endpoints that ``topology`` declares on one network, by the ID of their container; None for who leaves."""
    found: dict[str, Endpoint | None] = {}
    live = world.network(declared.name)
    for each in topology.connections:
        container_id = world.container_id(each.container)
        listed = [one for one in each.networks if one.name == declared.name or (live and one.name == live.id)]
        if container_id is not None and (listed or each.exclusive):
            found[container_id] = listed[0] if listed and each.state == "present" else None
    return found


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
    """The step before containers move: new rules hold while they do."""
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


def _assumed(topology: Topology, world: World) -> World:
    """What check mode plans on: ``world``, and the containers of the play as they will be by then."""
    return _expected(topology, world) if topology.assumed else world


def _expected(topology: Topology, world: World) -> World:
    """``world`` with the containers that the play starts later, as they will be then; for a removal, without them."""
    declared = {each.container: each for each in topology.connections}
    for name in topology.expected_containers:
        container = world.container(name)
        if topology.state == "absent":
            world = without_container(world, container) if container else world
        elif container is None:
            wanted = declared.get(name, Connection(name))
            endpoints = {
                each.name: _endpoint(each, world) for each in wanted.networks if world.network(each.name) is not None
            }
            container = Container(f"expected:{name}", name, True, endpoints=endpoints)
            world = with_container(world, container)
        elif not container.running:
            world = with_container(world, replace(container, running=True))
    return world


def _endpoint(declared: Endpoint, world: World) -> LiveEndpoint:
    """The endpoint that ``docker_container`` makes of the declared one: of the rest it knows nothing."""
    live = world.require_network(declared.name, declared.at("name"))
    settings = Settings(
        ipv4_address=declared.ipv4_address,
        ipv6_address=declared.ipv6_address,
        aliases=declared.aliases or (),
        links=declared.links or (),
    )
    return LiveEndpoint(live.id, live.name, settings, settings.ipv4_address, settings.ipv6_address)


def _check_owners(topology: Topology, world: World) -> None:
    for each in topology.networks:
        live = world.network(each.name)
        if live is not None and live.owner not in (None, topology.name):
            raise DeclarationError(
                each.at("name"),
                f"network '{live.name}' was made by topology '{live.owner}'; it is declared there",
            )


def _check_members(topology: Topology, world: World) -> None:
    """A network's own list of members and the connections must not contradict each other."""

    def identity(reference: str) -> str:
        return world.container_id(reference) or reference

    for declared in topology.networks:
        if declared.connected is None or declared.state == "absent":
            continue
        members = {identity(each): n for n, each in enumerate(declared.connected)}
        attached = _declared_on(topology, declared, world)
        for each in topology.connections:
            who = identity(each.container)
            endpoint = attached.get(who)
            if endpoint is not None and who not in members and not declared.appends:
                raise DeclarationError(
                    endpoint.at("name"),
                    f"{declared.at('connected')} lists the containers on network '{declared.name}',"
                    f" and '{each.container}' is not among them; add it there, or set appends: true",
                )
            if who in attached and endpoint is None and who in members:
                raise DeclarationError(
                    f"{declared.at('connected')}[{members[who]}]",
                    f"{each.path} takes container '{each.container}' off network '{declared.name}'",
                )


def _prune(topology: Topology, world: World) -> Plan:
    memory = world.memories.get(topology.name, Memory())
    if not topology.prune:
        return Plan()
    wanted = _declared(topology, world)
    steps = _stale_routes(memory.routes - wanted.routes, world)
    steps += _stale_sysctls(topology, memory.sysctls - wanted.sysctls, world)
    now = after(world, steps)
    gone = [each for each in world.networks.values() if _is_ours(topology, each.name, world)]
    gone = [each for each in gone if each.name not in {declared.name for declared in topology.networks}]
    ours = memory.connections | {
        (container, name) for container, name in memory.declared_connections if _is_ours(topology, name, world)
    }
    for container_name, name in sorted(ours - wanted.connections):
        container = now.container(container_name)
        live = now.network(name)
        found = container.endpoints.get(live.name if live else name) if container else None
        if container and found:
            steps.append(connection.detachment(container, found))
    now = after(now, steps)
    # A network that others take their configuration from must be there as long as they are.
    for live in sorted(gone, key=lambda each: (each.definition.config_only, each.name)):
        strangers = sorted(now.containers[each].name for each in now.endpoints_on(live))
        users = sorted(
            each.name for each in now.networks.values() if each.definition.config_from == live.name and each not in gone
        )
        if users:
            raise Refused(
                "prune",
                f"network '{live.name}' is declared no more, and {', '.join(users)}, made by somebody else,"
                " takes its configuration from it; remove that first",
                before=words.network(live.definition),
            )
        if strangers:
            raise Refused(
                "prune",
                f"network '{live.name}' is declared no more, and {', '.join(strangers)}"
                " was attached to it by somebody else; detach it first",
                before=words.network(live.definition),
                cuts=strangers,
            )
        steps.extend(network.removal(live, now))
    return Plan(tuple(steps))


def _is_ours(topology: Topology, name: str, world: World) -> bool:
    live = world.network(name)
    made = world.memories.get(topology.name, Memory()).networks
    return live is not None and (live.owner == topology.name or (bool(live.definition.config_from) and name in made))


def _stale_routes(stale: Iterable[tuple[str, Key]], world: World) -> list[Step]:
    steps = []
    for name, key in sorted(stale):
        container = world.container(name)
        if container is None or not container.running:
            continue
        found = next((each for each in world.routes.get(container.id, ()) if each.key == key), None)
        if found is not None:
            steps.append(route.deletion(container, found))
    return steps


def _stale_sysctls(topology: Topology, stale: Iterable[tuple[str, Parameter]], world: World) -> list[Step]:
    others = {one for name, each in world.memories.items() if name != topology.name for one in each.sysctls}
    steps: list[Step] = []
    for name, key in sorted({*stale} - others):
        container = world.container(name) if name else None
        if container is not None or not name:
            steps.extend(sysctl.release(sysctl.Place.of(container, world), key, world).steps)
    return steps


def _removal(topology: Topology, world: World) -> Plan:
    """Everything that ``topology`` made goes, and its memory last."""
    emptied = Topology(topology.name, prune=True)
    plans = passage.plan(topology.name, (), frozenset(), world) + _prune(emptied, world) + _policy(emptied, world)
    # Last: what they close stays closed as long as there is somebody to reach.
    plans += _rules(emptied, world)
    if topology.name in world.memories:
        forget = Step(f"topology {topology.name}", "forget", Remember(topology.name, None), bookkeeping=True)
        plans += Plan((forget,))
    return plans


def _declared(topology: Topology, world: World) -> Memory:
    """What ``topology`` wants to be there, in the form in which it is remembered: by name."""

    def named(container: str) -> str:
        found = world.container(container)
        return found.name if found else container

    def network_named(reference: str) -> str:
        live = world.network(reference)
        return live.name if live else reference

    return Memory(
        topology.arguments,
        frozenset(
            (named(each.container), network_named(endpoint.name))
            for each in topology.connections
            for endpoint in each.networks
            if each.state == "present"
        )
        | frozenset(
            (named(member), network_named(each.name))
            for each in topology.networks
            for member in each.connected or ()
            if each.state == "present"
        ),
        frozenset(
            (named(each.container), r.key) for each in topology.routes for r in each.routes if r.state == "present"
        ),
        sysctls=frozenset(
            (named(each.container) if each.container else "", Parameter(s.key.name, network_named(s.key.network)))
            for each in topology.sysctls
            for s in each.settings
            if s.value is not None
        ),
    )


def _memory(topology: Topology, steps: Iterable[Step], world: World, future: World) -> Memory:
    """What the topology will have made: what it has and what it is about to, as long as it is there or declared."""
    made = world.memories.get(topology.name, Memory())
    declared = _declared(topology, future)
    attached = {(s.action.container, s.action.network) for s in steps if isinstance(s.action, Connect)}
    # What was there before, and only comes back, is not what the topology has made.
    attached = {each for each in attached if not _is_attached(each, world)}
    routed = {
        (s.action.container, s.action.route.key)
        for s in steps
        if isinstance(s.action, SetRoute) and s.action.route not in _routes_of(s.action.container, world)
    }
    return Memory(
        declared.declared,
        frozenset(
            each
            for each in made.connections | (attached & declared.connections)
            if each in declared.connections or _is_attached(each, world)
        ),
        frozenset(
            each
            for each in made.routes | (routed & declared.routes)
            if each in declared.routes or _is_routed(each, world)
        ),
        frozenset(each for each in made.networks if world.network(each) is not None) | _cast(steps, world),
        _filters(topology, made, future),
        frozenset(each for each in made.sysctls if each in declared.sysctls or _is_kept(each, world))
        | frozenset(each for each in declared.sysctls if _is_kept(each, future)),
    )


def _filters(topology: Topology, made: Memory, future: World) -> frozenset[str]:
    """The packet filters that the topology will have: those declared, and those of before as long as they stand."""
    chain = Firewall.of_topology(topology.name, ()).chain
    found = {
        "policy": topology.policy or ("policy" in made.filters and topology.name in future.policies),
        "rules": topology.rules or ("rules" in made.filters and chain in future.rulesets),
    }
    return frozenset(name for name, stands in found.items() if stands)


def _cast(steps: Iterable[Step], world: World) -> frozenset[str]:
    """The networks with ``config_from`` that ``steps`` make where there was none."""
    made = {
        s.action.definition.name
        for s in steps
        if isinstance(s.action, CreateNetwork) and s.action.definition.config_from
    }
    return frozenset(each for each in made if world.network(each) is None and each not in world.journals)


def _noted(topology: Topology, memory: Memory, world: World) -> Plan:
    """The note of a memory, written before anything is done: nothing made is ever forgotten."""
    if memory == world.memories.get(topology.name):
        return Plan()
    return Plan((Step(f"topology {topology.name}", "note", Remember(topology.name, memory), bookkeeping=True),))


def _is_attached(pair: tuple[str, str], world: World) -> bool:
    """Whether the container is on the network, or will be again by the journal of a recreate that was cut off."""
    container = world.container(pair[0])
    journal = world.journals.get(pair[1])
    owed = journal.endpoints if journal else ()
    return container is not None and (pair[1] in container.endpoints or container.id in owed)


def _is_kept(pair: tuple[str, Parameter], world: World) -> bool:
    """Whether we have set the kernel parameter, and know what it was before."""
    name, key = pair
    container = world.container(name) if name else None
    return (container is not None or not name) and sysctl.holds(sysctl.Place.of(container, world), key)


def _is_routed(pair: tuple[str, Key], world: World) -> bool:
    return any(each.key == pair[1] for each in _routes_of(pair[0], world))


def _routes_of(name: str, world: World) -> list[LiveRoute]:
    """The routes that the container has, or will have again by the journal of a recreate that was cut off."""
    container = world.container(name)
    if container is None:
        return []
    owed = (each for journal in world.journals.values() for each in journal.routes.get(container.id, ()))
    return [*world.routes.get(container.id, ()), *owed]
