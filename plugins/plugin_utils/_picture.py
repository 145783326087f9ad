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

from ._drawing.draw import draw
from ._drawing.shapes import Box, Drawing, Net, Placed, Point
from ._fleet import HOST, WORLD, Host, counted
from ._flows import Drawn, Flow, Hub, drawn
from ._groups import Group, Table

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
    shown = drawn(host, found)
    colours = colours_of(host)
    opened = {hub.network for hub in shown.hubs}
    closed = [each["name"] for each in host.survey.get("networks", ()) if each["name"] not in opened]
    return [
        _Picture(host, part, closed, colours).svg()
        for part in _parts([each for each in found.groups if each.networks], shown)
    ]


def colours_of(host: Host) -> dict[str, int]:
    """The hue of each network."""
    names = sorted(each["name"] for each in host.survey.get("networks", ()))
    return {name: HUES[n % len(HUES)] for n, name in enumerate(names)}


@dataclass(frozen=True)
class _Part:
    groups: tuple[Group, ...]
    hubs: tuple[Hub, ...]
    flows: tuple[Flow, ...]


def _parts(groups: Sequence[Group], shown: Drawn) -> list[_Part]:
    """The groups that flows and open networks join; those that nothing joins are one part."""
    names = {each.key for each in groups}
    leader = {each: each for each in names}

    def find(key: str) -> str:
        while leader[key] != key:
            key = leader[key]
        return key

    busy = set()
    joined = [(each.source, each.target) for each in shown.flows]
    joined += [(each.members[0], other) for each in shown.hubs for other in each.members]
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
            tuple(each for each in shown.hubs if each.members[0] in {one.key for one in members}),
            tuple(each for each in shown.flows if {each.source, each.target} & {one.key for one in members}),
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
        self._hubs: dict[str, Hub] = {}
        self._lanes = [name for name in closed if any(name in each.networks for each in part.groups)]
        for each in part.hubs:
            members = tuple(one for one in each.members if one in self._shapes)
            if len(members) == 1:
                self._shapes[members[0]].badges.append(Flow(members[0], members[0], each.ports))
                continue
            self._hubs[each.key] = each
            self._nets[each.key] = (Net(each.key, members, track=30, breadth=len(_band(each)) * _SMALL + 16), None)
        self._add_flows()
        boxes = [self._box(each) for each in self._shapes.values()]
        self._drawing: Drawing = draw(boxes, [net for net, _flow in self._nets.values()])

    def _add_flows(self) -> None:
        """Flows on the same ports from the same sources are one net, to however many targets."""
        sources: dict[tuple[str, str, bool, bool, bool], dict[str, Flow]] = {}
        for each in self._part.flows:
            if each.target in (HOST, WORLD, each.source):
                self._shapes[each.source].badges.append(each)
                continue
            if each.source not in self._shapes:
                self._shapes[each.source] = _Shape(each.source, each.source)
            pin = (each.target, each.ports, each.passed, each.differs, each.source == WORLD)
            sources.setdefault(pin, {})[each.source] = each
        targets: dict[str, dict[str, Flow]] = {}
        senders: dict[str, tuple[str, ...]] = {}
        for (target, *look), known in sources.items():
            key = " ".join((*map(str, look), *sorted(known)))
            senders[key] = tuple(sorted(known))
            targets.setdefault(key, {})[target] = next(iter(known.values()))
        for key, known in targets.items():
            flow = next(iter(known.values()))
            net = Net(key, senders[key], tuple(sorted(known)), ranks=not (flow.differs and flow.passed))
            self._nets[key] = (net, flow)
            for target in known:
                self._shapes[target].pins[key] = flow

    def _box(self, shape: _Shape) -> Box:
        ordered = sorted(shape.pins.items(), key=lambda each: (each[1].differs, each[0]))
        room = sum(_pin_width(flow) + 6 for _key, flow in ordered) - 6
        chips = [len(name) * _SMALL + 30 for name in self._chips(shape)]
        badges = [len(_badge(each)) * _SMALL + 18 for each in shape.badges]
        width = round(max(room + 24, len(shape.title) * _CHAR + 26, *chips, *badges, 84), 1)
        at, pins = (width - room) / 2, {}
        for key, flow in ordered:
            pins[key] = at + _pin_width(flow) / 2
            at += _pin_width(flow) + 6
        lines = len(chips) + len(badges)
        height = 40 + 15 * lines + (6 if lines else 0) if shape.group else 34
        return Box(shape.key, width, height, pins)

    @staticmethod
    def _chips(shape: _Shape) -> tuple[str, ...]:
        return shape.group.networks if shape.group else ()

    # Writing

    def svg(self) -> str:
        drawing = self._drawing
        columns = self._lane_columns()
        left = float(_MARGIN) + (max(columns.values(), default=-1) + 1) * _LANE
        spans = [self._span_of(key) for key in self._hubs]
        left -= min([0.0, *(low for low, _high, _y in spans)])
        width = left + max([drawing.width, *(high for _low, high, _y in spans)]) + _MARGIN
        height = drawing.height + 2
        size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        parts = [
            f'<svg class="picture" role="img" {size} aria-label={_quoted(self._caption())}>',
            f"<title>{escape(self._caption())}</title>",
            *self._lane_marks(columns),
            f'<g transform="translate({left:.0f} 1)">',
        ]
        for key in sorted(self._hubs):
            parts.append(f'<path class="{self._kind(key)}" style="--hue:{self._hue(key)}" d="{self._way(key)}"/>')
        for key in sorted(self._hubs):
            parts += self._band(key)
        for key, (_net, flow) in sorted(self._nets.items()):
            parts += self._flow(key, flow) if flow and not flow.differs else ()
        for key, (_net, flow) in sorted(self._nets.items()):
            parts += self._flow(key, flow) if flow and flow.differs else ()
        for key in sorted(self._shapes):
            parts += self._written(self._shapes[key], drawing.boxes[key])
        return "\n".join([*parts, "</g>", "</svg>"])

    def _caption(self) -> str:
        people = counted(sum(len(each.members) for each in self._part.groups), "container")
        boxes = counted(len(self._part.groups), "box", "boxes")
        wrong = counted(sum(each.differs for each in self._part.flows), "flow")
        return f"{self._host.name}: {people} in {boxes}, {wrong} not as declared"

    def _lane_columns(self) -> dict[str, int]:
        """Beside which rows a network's lane runs, and in which column: lanes that meet no row together share one."""
        columns: list[list[tuple[int, int]]] = []
        found = {}
        for name in self._lanes:
            low, high = self._rows(name)
            for n, taken in enumerate(columns):
                if all(high < start or end < low for start, end in taken):
                    taken.append((low, high))
                    found[name] = n
                    break
            else:
                found[name] = len(columns)
                columns.append([(low, high)])
        return found

    def _rows(self, name: str) -> tuple[int, int]:
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
            turned = f"translate({x + (_LANE - 6) / 2 + 4:.1f} {middle:.1f}) rotate(-90)"
            yield (
                f'<g class="lane" style="--hue:{self._colours[name]}"><title>network {escape(name)}</title>'
                f'<rect x="{x:.0f}" y="{top + 1:.1f}" width="{_LANE - 6}" height="{bottom - top:.1f}" rx="5"/>'
                f'<text transform="{turned}">{escape(text)}</text></g>'
            )

    def _way(self, key: str) -> str:
        return " ".join(_path(each) for each in self._drawing.lines[key])

    def _flow(self, key: str, flow: Flow) -> Iterator[str]:
        net = self._nets[key][0]
        told = f"{', '.join(net.sources)} to {', '.join(net.targets)}: {flow.ports}{_REMARK[flow.passed, flow.differs]}"
        yield f'<g class="{_looks(flow)}"><title>{escape(told)}</title><path d="{self._way(key)}"/>'
        for target in net.targets:
            arrow = self._drawing.arrows[key, target]
            yield f'<path class="head" d="M{arrow.x - 4:.1f} {arrow.y - 15:.1f}h8l-4 7z"/>'
        yield "</g>"

    def _span_of(self, key: str) -> tuple[float, float, float]:
        """From where to where a band reaches, and at which level."""
        start, end = self._drawing.bands[key]
        return start.x - 8, end.x + 8, start.y

    def _kind(self, key: str) -> str:
        return "band" if self._hubs[key].network else "band joined"

    def _hue(self, key: str) -> int:
        return self._colours.get(self._hubs[key].network, 0)

    def _band(self, key: str) -> Iterator[str]:
        hub, (low, high, y) = self._hubs[key], self._span_of(key)
        told = f"network {hub.network} is open" if hub.network else f"{', '.join(hub.members)} reach each other"
        yield (
            f'<g class="{self._kind(key)}" style="--hue:{self._hue(key)}"><title>{escape(told)}</title>'
            f'<rect x="{low:.1f}" y="{y - 10:.1f}" width="{high - low:.1f}" height="20" rx="10"/>'
            f'<text x="{(low + high) / 2:.1f}" y="{y + 4:.1f}">{escape(_band(hub))}</text></g>'
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
            hue = self._colours[name]
            yield (
                f'<circle class="chip" style="--hue:{hue}" cx="{start + 4:.1f}" cy="{y - 4:.1f}" r="4"/>'
                f'<text class="small" x="{start + 14:.1f}" y="{y:.1f}">{escape(name)}</text>'
            )
            y += 15
        for each in shape.badges:
            look = "badge wrong" if each.differs else "badge"
            yield f'<text class="{look}" x="{middle:.1f}" y="{y:.1f}">{escape(_badge(each))}</text>'
            y += 15
        yield "</g>"
        for key, flow in shape.pins.items():
            arrow, width = self._drawing.arrows[key, shape.key], _pin_width(flow)
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


def _band(hub: Hub) -> str:
    return f"{hub.network}: all to all" if hub.network else f"each to each: {hub.ports}"


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
    if flow.target == flow.source:
        return f"\u21bb each other: {_pin(flow)}"
    return f"\u2197 {'host' if flow.target == HOST else 'out'}: {_pin(flow)}"


def _path(points: Iterable[Point]) -> str:
    (first, *others) = points
    return f"M{first.x:.1f} {first.y:.1f}" + "".join(f"L{each.x:.1f} {each.y:.1f}" for each in others)


def _rect(at: Placed, radius: int) -> str:
    return f'<rect x="{at.x:.1f}" y="{at.y:.1f}" width="{at.width:.1f}" height="{at.height:.1f}" rx="{radius}"/>'


def _quoted(text: Any) -> str:
    return f'"{escape(str(text), quote=True)}"'
