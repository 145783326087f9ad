# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layered drawing: boxes in rows, and between the rows channels in which all lines run, so that none crosses a box.

Lines from the same sources to the same targets are one net, a bus with one track in each channel that it comes through.
The same input gives the same drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .places import EXIT, Places
from .rows import Item, Rows
from .shapes import Box, Drawing, Net, Placed, Point

_PAD = 18


def draw(boxes: Sequence[Box], nets: Sequence[Net]) -> Drawing:
    """Place ``boxes`` and lead ``nets``."""
    rows = Rows(boxes, nets)
    return _Lines(rows, Places(rows)).drawing()


class _Lines:
    def __init__(self, rows: Rows, places: Places) -> None:
        self._rows = rows
        self._places = places

    def drawing(self) -> Drawing:
        exits = self._exits()
        heights = [
            max((self._rows.boxes[key].height for kind, key, _row in row if kind == "box"), default=0)
            for row in self._rows.items
        ]
        tracks = {channel: self._tracks(channel, exits) for channel in range(-1, self._rows.count)}
        tops, y = [], 0.0
        levels: dict[tuple[str, int], float] = {}
        for channel in range(-1, self._rows.count):
            found, height = tracks[channel]
            for key, level in found.items():
                levels[key, channel] = y + level
            y += height
            if channel + 1 < self._rows.count:
                tops.append(y)
                y += heights[channel + 1]
        boxes = {
            item[1]: self._placed(item, tops[row])
            for row, items in enumerate(self._rows.items)
            for item in items
            if item[0] == "box"
        }
        return self._led(boxes, exits, levels, y)

    def _placed(self, item: Item, top: float) -> Placed:
        _kind, key, row = item
        left, _right = self._places.sides(item)
        return Placed(round(left, 1), top, self._places.width(item), self._rows.boxes[key].height, row)

    def _exits(self) -> dict[tuple[str, str], float]:
        """Where each net leaves each of its sources, so that no two of a channel run in one line."""
        taken: dict[int, list[tuple[float, str]]] = {}
        for net in self._rows.nets:
            for each in net.targets:
                taken.setdefault(self._rows.row[each] - 1, []).append((self._places.pin(net, each), net.key))
            for row in self._rows.passes[net.key]:
                at = self._places.x["pass", net.key, row]
                taken.setdefault(row, []).append((at, net.key))
                taken.setdefault(row - 1, []).append((at, net.key))
        found = {}
        for key, row in sorted(
            self._rows.row.items(), key=lambda each: (each[1], self._places.x["box", each[0], each[1]])
        ):
            left, right = self._places.sides(("box", key, row))
            down = sorted(self._rows.down.get(key, ()), key=lambda name, at=row: (self._aim(name, at), name))
            step = (right - left) / (len(down) + 1)
            for n, name in enumerate(down):
                aim = self._aim(name, row)
                at = aim if left + 8 <= aim <= right - 8 else left + step * (n + 1)
                found[key, name] = self._free(at, left + 6, right - 6, name, taken.setdefault(row, []))
            up = sorted(self._rows.up.get(key, ()))
            for n, name in enumerate(up):
                beside = right - EXIT * (n + 0.5)  # of the pins, if there are any
                between = left + (right - left) / (len(up) + 1) * (n + 1)
                found[key, name] = beside if self._rows.boxes[key].pins else between
                taken.setdefault(row - 1, []).append((found[key, name], name))
        return found

    def _aim(self, net: str, channel: int) -> float:
        (found,) = (each for each in self._rows.nets if each.key == net)
        above, below = self._rows.ends(found, channel)
        ends = [self._places.pin(found, each) for each in self._rows.pins(found, channel)]
        ends = ends or [self._places.x[each] for each in below or above]
        return sum(ends) / len(ends)

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
        above, below = self._rows.ends(net, channel)
        found = [
            (self._places.x[item] if item[0] == "pass" else exits[item[1], net.key], side)
            for ends, side in ((above, True), (below, False))
            for item in ends
        ]
        return [*found, *((self._places.pin(net, each), False) for each in self._rows.pins(net, channel))]

    def _tracks(self, channel: int, exits: Mapping[tuple[str, str], float]) -> tuple[dict[str, float], float]:
        """The level of each net in a channel, from its top on, and the channel's height."""
        spans = []
        for net in self._rows.nets:
            xs = [x for x, _above in self._terminals(net, channel, exits)]
            if channel == self._rows.bands.get(net.key):
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
        edge = channel in (-1, self._rows.count - 1)
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
        for net in self._rows.nets:
            ways = lines.setdefault(net.key, [])
            for row in sorted(self._rows.passes[net.key]):
                x = self._places.x["pass", net.key, row]
                ways.append((Point(x, levels[net.key, row - 1]), Point(x, levels[net.key, row])))
            for channel in range(-1, self._rows.count):
                if (net.key, channel) not in levels:
                    continue
                level = levels[net.key, channel]
                above, below = self._rows.ends(net, channel)
                xs = [self._places.x[each] for each in (*above, *below) if each[0] == "pass"]
                for kind, key, _row in (*above, *below):
                    if kind == "box":
                        x, placed = exits[key, net.key], boxes[key]
                        xs.append(x)
                        start = placed.y + placed.height if (kind, key, _row) in above else placed.y
                        ways.append((Point(x, start), Point(x, level)))
                for target in self._rows.pins(net, channel):
                    x = self._places.pin(net, target)
                    xs.append(x)
                    arrows[net.key, target] = Point(x, boxes[target].y)
                    ways.append((Point(x, level), arrows[net.key, target]))
                if channel == self._rows.bands.get(net.key):
                    middle = (min(xs) + max(xs)) / 2
                    half = net.breadth / 2
                    low, high = min(*xs, middle - half), max(*xs, middle + half)
                    bands[net.key] = (Point(low, level), Point(high, level))
                elif len(xs) > 1:
                    ways.append((Point(min(xs), level), Point(max(xs), level)))
        ends = [each.x + each.width for each in boxes.values()] + [end.x for _start, end in bands.values()]
        ends += [self._places.x[item] for row in self._rows.items for item in row]
        return Drawing(
            max(ends, default=0), height, boxes, {key: tuple(ways) for key, ways in lines.items()}, arrows, bands
        )
