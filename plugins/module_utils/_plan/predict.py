# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world as it will be after a step: by this a later part of a plan builds on an earlier one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from .._model.connection import Container, LiveEndpoint
from .._model.hosts_file import LiveHostsFile
from .._model.network import LiveNetwork
from .._model.step import (
    ArmRollback,
    Connect,
    CreateNetwork,
    DeleteRoute,
    Disconnect,
    DropJournal,
    KeepJournal,
    Plan,
    Remember,
    RemoveNetwork,
    RemoveTunnel,
    RestoreSysctl,
    SetBridgeFilter,
    SetHostsFile,
    SetMac,
    SetPassages,
    SetPolicy,
    SetRoute,
    SetRuleset,
    SetSysctl,
    SetTunnel,
    Step,
)
from .._model.sysctl import HOST, Kept, Live, Parameter, Space
from .._model.world import World

K = TypeVar("K")
V = TypeVar("V")


def after(world: World, steps: Iterable[Step]) -> World:
    """``world`` once ``steps`` have been carried out; what only an engine can draw is ``None``."""
    for step in steps:
        world = _after(world, step)
    return world


class Draft:
    """A plan that grows, and the world as it will be after it."""

    def __init__(self, world: World) -> None:
        self.plan = Plan()
        self.world = world

    def add(self, found: Plan) -> None:
        """Go on with ``found``, which was planned on this draft's world."""
        self.plan += found
        self.world = after(self.world, found.steps)


def planned_id(name: str) -> str:
    """The ID of a network that has yet to be made."""
    return f"planned:{name}"


def _after(world: World, step: Step) -> World:
    action = step.action
    if isinstance(action, CreateNetwork):
        network = LiveNetwork(planned_id(action.definition.name), action.definition)
        return replace(world, networks={**world.networks, network.id: network})
    if isinstance(action, RemoveNetwork):
        return _ungoverned(replace(world, networks=_without(world.networks, action.network.id)), action.network.name)
    if isinstance(action, (Connect, Disconnect)) and action.container_id not in world.containers:
        return world  # the plan was made for a container that the play has yet to start
    if isinstance(action, Connect):
        return _without_interface(_connected(world, action), action)
    if isinstance(action, Disconnect):
        return _without_interface(_disconnected(world, action), action)
    if isinstance(action, SetMac):
        macs = {**world.macs.get(action.container_id, {}), action.network: action.mac}
        return replace(world, macs=_with(world.macs, action.container_id, macs))
    if isinstance(action, (SetRoute, DeleteRoute)):
        routes = [each for each in world.routes.get(action.container_id, ()) if each.key != action.route.key]
        if isinstance(action, SetRoute):
            routes.append(action.route)
        return replace(world, routes=_with(world.routes, action.container_id, tuple(routes)))
    if isinstance(action, (SetSysctl, RestoreSysctl)):
        return _tuned(world, action)
    if isinstance(action, KeepJournal):
        journal = action.journal
        return replace(world, journals={**world.journals, journal.network.name: journal})
    if isinstance(action, DropJournal):
        return replace(world, journals=_without(world.journals, action.network))
    if isinstance(action, SetPassages):
        rest = _without(world.passages, action.topology)
        return replace(world, passages={**rest, action.topology: action.passages} if action.passages else rest)
    if isinstance(action, SetPolicy):
        tables = _without(world.policies, action.policy)
        return replace(world, policies={**tables, action.policy: action.table} if action.table else tables)
    if isinstance(action, SetBridgeFilter):
        seen = world.bridge_filter
        former = seen.versions if seen.former is None else seen.former
        if action.enabled:
            return replace(world, bridge_filter=replace(seen, versions=frozenset((4, 6)), former=former))
        return replace(world, bridge_filter=replace(seen, versions=former, former=None))
    if isinstance(action, SetRuleset):
        others = _without(world.rulesets, action.chain)
        return replace(world, rulesets={**others, action.chain: action.ruleset} if action.ruleset.rules else others)
    if isinstance(action, SetTunnel):
        return replace(world, tunnels={**world.tunnels, action.tunnel.name: action.wanted})
    if isinstance(action, RemoveTunnel):
        return replace(world, tunnels=_without(world.tunnels, action.name))
    if isinstance(action, ArmRollback):
        return replace(world, unconfirmed={*world.unconfirmed, action.topology})
    if isinstance(action, SetHostsFile):
        file = world.hosts_files.get(action.container_id, LiveHostsFile())
        blocks = {**_without(file.blocks, action.owner), **({action.owner: action.lines} if action.lines else {})}
        return replace(world, hosts_files=_with(world.hosts_files, action.container_id, replace(file, blocks=blocks)))
    return _remembered(world, action)


def _ungoverned(world: World, network: str) -> World:
    """The bridge of a network that goes is known to no policy: one of the same name will have another."""
    tables = {name: replace(table, networks=table.networks - {network}) for name, table in world.policies.items()}
    return replace(world, policies=tables)


