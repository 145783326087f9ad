# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that are alike: whoever changes places with another one changes nothing in the truth table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._fleet import HOST, WORLD, Cell, Host

Pair = tuple[str, str]


@dataclass(frozen=True)
class Group:
    """Containers that are alike, or ``host`` or ``world`` alone; ``key`` is the name of the first one."""

    members: tuple[str, ...]
    networks: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.members[0]

    @property
    def label(self) -> str:
        """What all of their names begin with, or else the first one, and how many they are."""
        if len(self.members) == 1:
            return self.key
        stem = _stem(self.members)
        return f"{stem}* \u00d7{len(self.members)}" if stem else f"{self.key} +{len(self.members) - 1}"


@dataclass(frozen=True)
class Table:
    """A host's truth table between groups: the cells of the first of one group to the first of another one."""

    groups: tuple[Group, ...]
    cells: Mapping[Pair, tuple[Cell, ...]]

    def between(self, source: Group, target: Group) -> tuple[Cell, ...]:
        """What a member of one group gets through to a member of the other, or to another one of its own."""
        to = target.members[1] if source is target and len(target.members) > 1 else target.key
        return self.cells.get((source.key, to), ())


def table(host: Host) -> Table:
    """The truth table of a host, its containers folded."""
    cells: dict[Pair, list[Cell]] = {}
    for each in host.cells:
        cells.setdefault((each.source, each.target), []).append(each)
    numbers: dict[Any, int] = {}

    def profile(pair: Pair) -> int:
        found = cells.get(pair)
        if found is None:
            return -1
        seen = frozenset((c.network, c.what, c.version, c.expect, c.outcome, c.differs, c.origin) for c in found)
        return numbers.setdefault(seen, len(numbers))

    profiles = {pair: profile(pair) for pair in sorted(cells)}
    containers = {each["name"]: each for each in host.survey.get("containers", ())}
    kinds: dict[Any, list[list[str]]] = {}
    for name in sorted(containers):
        each = containers[name]
        kind = (tuple(each["networks"]), str(each["published"]))
        for group in kinds.setdefault(kind, []):
            if _are_alike(group[0], name, list(containers), profiles):
                group.append(name)
                break
        else:
            kinds[kind].append([name])
    groups = [Group(tuple(members), kind[0]) for kind, listed in kinds.items() for members in listed]
    groups.sort(key=lambda each: each.key)
    present = {end for pair in cells for end in pair}
    ends = [Group((each,)) for each in (HOST, WORLD) if each in present and each not in containers]
    return Table((*groups, *ends), {pair: tuple(listed) for pair, listed in cells.items()})


def _are_alike(one: str, other: str, names: Sequence[str], profiles: Mapping[Pair, int]) -> bool:
    def same(pair: Pair, twin: Pair) -> bool:
        return profiles.get(pair) == profiles.get(twin)

    return same((one, other), (other, one)) and all(
        same((one, each), (other, each)) and same((each, one), (each, other))
        for each in (*names, HOST, WORLD)
        if each not in (one, other)
    )


def _stem(names: Sequence[str]) -> str:
    """What the names have in common, up to a separator or a number."""
    first, last = min(names), max(names)
    length = next((n for n, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))
    found = re.match(r"(.*[-_.])|(.*?)\d*$", first[:length])
    stem = (found[1] or found[2] or "") if found else ""
    return stem if len(stem) >= 2 else ""
