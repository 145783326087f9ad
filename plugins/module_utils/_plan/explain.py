# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a flow passes or does not: by the declaration of a policy alone, without a packet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from .._model import address, boxes
from .._model.errors import DeclarationError, NotThere
from .._model.network import LiveNetwork
from .._model.policy import POLICY_SPEC, Allowed, Element, Entry, Policy, Question
from .._model.spec import read
from .._model.topology import Memory
from .._model.world import World
from . import whereabouts
from .policy import governed
from .rulebook import Rulebook, elements_of, lines_of, passed_over


def report(asked: Question, world: World) -> dict[str, Any]:
    """What the module ``explain`` returns: a verdict on each flow."""
    policy, own = asked.policy, None
    if policy is None:
        declared = world.memories.get(asked.name, Memory()).declared
        if not declared.get("policy"):
            raise DeclarationError("policy", f"is required: no topology '{asked.name}' on the host has declared one")
        policy = Policy.read(read(POLICY_SPEC, declared["policy"], "policy"), "policy", asked.name)
        own = [each["name"] for each in declared["networks"] if each["state"] == "present" and not each["config_only"]]
    networks = governed(policy, world, own)
    return {"verdicts": [_explained(policy, networks, flow, world) for flow in asked.flows]}


def _explained(policy: Policy, networks: list[LiveNetwork], flow: Entry, world: World) -> dict[str, Any]:
    """The verdict on ``flow``, by the declaration alone, and the entry that decides; NotThere where an end is not."""
    rulebook = Rulebook(networks, world, waits=_refused)
    wanted = {each for line in _nearest(rulebook.product(flow), world) for each in elements_of(line)}
    told = {
        "from": ", ".join(str(each) for each in flow.sources),
        "to": ", ".join(str(each) for each in flow.destinations),
        "ports": [str(each) for each in flow.ports],
        "entry": None,
    }
    if policy.default == "allow":
        return {**told, "verdict": "allow", "reason": "the policy's default is allow"}
    if not wanted:
        return {**told, "verdict": "open", "reason": "the two ends share no IP version, or are one and the same"}
    if not rulebook.governs(flow):
        listed = ", ".join(each.name for each in networks)
        return {**told, "verdict": "open", "reason": f"neither end is on a governed network ({listed})"}
    declared = Rulebook(networks, world, passed_over)
    left = wanted
    for entry in policy.entries:
        allowed = _by_set(each for line in declared.product(entry) for each in elements_of(line))
        still = {(name, piece) for name, each in left for piece in _left(name, each, allowed, world)}
        if not still:
            return {**told, "verdict": "allow", "entry": entry.path, "reason": f"{entry.path} allows it"}
        if still != left:
            told["entry"], left = entry.path, still
    verdict = "audit" if policy.default == "audit" else "deny"
    if told["entry"]:
        missing = sorted({str(line) for line in lines_of(_by_set(left), world)})
        return {
            **told,
            "verdict": verdict,
            "reason": f"{told['entry']} allows a part of it; not allowed: {', '.join(missing)}",
        }
    return {**told, "verdict": verdict, "reason": f"no entry allows it, and the policy's default is {policy.default}"}


def _nearest(lines: Iterable[Allowed], world: World) -> Iterator[Allowed]:
    """The ``lines`` that packets take: between two containers those on a network of both, if there is one."""
    home = whereabouts.homes(world)
    ends = [(line, home.get(str(line.source.where)), home.get(str(line.destination.where))) for line in lines]
    joined = {(one[0], other[0]) for _line, one, other in ends if one and other and one[1] == other[1]}
    for line, one, other in ends:
        if not (one and other) or one[1] == other[1] or (one[0], other[0]) not in joined:
            yield line


def _left(name: str, wanted: Element, allowed: Mapping[str, AbstractSet[Element]], world: World) -> list[Element]:
    """What of an element none of those ``allowed`` covers; an address that is no container's is of the world, too."""
    kind, version = name[:-1], name[-1]
    if kind not in ("pairs", "ranges"):
        return boxes.left(wanted, allowed.get(name, ()))
    # Pairs are ranges of one address each, kept apart for speed alone.
    left = boxes.left(wanted, [*allowed.get(f"pairs{version}", ()), *allowed.get(f"ranges{version}", ())])
    subnets = [subnet for each in world.networks.values() for subnet in each.definition.subnets]
    local = [boxes.span(each) for each in subnets if address.version_of(each) == int(version)]
    for field, of_world in ((0, f"from_world{version}"), (1, f"to_world{version}")):
        low, high = wanted[field]
        if all(last < low or high < first for first, last in local):
            others = [(*each[:field], (low, high), *each[field:]) for each in allowed.get(of_world, ())]
            left = [part for each in left for part in boxes.left(each, others)]
    return left


def _by_set(found: Iterable[tuple[str, Element]]) -> dict[str, set[Element]]:
    sets: dict[str, set[Element]] = {}
    for name, element in found:
        sets.setdefault(name, set()).add(element)
    return sets


def _refused(missing: NotThere, _what: str) -> None:
    raise missing
