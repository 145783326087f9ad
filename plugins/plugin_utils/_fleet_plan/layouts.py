# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who speaks to whom: by which of its neighbours a host reaches each subnet of the fleet.

A packet may come back only from where its answer would go, for WireGuard drops what a peer has no subnet for. So each
way is the same in both directions, and the neighbours of a host share all subnets out among them, each to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .words import HUB, SITES

Node = Mapping[str, Any]


class Layout:
    """The ways of a fleet's plan: ``nodes`` by name, of whom those ``outside`` the inventory name who speaks to them.

    A node has ``subnets``, ``nat``, ``slot`` (its share among hubs) and ``site``; one outside also ``at`` and ``gate``,
    the member of ``at`` that carries it for those who are not.
    """

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._kind: str = plan["layout"]
        self._nodes: Mapping[str, Node] = plan["nodes"]
        self._hubs: list[str] = plan["hubs"]
        self._leaders: Mapping[str, str] = plan["leaders"]
        self._at: dict[str, frozenset[str]] = {name: frozenset(self._nodes[name]["at"]) for name in plan["outside"]}
        self._is_hub = frozenset(self._hubs)

    def carried(self, name: str) -> dict[str, list[str]]:
        """The subnets that a node reaches by each of its neighbours."""
        found: dict[str, list[str]] = {}
        for other, node in self._nodes.items():
            if other != name:
                neighbour = self.way(name, other)
                if neighbour:
                    found.setdefault(neighbour, []).extend(node["subnets"])
        return found

    def way(self, source: str, target: str) -> str | None:
        """The neighbour by which ``source`` reaches ``target``, None where it cannot."""
        if source in self._at:
            return self.gate(source, self._nodes[target]["gate"] if target in self._at else target)
        if target in self._at:
            gate = self.gate(target, source)
            return target if gate == source else gate and self.way(source, gate)
        neighbour = self._neighbour(source, target)
        if neighbour and self._nodes[source]["nat"] and self._nodes[neighbour]["nat"]:
            return None
        return neighbour

    def gate(self, outside: str, member: str | None) -> str | None:
        """The member by which one ``outside`` and ``member`` reach each other, None where nobody speaks to it."""
        if member is None:
            return None
        at = self._at[outside]
        if member in at:
            return member
        nearest = self._nearest(outside, member)
        return nearest if nearest in at else self._nodes[outside]["gate"]

    def _neighbour(self, source: str, target: str) -> str | None:
        if self._kind == HUB and source not in self._is_hub and target not in self._is_hub:
            return self._between(source, target)
        if self._kind == SITES:
            here, there = self._nodes[source]["site"], self._nodes[target]["site"]
            if here != there:
                leader = self._leaders.get(here)
                return self._leaders.get(there) if leader == source else leader
        return target

    def _nearest(self, outside: str, member: str) -> str | None:
        """Who of the layout's own stands between ``member`` and the outside."""
        if self._kind == HUB and member not in self._is_hub:
            return self._between(outside, member)
        return self._leaders.get(self._nodes[member]["site"]) if self._kind == SITES else member

    def _between(self, one: str, other: str) -> str | None:
        """The hub between two that are none: the same whoever asks, and another hub for another pair."""
        if not self._hubs:
            return None
        slot: int = self._nodes[one]["slot"] + self._nodes[other]["slot"]
        return self._hubs[slot % len(self._hubs)]
