# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layered drawing: boxes in rows, and between the rows channels in which all lines run, so that none crosses a box.

Lines from the same sources to the same targets are one net, a bus with one track in each channel that it comes through.
All lengths are in pixels. The same input gives the same drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_GAP = 26
_PAD = 18
_EXIT = 10
_SWEEPS = 10


class Point(NamedTuple):
    x: float
    y: float


@dataclass(frozen=True)
class Box:
    """A box to place; ``pins`` are where nets come in at its top, by the distance from its left side."""

    key: str
    width: float
    height: float
    pins: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Net:
    """Lines from ``sources`` to the pins of ``targets``; without these it is a hub, a band that its members hang on.

    ``ranks`` is whether its targets are below its sources, as far as that can be; ``breadth`` is the least of a band.
    """

    key: str
    sources: tuple[str, ...]
    targets: tuple[str, ...] = ()
    track: float = 11
    ranks: bool = True
    breadth: float = 0


@dataclass(frozen=True)
class Placed:
    """Where a box is: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float
    row: int


@dataclass(frozen=True)
class Drawing:
    """Boxes by key; lines by net, each a way of points; ``arrows`` by net and target; ``bands`` of hubs by net."""

    width: float
    height: float
    boxes: Mapping[str, Placed]
    lines: Mapping[str, tuple[tuple[Point, ...], ...]]
    arrows: Mapping[tuple[str, str], Point]
    bands: Mapping[str, tuple[Point, Point]]


def draw(boxes: Sequence[Box], nets: Sequence[Net]) -> Drawing:
    """Place ``boxes`` and lead ``nets``."""
    return _Layout(boxes, nets).drawing()


Item = tuple[str, str, int]
"""What stands in a row: ``box`` and its key, or ``pass`` and the net that comes through the row."""


class _Layout:
    def __init__(self, boxes: Sequence[Box], nets: Sequence[Net]) -> None:
        self._boxes = {each.key: each for each in sorted(boxes, key=lambda one: one.key)}
        self._nets = sorted(nets, key=lambda one: one.key)
        self._row = _rows(list(self._boxes), self._nets)
        self._count = max(self._row.values(), default=0) + 1
        self._passes: dict[str, range] = {}
        self._bands: dict[str, int] = {}
        self._sides: dict[tuple[str, str], int] = {}
        self._down: dict[str, list[str]] = {}
        self._up: dict[str, list[str]] = {}
        for net in self._nets:
            self._leave(net)
        self._rows: list[list[Item]] = [[] for _row in range(self._count)]
        for key, row in self._row.items():
            self._rows[row].append(("box", key, row))
        for key, rows in self._passes.items():
            for row in sorted(rows):
                self._rows[row].append(("pass", key, row))
        self._near = self._neighbours()
        self._x: dict[Item, float] = {}
        self._arrange()

    def _leave(self, net: Net) -> None:
        """By which channel each source is left, and the rows that the net comes through.

        A channel has the number of the row above it; -1 is above the first row.
        """
        ends = {self._row[each] - 1 for each in net.targets}
        if not ends:
            self._bands[net.key] = min(self._row[each] for each in net.sources)
            ends = {self._bands[net.key]}
        touched = set(ends)
        for each in net.sources:
            row = self._row[each]
            is_down = any(end >= row for end in ends)
            self._sides[each, net.key] = row if is_down else row - 1
            (self._down if is_down else self._up).setdefault(each, []).append(net.key)
            touched.add(self._sides[each, net.key])
        self._passes[net.key] = range(min(touched) + 1, max(touched) + 1)

    def _ends(self, net: Net, channel: int) -> tuple[list[Item], list[Item]]:
        """Who meets a net in a channel: from above, and from below. Pins are not among them."""
        passes = self._passes[net.key]
        above: list[Item] = [("pass", net.key, channel)] if channel in passes else []
        below: list[Item] = [("pass", net.key, channel + 1)] if channel + 1 in passes else []
        for each in net.sources:
            if self._sides[each, net.key] == channel:
                row = self._row[each]
                (above if row == channel else below).append(("box", each, row))
        return above, below

    def _pins(self, net: Net, channel: int) -> list[str]:
        """The targets of a net whose pins it meets in a channel."""
        return [each for each in net.targets if self._row[each] == channel + 1]

    def _neighbours(self) -> dict[Item, list[Item]]:
        near: dict[Item, list[Item]] = {}
        for net in self._nets:
            for channel in range(-1, self._count):
                above, below = self._ends(net, channel)
                below = [*below, *(("box", each, channel + 1) for each in self._pins(net, channel))]
                for one in above:
                    for other in below:
                        near.setdefault(one, []).append(other)
                        near.setdefault(other, []).append(one)
        return near

    # Across

    def _width(self, item: Item) -> float:
        kind, key, _row = item
        if kind == "pass":
            return 8
        return self._boxes[key].width + _EXIT * len(self._up.get(key, ()))

    def _arrange(self) -> None:
        for row in self._rows:
            row.sort(key=lambda each: (each[0] == "pass", each[1]))
            self._pack(row)
        for sweep in range(_SWEEPS):
            rows = self._rows if sweep % 2 == 0 else self._rows[::-1]
            for row in rows:
                if sweep < _SWEEPS - 4:
                    row[:] = [each for _at, each in sorted((self._wanted(each), each) for each in row)]
                self._settle(row)
        least = min((self._x[each] - self._width(each) / 2 for row in self._rows for each in row), default=0)
        for each in self._x:
            self._x[each] -= least

    def _pack(self, row: list[Item]) -> None:
        total = sum(self._width(each) + _GAP for each in row) - _GAP
        at = -total / 2
        for each in row:
            self._x[each] = at + self._width(each) / 2
            at += self._width(each) + _GAP

    def _wanted(self, item: Item) -> float:
        near = self._near.get(item, ())
        return sum(self._x[each] for each in near) / len(near) if near else self._x[item]

    def _settle(self, row: list[Item]) -> None:
        """As near to where each wants to be as the others let it: between what pushing right and pushing left give."""
        wanted = [self._wanted(each) for each in row]
        apart = [(self._width(one) + self._width(other)) / 2 + _GAP for one, other in zip(row, row[1:])]
        right, left = list(wanted), list(wanted)
        for n in range(1, len(row)):
            right[n] = max(right[n], right[n - 1] + apart[n - 1])
        for n in range(len(row) - 2, -1, -1):
            left[n] = min(left[n], left[n + 1] - apart[n])
        for n, each in enumerate(row):
            self._x[each] = round((right[n] + left[n]) / 2, 1)

    # Down

    def drawing(self) -> Drawing:
        exits = self._exits()
        heights = [
            max((self._boxes[key].height for kind, key, _row in row if kind == "box"), default=0) for row in self._rows
        ]
        tracks = {channel: self._tracks(channel, exits) for channel in range(-1, self._count)}
        tops, y = [], 0.0
        levels: dict[tuple[str, int], float] = {}
        for channel in range(-1, self._count):
            found, height = tracks[channel]
            for key, level in found.items():
                levels[key, channel] = y + level
            y += height
            if channel + 1 < self._count:
                tops.append(y)
                y += heights[channel + 1]
        boxes = {
            key: Placed(
                round(self._x[item] - self._width(item) / 2, 1),
                tops[row],
                self._width(item),
                self._boxes[key].height,
                row,
            )
            for row in range(self._count)
            for item in self._rows[row]
            for kind, key, _row in [item]
            if kind == "box"
        }
        return self._led(boxes, exits, levels, y)

    def _exits(self) -> dict[tuple[str, str], float]:
        """Where each net leaves each of its sources, so that no two of a channel run in one line."""
        taken: dict[int, list[tuple[float, str]]] = {}
        for net in self._nets:
            for each in net.targets:
                taken.setdefault(self._row[each] - 1, []).append((self._pin(net, each), net.key))
            for row in self._passes[net.key]:
                at = self._x["pass", net.key, row]
                taken.setdefault(row, []).append((at, net.key))
                taken.setdefault(row - 1, []).append((at, net.key))
        found = {}
        for key in sorted(self._row, key=lambda each: (self._row[each], self._x["box", each, self._row[each]])):
            row = self._row[key]
            item: Item = ("box", key, row)
            left, right = self._x[item] - self._width(item) / 2, self._x[item] + self._width(item) / 2
            down = sorted(self._down.get(key, ()), key=lambda name, at=row: (self._aim(name, at), name))
            step = (right - left) / (len(down) + 1)
            for n, name in enumerate(down):
                aim = self._aim(name, row)
                at = aim if left + 8 <= aim <= right - 8 else left + step * (n + 1)
                found[key, name] = self._free(at, left + 6, right - 6, name, taken.setdefault(row, []))
            up = sorted(self._up.get(key, ()))
            for n, name in enumerate(up):
                beside = right - _EXIT * (n + 0.5)  # of the pins, if there are any
                between = left + (right - left) / (len(up) + 1) * (n + 1)
                found[key, name] = beside if self._boxes[key].pins else between
                taken.setdefault(row - 1, []).append((found[key, name], name))
        return found

    def _aim(self, net: str, channel: int) -> float:
        (found,) = (each for each in self._nets if each.key == net)
        above, below = self._ends(found, channel)
        ends = [self._pin(found, each) for each in self._pins(found, channel)]
        ends = ends or [self._x[each] for each in below or above]
        return sum(ends) / len(ends)

    def _pin(self, net: Net, target: str) -> float:
        item: Item = ("box", target, self._row[target])
        return self._x[item] - self._width(item) / 2 + self._boxes[target].pins[net.key]

    @staticmethod
    def _free(wanted: float, least: float, most: float, net: str, taken: list[tuple[float, str]]) -> float:
        """The place nearest to ``wanted`` where no other net runs; if there is none, the wanted one."""
        others = [at for at, whose in taken if whose != net]
        offsets = [sign * 3 * n for n in range(40) for sign in (1, -1)]
        for offset in offsets:
            at = wanted + offset
            if least <= at <= most and all(abs(at - each) >= 6 for each in others):
                break
        else:
            at = wanted
        taken.append((at, net))
        return round(at, 1)

    def _terminals(self, net: Net, channel: int, exits: Mapping[tuple[str, str], float]) -> list[tuple[float, bool]]:
        """The places where lines of a net come into a channel, and whether they do from above."""
        above, below = self._ends(net, channel)
        found = [
            (self._x[item] if item[0] == "pass" else exits[item[1], net.key], side)
            for ends, side in ((above, True), (below, False))
            for item in ends
        ]
        return [*found, *((self._pin(net, each), False) for each in self._pins(net, channel))]

    def _tracks(self, channel: int, exits: Mapping[tuple[str, str], float]) -> tuple[dict[str, float], float]:
        """The level of each net in a channel, from its top on, and the channel's height."""
        spans = []
        for net in self._nets:
            xs = [x for x, _above in self._terminals(net, channel, exits)]
            if channel == self._bands.get(net.key):
                middle = (min(xs) + max(xs)) / 2
                xs += [middle - net.breadth / 2, middle + net.breadth / 2]
            if xs:
                spans.append((min(xs), max(xs), net))
        spans.sort(key=lambda each: (bool(each[2].targets), each[0] - each[1], each[0], each[2].key))
        rows: list[tuple[float, list[tuple[float, float]]]] = []
        placed: dict[str, int] = {}
        for low, high, net in spans:
            for n, (height, taken) in enumerate(rows):
                if height == net.track and all(high + 24 < start or end < low - 24 for start, end in taken):
                    taken.append((low, high))
                    placed[net.key] = n
                    break
            else:
                placed[net.key] = len(rows)
                rows.append((net.track, [(low, high)]))
        levels, y = [], float(_PAD)
        for height, _taken in rows:
            levels.append(y + height / 2)
            y += height
        edge = channel in (-1, self._count - 1)
        if not rows:
            return {}, 10 if edge else 2 * _PAD
        return {key: round(levels[n], 1) for key, n in placed.items()}, y + _PAD

    def _led(
        self,
        boxes: Mapping[str, Placed],
        exits: Mapping[tuple[str, str], float],
        levels: Mapping[tuple[str, int], float],
        height: float,
    ) -> Drawing:
        lines: dict[str, list[tuple[Point, ...]]] = {}
        arrows: dict[tuple[str, str], Point] = {}
        bands: dict[str, tuple[Point, Point]] = {}
        for net in self._nets:
            ways = lines.setdefault(net.key, [])
            for row in sorted(self._passes[net.key]):
                x = self._x["pass", net.key, row]
                ways.append((Point(x, levels[net.key, row - 1]), Point(x, levels[net.key, row])))
            for channel in range(-1, self._count):
                if (net.key, channel) not in levels:
                    continue
                level = levels[net.key, channel]
                above, below = self._ends(net, channel)
                xs = [self._x[each] for each in (*above, *below) if each[0] == "pass"]
                for kind, key, _row in (*above, *below):
                    if kind == "box":
                        x, placed = exits[key, net.key], boxes[key]
                        xs.append(x)
                        start = placed.y + placed.height if (kind, key, _row) in above else placed.y
                        ways.append((Point(x, start), Point(x, level)))
                for target in self._pins(net, channel):
                    x = self._pin(net, target)
                    xs.append(x)
                    arrows[net.key, target] = Point(x, boxes[target].y)
                    ways.append((Point(x, level), arrows[net.key, target]))
                if channel == self._bands.get(net.key):
                    middle = (min(xs) + max(xs)) / 2
                    half = net.breadth / 2
                    low, high = min(*xs, middle - half), max(*xs, middle + half)
                    bands[net.key] = (Point(low, level), Point(high, level))
                elif len(xs) > 1:
                    ways.append((Point(min(xs), level), Point(max(xs), level)))
        ends = [each.x + each.width for each in boxes.values()] + [end.x for _start, end in bands.values()]
        ends += [self._x[item] for row in self._rows for item in row]
        return Drawing(
            max(ends, default=0), height, boxes, {key: tuple(ways) for key, ways in lines.items()}, arrows, bands
        )


def _rows(keys: Sequence[str], nets: Iterable[Net]) -> dict[str, int]:
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
