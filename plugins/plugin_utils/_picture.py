# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as drawings in SVG: groups of containers, who gets through to whom, their networks, and what differs.

Ports are pins at the top of whom they lead to, so that lines need no labels. An open network is a band on which its
members hang; one that a policy closes is a lane at the side, beside the rows in which its members are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ._fleet import HOST, WORLD, Host
from ._flows import Flow, Open, flows, open_networks
from ._groups import Group, Table
from ._layout import Box, Drawing, Net, Placed, Point, draw

_CHAR, _SMALL = 7.5, 6.3
"""The width of a character of the two sizes, both of one width."""
_LANE = 24
_MARGIN = 14
_ROUND = 7
HUES = (210, 150, 28, 275, 340, 185, 95, 48, 240, 310)
"""Of networks, in the order of their names: neighbours are told apart, and none is the red of what differs."""


@dataclass
class _Shape:
    """What is written into a box: its title, its networks, and what it may say to the outside and to the host."""

    key: str
    title: str
    group: Group | None = None
    pins: dict[str, Flow] = field(default_factory=dict)
    badges: list[Flow] = field(default_factory=list)


def pictures(host: Host, found: Table) -> list[str]:
    """The drawings of a host, those of more boxes first; each is of groups that have to do with each other."""
    hubs, drawn = open_networks(host, found), flows(host, found)
    colours = colours_of(host)
    closed = [
        each["name"] for each in host.survey.get("networks", ()) if each["name"] not in {hub.network for hub in hubs}
    ]
    return [
        _Picture(host, part, closed, colours).svg()
        for part in _parts([each for each in found.groups if each.networks], hubs, drawn)
    ]


def colours_of(host: Host) -> dict[str, int]:
    """The hue of each network."""
    names = sorted(each["name"] for each in host.survey.get("networks", ()))
    return {name: HUES[n % len(HUES)] for n, name in enumerate(names)}


@dataclass(frozen=True)
class _Part:
    groups: tuple[Group, ...]
    hubs: tuple[Open, ...]
    flows: tuple[Flow, ...]


def _parts(groups: Sequence[Group], hubs: Sequence[Open], drawn: Sequence[Flow]) -> list[_Part]:
    """The groups that flows and open networks join; those that nothing joins are one part."""
    names = {each.key for each in groups}
    leader = {each: each for each in names}

    def find(key: str) -> str:
        while leader[key] != key:
            key = leader[key]
        return key

    busy = set()
    joined = [(each.source, each.target) for each in drawn]
    joined += [(each.members[0], other) for each in hubs for other in each.members]
    for ends in joined:
        here = [each for each in ends if each in names]
        busy.update(here)
        if len(here) == 2:
            one, other = sorted(find(each) for each in here)
            leader[other] = one
    lone = next(iter(sorted(names - busy)), "")
    parts: dict[str, list[Group]] = {}
    for each in groups:
        parts.setdefault(find(each.key) if each.key in busy else lone, []).append(each)
    ordered = sorted(parts.items(), key=lambda each: (each[0] == lone and bool(lone), -len(each[1]), each[0]))
    return [
        _Part(
            tuple(members),
            tuple(each for each in hubs if each.members[0] in {one.key for one in members}),
            tuple(each for each in drawn if {each.source, each.target} & {one.key for one in members}),
        )
        for _key, members in ordered
    ]


