# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in its row everything stands: as near to what it is joined with as the others let it."""

from __future__ import annotations

from .rows import Item, Rows
from .shapes import Net

_GAP = 26
EXIT = 10
"""How much wider a box is for each net that leaves it at its top, beside its pins."""
_SWEEPS = 10


class Places:
    """``x`` is the middle of each item."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._near = rows.neighbours()
        self.x: dict[Item, float] = {}
        self._arrange()

    def width(self, item: Item) -> float:
        """How much room an item takes."""
        kind, key, _row = item
        if kind == "pass":
            return 8
        return self._rows.boxes[key].width + EXIT * len(self._rows.up.get(key, ()))

    def sides(self, item: Item) -> tuple[float, float]:
        """Where an item begins and ends."""
        half = self.width(item) / 2
        return self.x[item] - half, self.x[item] + half

    def pin(self, net: Net, target: str) -> float:
        """Where a net comes in at a target."""
        left, _right = self.sides(("box", target, self._rows.row[target]))
        return left + self._rows.boxes[target].pins[net.key]

    def _arrange(self) -> None:
        for row in self._rows.items:
            row.sort(key=lambda each: (each[0] == "pass", each[1]))
            self._pack(row)
        for sweep in range(_SWEEPS):
            rows = self._rows.items if sweep % 2 == 0 else self._rows.items[::-1]
            for row in rows:
                if sweep < _SWEEPS - 4:
                    row[:] = [each for _at, each in sorted((self._wanted(each), each) for each in row)]
                self._settle(row)
        least = min((self.sides(each)[0] for row in self._rows.items for each in row), default=0)
        for each in self.x:
            self.x[each] -= least

    def _pack(self, row: list[Item]) -> None:
        total = sum(self.width(each) + _GAP for each in row) - _GAP
        at = -total / 2
        for each in row:
            self.x[each] = at + self.width(each) / 2
            at += self.width(each) + _GAP

    def _wanted(self, item: Item) -> float:
        near = self._near.get(item, ())
        return sum(self.x[each] for each in near) / len(near) if near else self.x[item]

    def _settle(self, row: list[Item]) -> None:
        """As near to where each wants to be as the others let it: between what pushing right and pushing left give."""
        wanted = [self._wanted(each) for each in row]
        apart = [(self.width(one) + self.width(other)) / 2 + _GAP for one, other in zip(row, row[1:])]
        right, left = list(wanted), list(wanted)
        for n in range(1, len(row)):
            right[n] = max(right[n], right[n - 1] + apart[n - 1])
        for n in range(len(row) - 2, -1, -1):
            left[n] = min(left[n], left[n + 1] - apart[n])
        for n, each in enumerate(row):
            self.x[each] = round((right[n] + left[n]) / 2, 1)