def _connected(world: World, action: Connect) -> World:
    container = world.containers[action.container_id]
    network = world.network(action.network)
    settings = replace(
        action.settings,
        ipv4_address=action.settings.ipv4_address or action.keep_ipv4,
        ipv6_address=action.settings.ipv6_address or action.keep_ipv6,
    )
    mac = world.engine.derived_mac(settings.ipv4_address if container.running else None)
    if world.engine.connects_with_mac:
        mac = action.settings.mac_address or action.keep_mac
    endpoint = LiveEndpoint(
        network.id if network else planned_id(action.network),
        action.network,
        replace(settings, mac_address=None),
        settings.ipv4_address if container.running else None,
        settings.ipv6_address if container.running else None,
        mac,
    )
    if mac and container.running:
        macs = {**world.macs.get(container.id, {}), action.network: mac}
        world = replace(world, macs=_with(world.macs, container.id, macs))
    members = {*world.members.get(action.network, ()), container.id}
    return replace(
        _with_container(world, replace(container, endpoints={**container.endpoints, action.network: endpoint})),
        members={**world.members, action.network: tuple(sorted(members))},
    )


def _disconnected(world: World, action: Disconnect) -> World:
    container = world.containers[action.container_id]
    members = tuple(each for each in world.members.get(action.network, ()) if each != container.id)
    world = replace(
        _with_container(world, replace(container, endpoints=_without(container.endpoints, action.network))),
        members={**world.members, action.network: members},
    )
    if not container.running:
        return world
    macs = _without(world.macs.get(container.id, {}), action.network)
    world = replace(world, macs=_with(world.macs, container.id, macs))
    left = tuple(each for each in world.routes.get(container.id, ()) if each.network != action.network)
    return replace(world, routes=_with(world.routes, container.id, left))


def _without_interface(world: World, action: Connect | Disconnect) -> World:
    """What was set for the interface is gone with it."""
    space = world.sysctls.get(action.container_id, Space())
    fresh = replace(space, live=_Faded(space.live, action.network), fresh=space.fresh | {action.network})
    return replace(world, sysctls=_with(world.sysctls, action.container_id, fresh))


def _tuned(world: World, action: SetSysctl | RestoreSysctl) -> World:
    owner, key = action.container_id, action.key
    space = world.sysctls.get(owner, Space())
    live = space.live.get(key, Live())
    kept, boot, modules = _without(space.kept, key), _without(space.drop_in, key.name), space.modules
    if action.value is not None:
        space = replace(space, live=_with(space.live, key, replace(live, value=action.value)))
    if isinstance(action, SetSysctl):
        former = space.kept[key].former if key in space.kept else live.value
        kept[key] = Kept(former, action.value, action.value)
        if owner == HOST:
            boot[key.name], modules = action.value, modules | ({action.module} - {""})
    return replace(world, sysctls=_with(world.sysctls, owner, replace(space, kept=kept, drop_in=boot, modules=modules)))


class _Faded(Mapping[Parameter, Live]):
    """What is left of ``live`` once the interface on ``network`` is another one."""

    def __init__(self, live: Mapping[Parameter, Live], network: str) -> None:
        self._live, self._network = live, network

    def __getitem__(self, key: Parameter) -> Live:
        if key.network == self._network:
            raise KeyError(key)
        return self._live[key]

    def __iter__(self) -> Iterator[Parameter]:
        return (each for each in self._live if each.network != self._network)

    def __len__(self) -> int:
        return sum(1 for _each in self)


def _remembered(world: World, action: Remember) -> World:
    rest = _without(world.memories, action.topology)
    return replace(world, memories={**rest, action.topology: action.memory} if action.memory else rest)


def _with_container(world: World, container: Container) -> World:
    return replace(
        world,
        containers=_with(world.containers, container.id, container),
        residents=_with(world.residents, container.id, container),
    )


def with_container(world: World, container: Container) -> World:
    """``world`` with one container more, or with another state of the one that it has."""
    members = {name: {*ids} for name, ids in world.members.items()}
    for name in container.endpoints:
        members.setdefault(name, set()).add(container.id)
    return replace(
        _with_container(world, container),
        names={**world.names, container.name: container.id},
        members={name: tuple(sorted(ids)) for name, ids in members.items()},
    )


def without_container(world: World, container: Container) -> World:
    """``world`` without one container."""
    return replace(
        world,
        residents=_without(world.residents, container.id),
        names={name: each for name, each in world.names.items() if each != container.id},
        members={name: tuple(one for one in each if one != container.id) for name, each in world.members.items()},
    )


def _with(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    # One layer above, never a copy: a copy would look at every container of a lazy mapping.
    changed, below = mapping.maps if isinstance(mapping, ChainMap) else ({}, mapping)
    return ChainMap({**changed, key: value}, below)  # type: ignore[arg-type]


def _without(mapping: Mapping[K, V], key: K) -> dict[K, V]:
    return {each: value for each, value in mapping.items() if each != key}
