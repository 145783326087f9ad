# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets through to whom, as a picture shows it: arrows between groups, and open networks where all talk to all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ._fleet import HOST, WORLD, Cell, Fleet, Host
from ._fleet import ports as told_ports
from ._groups import Group, Table

EVERYTHING = "all"


@dataclass(frozen=True)
class Flow:
    """What one group gets through to another on some ports; ``differs`` where that is not as declared.

    ``passed`` is whether packets got through; what was to pass and did not is a flow that differs.
    """

    source: str
    target: str
    ports: str
    passed: bool = True
    differs: bool = False


@dataclass(frozen=True)
class Hub:
    """Where all reach all on the same ports: an open network, or without one whoever routes and policies join."""

    ports: str
    members: tuple[str, ...]
    network: str = ""

    @property
    def key(self) -> str:
        return self.network or " ".join((self.ports, *self.members))


@dataclass(frozen=True)
class Drawn:
    """What a picture shows of who gets through to whom."""

    hubs: tuple[Hub, ...]
    flows: tuple[Flow, ...]


def drawn(host: Host, found: Table) -> Drawn:
    """The hubs of a host, and the arrows beside them, in order."""
    hubs = _open_networks(host, found)
    arrows = [
        flow
        for source in found.groups
        for target in found.groups
        if (source.key, target.key) != (WORLD, HOST)  # what is published leads to who publishes it
        and (source is not target or len(source.members) > 1)
        for flow in _arrows(source, target, found.between(source, target), hubs)
    ]
    published = _published(host, found)
    entered = {each.target for each in published if each.source == WORLD}
    # An engine that leads who is outside to a published port by the container's own address, too, is no news.
    arrows = [each for each in arrows if each.differs or each.source != WORLD or each.target not in entered]
    circles = _circles(arrows)
    left = [each for each in arrows if not any(_is_in(each, circle) for circle in circles)]
    return Drawn((*hubs, *circles), (*left, *published))


def crossing(fleet: Fleet, tables: Mapping[str, Table]) -> list[Flow]:
    """The arrows from host to host, between groups that are called ``host/group`` here, in order."""
    homes = {
        f"{name}/{member}": f"{name}/{group.key}"
        for name, found in tables.items()
        for group in found.groups
        for member in group.members
    }
    pairs: dict[tuple[str, str], list[Cell]] = {}
    for host in fleet.hosts:
        for each in host.cells:
            source, target = homes.get(f"{host.name}/{each.source}"), homes.get(each.target)
            if each.origin == "across" and source and target:
                pairs.setdefault((source, target), []).append(each)
    return [flow for (source, target), cells in sorted(pairs.items()) for flow in _told_of(source, target, cells)]


def _open_networks(host: Host, found: Table) -> list[Hub]:
    """The networks that no policy closes, with the groups on them; one that holds a difference is none."""
    closed = {
        name for each in host.survey.get("topologies", ()) if each["policy"] == "deny" for name in each["networks"]
    }
    opened = []
    for name in (each["name"] for each in host.survey.get("networks", ()) if each["name"] not in closed):
        members = [group for group in found.groups if name in group.networks]
        people = sum(len(group.members) for group in members)
        if people > 1 and all(_is_open(found, one, other, name) for one in members for other in members):
            opened.append(Hub(EVERYTHING, tuple(group.key for group in members), name))
    return opened


def _is_open(found: Table, source: Group, target: Group, network: str) -> bool:
    if source is target and len(source.members) == 1:
        return True
    cells = [each for each in found.between(source, target) if each.network == network]
    return bool(cells) and all(each.passed and not each.differs for each in cells)


def _arrows(source: Group, target: Group, cells: Sequence[Cell], hubs: Sequence[Hub]) -> list[Flow]:
    measured = [each for each in cells if each.origin != "written"]
    right = [each for each in measured if each.passed and not each.differs]
    covered = {each.network for each in hubs if {source.key, target.key} <= set(each.members)}
    # The host reaches what nobody closes, and is reached: that is no news, and would be an arrow to everybody.
    is_plain = len(right) == len(measured) and (bool(covered) or HOST in (source.key, target.key))
    is_news = not is_plain and not {each.network for each in right} <= covered
    return [each for each in _told_of(source.key, target.key, cells) if each.differs or is_news]


def _told_of(source: str, target: str, cells: Sequence[Cell]) -> Iterator[Flow]:
    """What differs between two, and what passes as it is to."""
    measured = [each for each in cells if each.origin != "written"]
    for passed in (True, False):
        wrong = [each.what for each in cells if each.differs and each.passed == passed]
        if wrong:
            yield Flow(source, target, _told(wrong, measured), passed, differs=True)
    right = [each.what for each in measured if each.passed and not each.differs]
    if right:
        yield Flow(source, target, _told(right, measured))


def _told(whats: Sequence[str], cells: Sequence[Cell]) -> str:
    return EVERYTHING if set(whats) == {each.what for each in cells} and len(set(whats)) > 1 else told_ports(whats)


def _circles(arrows: Sequence[Flow]) -> list[Hub]:
    """Three or more, each of whom reaches each other one on the same ports: a hub says it with fewer lines."""
    plain = {(each.source, each.target, each.ports) for each in arrows if not each.differs}
    mutual: dict[str, dict[str, set[str]]] = {}
    for source, target, ports in plain:
        if source != target and (target, source, ports) in plain and not {source, target} & {HOST, WORLD}:
            mutual.setdefault(ports, {}).setdefault(source, set()).add(target)
    circles = []
    for ports, known in sorted(mutual.items()):
        left = [each for _rank, each in sorted((-len(others), each) for each, others in known.items())]
        while left:
            circle: list[str] = []
            for each in left:
                if all(other in known[each] for other in circle):
                    circle.append(each)
            left = [each for each in left if each not in circle]
            if len(circle) > 2:
                circles.append(Hub(ports, tuple(sorted(circle))))
    return circles


def _is_in(flow: Flow, circle: Hub) -> bool:
    return not flow.differs and flow.ports == circle.ports and {flow.source, flow.target} <= set(circle.members)


def _published(host: Host, found: Table) -> list[Flow]:
    """What is open to the outside by a published port, or is not what it should be."""
    group_of = {name: group.key for group in found.groups for name in group.members}
    measured = {each.what: each for each in host.cells if each.origin == "outside" and each.target == HOST}
    ways: dict[tuple[str, str, bool, bool], dict[str, None]] = {}
    for each in host.survey.get("exposed", ()):
        protocol = each["port"].partition("/")[2]
        what = f"{protocol}/{each['host_port']}"
        inner = f"{protocol}/{each['port'].partition('/')[0]}"
        told = told_ports([what]) if inner == what else f"{told_ports([what])}\u2192{told_ports([inner])}"
        target = group_of.get(each["container"], each["container"])
        cell = measured.get(what)
        if cell is not None and cell.differs:
            ways.setdefault((WORLD, target, cell.passed, True), {})[told] = None
            continue
        for who in each["open_to"] if each["open_to"] != ["not judged"] else ():
            ways.setdefault((WORLD if who == "anyone" else who, target, True, False), {})[told] = None
    return [
        Flow(source, target, ", ".join(listed), passed, differs)
        for (source, target, passed, differs), listed in sorted(ways.items())
    ]
