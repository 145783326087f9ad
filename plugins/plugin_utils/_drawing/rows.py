# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which box stands in which row, which nets come through it, and who meets in the channels between the rows.

A channel has the number of the row above it; -1 is above the first row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .shapes import Box, Net

Item = tuple[str, str, int]
"""What stands in a row: ``box`` and its key, or ``pass`` and the net that comes through the row."""


class Rows:
    """The rows of ``items``; nets leave their sources by ``sides``, and their hubs lie in the channels of ``bands``."""

    def __init__(self, boxes: Sequence[Box], nets: Sequence[Net]) -> None:
        self.boxes = {each.key: each for each in sorted(boxes, key=lambda one: one.key)}
        self.nets = sorted(nets, key=lambda one: one.key)
        self.row = _row_of_each(list(self.boxes), self.nets)
        self.count = max(self.row.values(), default=0) + 1
        self.passes: dict[str, range] = {}
        self.bands: dict[str, int] = {}
        self.sides: dict[tuple[str, str], int] = {}
        self.down: dict[str, list[str]] = {}
        self.up: dict[str, list[str]] = {}
        for net in self.nets:
            self._leave(net)
        self.items: list[list[Item]] = [[] for _row in range(self.count)]
        for key, row in self.row.items():
            self.items[row].append(("box", key, row))
        for key, rows in self.passes.items():
            for row in sorted(rows):
                self.items[row].append(("pass", key, row))

    def _leave(self, net: Net) -> None:
        """By which channel each source is left, and the rows that the net comes through."""
        ends = {self.row[each] - 1 for each in net.targets}
        if not ends:
            self.bands[net.key] = min(self.row[each] for each in net.sources)
            ends = {self.bands[net.key]}
        touched = set(ends)
        for each in net.sources:
            row = self.row[each]
            is_down = any(end >= row for end in ends)
            self.sides[each, net.key] = row if is_down else row - 1
            (self.down if is_down else self.up).setdefault(each, []).append(net.key)
            touched.add(self.sides[each, net.key])
        self.passes[net.key] = range(min(touched) + 1, max(touched) + 1)

    def ends(self, net: Net, channel: int) -> tuple[list[Item], list[Item]]:
        """Who meets a net in a channel: from above, and from below. Pins are not among them."""
        passes = self.passes[net.key]
        above: list[Item] = [("pass", net.key, channel)] if channel in passes else []
        below: list[Item] = [("pass", net.key, channel + 1)] if channel + 1 in passes else []
        for each in net.sources:
            if self.sides[each, net.key] == channel:
                row = self.row[each]
                (above if row == channel else below).append(("box", each, row))
        return above, below

    def pins(self, net: Net, channel: int) -> list[str]:
        """The targets of a net whose pins it meets in a channel."""
        return [each for each in net.targets if self.row[each] == channel + 1]

    def neighbours(self) -> dict[Item, list[Item]]:
        """Who is led to whom from one row to the next."""
        near: dict[Item, list[Item]] = {}
        for net in self.nets:
            for channel in range(-1, self.count):
                above, below = self.ends(net, channel)
                below = [*below, *(("box", each, channel + 1) for each in self.pins(net, channel))]
                for one in above:
                    for other in below:
                        near.setdefault(one, []).append(other)
                        near.setdefault(other, []).append(one)
        return near


def _row_of_each(keys: Sequence[str], nets: Iterable[Net]) -> dict[str, int]:
    """The row of each box: below all that lead to it, as far as that is no circle."""
    after: dict[str, list[str]] = {key: [] for key in keys}
    listed = list(nets)
    hubs = [each for each in listed if not each.targets]
    for net in listed:
        for source in net.sources if net.ranks else ():
            after[source] += [target for target in net.targets if target != source]
    meets = {key: sum(key in each.sources for each in hubs) for key in keys}
    for hub in hubs:
        for one in hub.sources:
            after[one] += [other for other in hub.sources if meets[one] > meets[other]]
    entered = {target for targets in after.values() for target in targets}
    order: list[str] = []
    state: dict[str, int] = {}
    forward: dict[str, list[str]] = {key: [] for key in keys}
    for root in sorted(keys, key=lambda key: (key in entered, key)):
        stack = [(root, iter(sorted(set(after[root]))))] if root not in state else []
        state.setdefault(root, 1)
        while stack:
            key, following = stack[-1]
            target = next(following, None)
            if target is None:
                stack.pop()
                state[key] = 2
                order.append(key)
            elif state.get(target) != 1:
                forward[key].append(target)
                if target not in state:
                    state[target] = 1
                    stack.append((target, iter(sorted(set(after[target])))))
    rows = dict.fromkeys(keys, 0)
    for key in reversed(order):
        for target in forward[key]:
            rows[target] = max(rows[target], rows[key] + 1)
    return rows