class _Picture:
    def __init__(self, host: Host, part: _Part, closed: Sequence[str], colours: Mapping[str, int]) -> None:
        self._host = host
        self._part = part
        self._colours = colours
        self._shapes = {each.key: _Shape(each.key, each.label, each) for each in part.groups}
        self._nets: dict[str, tuple[Net, Flow | None]] = {}
        self._lanes = [name for name in closed if any(name in each.networks for each in part.groups)]
        for each in part.hubs:
            members = tuple(one for one in each.members if one in self._shapes)
            self._nets[f"network {each.network}"] = (Net(f"network {each.network}", members, track=30), None)
        self._add_flows()
        boxes = [self._box(each) for each in self._shapes.values()]
        self._drawing: Drawing = draw(boxes, [net for net, _flow in self._nets.values()])

    def _add_flows(self) -> None:
        """Flows that end at the same pin are one net."""
        sources: dict[str, dict[str, None]] = {}
        pins: dict[str, Flow] = {}
        for each in self._part.flows:
            if each.target in (HOST, WORLD):
                self._shapes[each.source].badges.append(each)
                continue
            if each.source not in self._shapes:
                self._shapes[each.source] = _Shape(each.source, each.source)
            key = f"{each.target} {each.ports} {each.passed} {each.differs} {each.source in (WORLD,)}"
            sources.setdefault(key, {})[each.source] = None
            pins[key] = each
        for key, flow in pins.items():
            self._nets[key] = (Net(key, tuple(sources[key]), flow.target), flow)
            self._shapes[flow.target].pins[key] = flow

    def _box(self, shape: _Shape) -> Box:
        at, pins = 12.0, {}
        for key, flow in sorted(shape.pins.items(), key=lambda each: (each[1].differs, each[0])):
            width = _pin_width(flow)
            pins[key] = at + width / 2
            at += width + 6
        chips = [len(name) * _SMALL + 20 for name in self._chips(shape)]
        badges = [len(_badge(each)) * _SMALL + 8 for each in shape.badges]
        width = max(at + 6, len(shape.title) * _CHAR + 26, *chips, *badges, 84)
        lines = len(chips) + len(badges)
        height = 40 + 15 * lines + (6 if lines else 0) if shape.group else 34
        return Box(shape.key, round(width, 1), height, pins)

    @staticmethod
    def _chips(shape: _Shape) -> tuple[str, ...]:
        return shape.group.networks if shape.group else ()

    # Writing

    def svg(self) -> str:
        drawing = self._drawing
        columns = self._lane_columns()
        left = _MARGIN + (max(columns.values(), default=-1) + 1) * _LANE
        width, height = drawing.width + left + _MARGIN, drawing.height + 2
        parts = [
            f'<svg class="picture" role="img" width="{width:.0f}" height="{height:.0f}"'
            f' viewBox="0 0 {width:.0f} {height:.0f}" aria-label={_quoted(self._caption())}>',
            f"<title>{escape(self._caption())}</title>",
            *self._lane_marks(columns),
            f'<g transform="translate({left:.0f} 1)">',
        ]
        for key, (_net, flow) in sorted(self._nets.items(), key=lambda each: (_weight(each[1][1]), each[0])):
            parts += self._net(key, flow)
        for key in sorted(self._shapes):
            parts += self._written(self._shapes[key], drawing.boxes[key])
        return "\n".join([*parts, "</g>", "</svg>"])

    def _caption(self) -> str:
        people = sum(len(each.members) for each in self._part.groups)
        wrong = sum(each.differs for each in self._part.flows)
        told = f"{people} container{'s' * (people != 1)} in {len(self._part.groups)} box{'es' * (len(self._part.groups) != 1)}"
        return f"{self._host.name}: {told}, {wrong} flow{'s' * (wrong != 1)} not as declared"

    def _lane_columns(self) -> dict[str, int]:
        """Beside which rows a network's lane runs, and in which column: lanes that meet no row together share one."""
        columns: list[list[tuple[int, int]]] = []
        found = {}
        for name in self._lanes:
            low, high = self._span(name)
            for n, taken in enumerate(columns):
                if all(high < start or end < low for start, end in taken):
                    taken.append((low, high))
                    found[name] = n
                    break
            else:
                found[name] = len(columns)
                columns.append([(low, high)])
        return found

    def _span(self, name: str) -> tuple[int, int]:
        rows = [self._drawing.boxes[each.key].row for each in self._part.groups if name in each.networks]
        return min(rows), max(rows)

    def _lane_marks(self, columns: Mapping[str, int]) -> Iterator[str]:
        internal = {each["name"] for each in self._host.survey.get("networks", ()) if each["internal"]}
        for name, column in columns.items():
            boxes = [self._drawing.boxes[each.key] for each in self._part.groups if name in each.networks]
            top, bottom = min(each.y for each in boxes), max(each.y + each.height for each in boxes)
            x = _MARGIN / 2 + column * _LANE
            text = f"{name}, internal" if name in internal else name
            room = int((bottom - top - 12) / _SMALL)
            text = text if len(text) <= room else name if len(name) <= room else f"{name[: max(1, room - 1)]}\u2026"
            middle = (top + bottom) / 2
            yield (
                f'<g class="lane" style="--hue:{self._colours[name]}"><title>network {escape(name)}</title>'
                f'<rect x="{x:.0f}" y="{top + 1:.1f}" width="{_LANE - 6}" height="{bottom - top:.1f}" rx="5"/>'
                f'<text transform="translate({x + (_LANE - 6) / 2 + 4:.1f} {middle:.1f}) rotate(-90)">{escape(text)}</text></g>'
            )

    def _net(self, key: str, flow: Flow | None) -> Iterator[str]:
        drawing = self._drawing
        way = " ".join(_path(each) for each in drawing.lines[key])
        if flow is None:
            yield from self._band(key, way)
            return
        arrow = drawing.arrows[key]
        names = ", ".join(self._nets[key][0].sources)
        told = f"{names} to {flow.target}: {flow.ports}{_REMARK[flow.passed, flow.differs]}"
        yield (
            f'<g class="{_looks(flow)}"><title>{escape(told)}</title><path d="{way}"/>'
            f'<path class="head" d="M{arrow.x - 4:.1f} {arrow.y - 15:.1f}h8l-4 7z"/></g>'
        )

    def _band(self, key: str, way: str) -> Iterator[str]:
        name = key.partition(" ")[2]
        start, end = self._drawing.bands[key]
        text, hue = f"{name}: all to all", self._colours[name]
        middle = (start.x + end.x) / 2
        low, high = (
            min(start.x - 8, middle - len(text) * _SMALL / 2 - 8),
            max(end.x + 8, middle + len(text) * _SMALL / 2 + 8),
        )
        yield (
            f'<g class="band" style="--hue:{hue}"><title>network {escape(name)} is open: all on it reach all</title>'
            f'<path d="{way}"/><rect x="{low:.1f}" y="{start.y - 10:.1f}" width="{high - low:.1f}" height="20" rx="10"/>'
            f'<text x="{middle:.1f}" y="{start.y + 4:.1f}">{escape(text)}</text></g>'
        )

    def _written(self, shape: _Shape, at: Placed) -> Iterator[str]:
        """A box with all that is in it."""
        middle = at.x + at.width / 2
        kind = "box" if shape.group else "end"
        count = " many" if shape.group and len(shape.group.members) > 1 else ""
        listed = ", ".join(shape.group.members) if shape.group else shape.title
        yield f'<g class="{kind}{count}"><title>{escape(listed)}</title>'
        if count:
            yield _rect(Placed(at.x + 4, at.y + 4, at.width, at.height, 0), _ROUND)
        yield _rect(at, _ROUND if shape.group else 17)
        y = at.y + (28 if shape.group else 22)
        yield f'<text class="name" x="{middle:.1f}" y="{y:.1f}">{escape(shape.title)}</text>'
        y += 18
        for name in self._chips(shape):
            start = middle - (len(name) * _SMALL + 14) / 2
            yield (
                f'<circle class="chip" style="--hue:{self._colours[name]}" cx="{start + 4:.1f}" cy="{y - 4:.1f}" r="4"/>'
                f'<text class="small" x="{start + 14:.1f}" y="{y:.1f}">{escape(name)}</text>'
            )
            y += 15
        for each in shape.badges:
            yield f'<text class="badge{" wrong" * each.differs}" x="{middle:.1f}" y="{y:.1f}">{escape(_badge(each))}</text>'
            y += 15
        yield "</g>"
        for key, flow in shape.pins.items():
            arrow, width = self._drawing.arrows[key], _pin_width(flow)
            yield (
                f'<g class="pin {_looks(flow)}"><rect x="{arrow.x - width / 2:.1f}" y="{arrow.y - 8:.1f}"'
                f' width="{width:.1f}" height="16" rx="8"/>'
                f'<text x="{arrow.x:.1f}" y="{arrow.y + 4:.1f}">{escape(_pin(flow))}</text></g>'
            )


