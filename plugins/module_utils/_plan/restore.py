# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a topology to what filters packets before the engine starts: closed, for no container's address is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .._model.firewall import Firewall, Rule
from .._model.packet_filter import Ruleset
from .._model.step import Plan, SetPolicy, SetRuleset
from .._model.topology import Topology
from .._model.world import World
from . import firewall, policy, tunnel
from .rulebook import passed_over


def plan(topology: Topology, world: World) -> Plan:
    """The steps to the policy and the rules of ``topology`` on a world that has its networks and no container.

    A policy then allows what it allows without knowing who is who. A rule for a container closes for all of the
    container's networks; one that would let it pass is not there yet.
    """
    found = Plan()
    if topology.policy is not None:
        own = [each.name for each in topology.networks if world.network(each.name) is not None]
        if own or topology.policy.networks:
            found += policy.whole(
                topology.policy, policy.governed(topology.policy, world, own), world, passed_over, True
            )
    if topology.rules:
        rules = tuple(wider for rule in topology.rules for wider in _wider(rule, topology, world))
        ruleset = Firewall.of_topology(topology.name, rules)
        found += firewall.step_to(ruleset, firewall.compile_(ruleset, world).ruleset, world)
    return found + tunnel.of_topology(topology, world)


def missing(topology: Topology, world: World) -> Plan:
    """Those of the steps that put back what was taken away: what stands knows better who is who."""
    table = world.policies.get(topology.name)
    stands: set[type[SetPolicy | SetRuleset]] = set()
    if table is not None and table.whole:
        stands.add(SetPolicy)
    if world.rulesets.get(Firewall.of_topology(topology.name, ()).chain, Ruleset()).rules:
        stands.add(SetRuleset)
    found = plan(topology, world)
    return replace(found, steps=tuple(each for each in found.steps if type(each.action) not in stands))


def _wider(rule: Rule, topology: Topology, world: World) -> Iterator[Rule]:
    """What stands for a rule as long as the addresses of containers are not known."""
    for key in ("source", "destination"):
        end = getattr(rule, key)
        if end is None or end.kind != "container":
            continue
        if rule.action in ("drop", "reject"):
            for name in _networks_of(end.value, topology):
                if world.network(name) is not None:
                    yield from _wider(replace(rule, **{key: replace(end, kind="network", value=name)}), topology, world)
        return
    yield rule


def _networks_of(container: str, topology: Topology) -> list[str]:
    """Where a container may be: where it is declared to be, or anywhere in the topology."""
    declared = [one.name for each in topology.connections if each.container == container for one in each.networks]
    return declared or [each.name for each in topology.networks]
