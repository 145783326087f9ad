# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host: observed as a world, and changed step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

from .._model.address import version_of
from .._model.connection import Container, Drawn
from .._model.errors import HostError
from .._model.network import Definition, LiveNetwork
from .._model.packet_filter import Element, Subnets
from .._model.step import (
    ArmRollback,
    Connect,
    CreateNetwork,
    DeleteRoute,
    Disconnect,
    DropJournal,
    KeepJournal,
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
from .._model.sysctl import HOST
from .._model.topology import Memory
from .._model.world import HostPrefix, Scope, World
from . import (
    bridge_filter,
    connection,
    files,
    firewall,
    hosts_file,
    lock,
    namespace,
    network,
    passage,
    policy,
    rollback,
    route,
    session,
    sysctl,
    tunnel,
)
from .engine import EngineApi

_SWARM_SECONDS = 10
"""A swarm answers first and carries out a moment later; if not after so long, then never."""


class Host:
    """The host that a module runs on and the engine that it reaches."""

    def __init__(self, engine: EngineApi, memories: Mapping[str, Memory] | None = None) -> None:
        self._engine = engine
        self._memories = files.Memories() if memories is None else memories
        self._facts = engine.facts()

    def observe(self, scope: Scope | None = None) -> World:
        """What is there now; what ``scope`` names is fetched at once, the rest when it is looked at."""
        networks = {each["Id"]: network.observed(each) for each in self._engine.networks()}
        listed = self._engine.containers()
        names = {name: each["Id"] for each in listed if (name := connection.own_name(each))}
        members: dict[str, list[str]] = {}
        for each in listed:
            for name in (each.get("NetworkSettings") or {}).get("Networks") or ():
                members.setdefault(name, []).append(each["Id"])
        lazily = connection.Containers([each["Id"] for each in listed], self._engine.inspect)
        namespaces = namespace.Namespaces(lazily)
        rulesets = firewall.Rulesets()
        world = World(
            engine=self._facts,
            networks=networks,
            containers=lazily,
            residents={each["Id"]: connection.listed(each) for each in listed},
            routes=route.NamespaceRoutes(namespaces),
            macs=namespace.Macs(namespaces),
            sysctls=sysctl.Spaces(lazily, namespaces),
            prefixes=_HostPrefixes(),
            journals=files.Journals(),
            passages=passage.Passages(networks.values()),
            policies=policy.Policies(networks.values()),
            bridge_filter=bridge_filter.observed(),
            sessions=session.Sessions(),
            rulesets=rulesets,
            packet_filter=rulesets.packet_filter(),
            tunnels=tunnel.Tunnels(),
            way=tunnel.way(),
            memories=self._memories,
            unconfirmed=rollback.unconfirmed(),
            kept=lock.is_kept(),
            names=names,
            members={name: tuple(sorted(ids)) for name, ids in members.items()},
            hosts_files=hosts_file.HostsFiles(lazily),
        )
        scope = scope or Scope()
        routed = [found for each in scope.routed if (found := world.container_id(each))]
        if scope.everything:
            routed = sorted(names.values())
        on_networks = [each for name in scope.networks for each in members.get(name, ())]
        named = [found for each in scope.containers if (found := world.container_id(each))]
        lazily.prefetch([*routed, *named, *on_networks])
        namespaces.prefetch(routed)
        return world

    def apply(self, step: Step) -> None:
        """Carry out one step; HostError where the host refuses. What has been done already is done again safely."""
        action = step.action
        if isinstance(action, CreateNetwork):
            self._create(action.definition)
        elif isinstance(action, RemoveNetwork):
            self._remove(action.network)
        elif isinstance(action, Connect):
            self._connect(action)
        elif isinstance(action, Disconnect):
            self._engine.disconnect(action.network, action.container_id)
        elif isinstance(action, (SetRoute, DeleteRoute)):
            self._route(action)
        elif isinstance(action, (SetSysctl, RestoreSysctl)):
            self._sysctl(action)
        elif isinstance(action, SetMac):
            namespace.set_mac(self._running(action.container_id, action.container), action.network, action.mac)
        elif isinstance(action, SetPassages):
            found = [network.observed(each) for each in self._engine.networks()]
            passage.apply(action.topology, action.passages, found)
        elif isinstance(action, SetPolicy):
            policy.apply(action.policy, action.table, [network.observed(each) for each in self._engine.networks()])
        elif isinstance(action, SetBridgeFilter):
            if action.enabled:
                bridge_filter.enable()
            else:
                bridge_filter.restore()
        elif isinstance(action, SetRuleset):
            firewall.apply(action.chain, action.ruleset.rules, self._resolved(action.ruleset.sets))
        elif isinstance(action, KeepJournal):
            files.keep_journal(action.journal)
        elif isinstance(action, DropJournal):
            files.drop_journal(action.network)
        elif isinstance(action, SetTunnel):
            tunnel.apply(action.tunnel, action.wanted)
        elif isinstance(action, RemoveTunnel):
            tunnel.remove(action.name)
        elif isinstance(action, ArmRollback):
            rollback.arm(action.topology, action.seconds, action.former)
        elif isinstance(action, Remember):
            files.remember(action.topology, action.memory)
        elif isinstance(action, SetHostsFile):
            hosts_file.apply(action, self._running(action.container_id, action.container))

    def _create(self, definition: Definition) -> None:
        network_id = self._engine.create_network(network.body(definition, self._facts))

        def is_allocated() -> bool:
            return any(each["Id"] == network_id and each["Driver"] for each in self._engine.networks())

        if definition.scope == "swarm" and not _comes_true(is_allocated):
            self._engine.remove_network(network_id)
            raise HostError(f"the swarm gave it no subnet within {_SWARM_SECONDS} s; is it taken in the swarm?")

    def _remove(self, live: LiveNetwork) -> None:
        self._engine.remove_network(live.id)

        def is_gone() -> bool:
            return all(each["Id"] != live.id for each in self._engine.networks())

        if live.definition.scope == "swarm" and not _comes_true(is_gone):
            raise HostError(f"the swarm still holds it after {_SWARM_SECONDS} s; does a service use it?")

    def _connect(self, action: Connect) -> None:
        try:
            self._engine.connect(action.network, action.container_id, connection.body(action, keep=True))
        except HostError as error:
            # A network whose subnet the engine chose gives no fixed addresses: then any will do.
            if "user configured subnets" not in str(error):
                raise
            self._engine.connect(action.network, action.container_id, connection.body(action, keep=False))

    def _route(self, action: SetRoute | DeleteRoute) -> None:
        container = self._running(action.container_id, action.container)
        gateway = action.route.gateway
        if action.route.via and action.route.network:
            neighbour = self._container(action.route.via)
            found = neighbour.endpoints.get(action.route.network) if neighbour else None
            version = action.route.version
            gateway = next(
                (each for each in (found.addresses if found else ()) if version_of(each) == version),
                None,
            )
            if gateway is None:
                raise HostError(
                    f"route {action.route.destination} of container '{action.container}': '{action.route.via}'"
                    f" has no address on network '{action.route.network}'"
                )
        route.apply(action, container, gateway)

    def _sysctl(self, action: SetSysctl | RestoreSysctl) -> None:
        container = None if action.container_id == HOST else self._container(action.container_id)
        if container is None and action.container_id != HOST:
            raise HostError(f"container '{action.container}' is gone")
        sysctl.apply(action, container, lambda: (each["Id"] for each in self._engine.containers()))

    def _resolved(self, sets: Mapping[str, frozenset[Element]]) -> dict[str, frozenset[str]]:
        """The members of sets, those that the engine has drawn meanwhile among them."""
        unknown = {each for elements in sets.values() for each in elements if not isinstance(each, str)}
        known: dict[Element, tuple[str, ...]] = {}
        networks = [network.observed(each) for each in self._engine.networks()] if unknown else []
        for each in unknown:
            found: Iterable[str] = ()
            if isinstance(each, Subnets):
                found = (subnet for live in networks if live.name == each.network for subnet in live.definition.subnets)
            elif isinstance(each, Drawn):
                container = self._container(each.container)
                endpoint = container.endpoints.get(each.network) if container else None
                found = endpoint.addresses if endpoint else ()
            known[each] = tuple(one for one in found if version_of(one) == each.version)
        return {
            name: frozenset(one for each in elements for one in ((each,) if isinstance(each, str) else known[each]))
            for name, elements in sets.items()
        }

    def _running(self, container_id: str, name: str) -> Container:
        container = self._container(container_id)
        if container is None or container.netns is None:
            raise HostError(f"container '{name}' has stopped meanwhile")
        return container

    def _container(self, reference: str) -> Container | None:
        found = self._engine.inspect([reference])
        return connection.observed(found[0]) if found else None


def _comes_true(question: Callable[[], bool]) -> bool:
    until = time.monotonic() + _SWARM_SECONDS
    while not question():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


class _HostPrefixes(Iterable[HostPrefix]):
    """The host's own subnets, read when a network is about to be made."""

    @lru_cache(maxsize=1)  # noqa: B019 - one instance per observation, gone with it
    def _all(self) -> tuple[HostPrefix, ...]:
        return route.host_prefixes()

    def __iter__(self) -> Iterator[HostPrefix]:
        return iter(self._all())
