# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn, and what a drawing says of it. All lengths are in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


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