_REMARK = {
    (True, False): "",
    (True, True): " (passes, and is not declared)",
    (False, True): " (is declared, and does not pass)",
    (False, False): "",
}


def _weight(flow: Flow | None) -> int:
    """What is drawn later lies above."""
    return 0 if flow is None else 2 if flow.differs else 1


def _looks(flow: Flow) -> str:
    if flow.differs:
        return "flow wrong" if flow.passed else "flow wrong cut"
    return "flow outer" if flow.source == WORLD else "flow"


def _pin(flow: Flow) -> str:
    mark = "!" if flow.passed else "\u2715"
    return f"{mark} {flow.ports}" if flow.differs else flow.ports


def _pin_width(flow: Flow) -> float:
    return len(_pin(flow)) * _SMALL + 14


def _badge(flow: Flow) -> str:
    where = "host" if flow.target == HOST else "out"
    return f"\u2197 {where}: {_pin(flow)}"


def _path(points: Iterable[Point]) -> str:
    (first, *others) = points
    return f"M{first.x:.1f} {first.y:.1f}" + "".join(f"L{each.x:.1f} {each.y:.1f}" for each in others)


def _rect(at: Placed, radius: int) -> str:
    return f'<rect x="{at.x:.1f}" y="{at.y:.1f}" width="{at.width:.1f}" height="{at.height:.1f}" rx="{radius}"/>'


def _quoted(text: Any) -> str:
    return f'"{escape(str(text), quote=True)}"'
