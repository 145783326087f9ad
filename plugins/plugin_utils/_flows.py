# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets through to whom, as a picture shows it: arrows between groups, and open networks where all talk to all."""

from __future__ import annotations

from dataclasses import dataclass

from ._fleet import HOST, WORLD, Cell, Host
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
class Open:
    """A network on which all reach all: one hub, and no arrows."""

    network: str
    members: tuple[str, ...]


def open_networks(host: Host, found: Table) -> list[Open]:
    """The networks that no policy closes, with the groups on them; one that holds a difference is none."""
    closed = {
        name for each in host.survey.get("topologies", ()) if each["policy"] == "deny" for name in each["networks"]
    }
    opened = []
    for each in host.survey.get("networks", ()):
        name = each["name"]
        members = [group for group in found.groups if name in group.networks]
        people = sum(len(group.members) for group in members)
        if (
            name not in closed
            and people > 1
            and all(_is_open(found, one, other, name) for one in members for other in members)
        ):
            opened.append(Open(name, tuple(group.key for group in members)))
    return opened


def _is_open(found: Table, source: Group, target: Group, network: str) -> bool:
    if source is target and len(source.members) == 1:
        return True
    cells = [each for each in found.between(source, target) if each.network == network]
    return bool(cells) and all(each.passed and not each.differs for each in cells)


def flows(host: Host, found: Table) -> list[Flow]:
    """Every arrow, in order: what differs, what is published, and what passes beside the open networks."""
    hubs = open_networks(host, found)
    drawn = []
    for source in found.groups:
        for target in found.groups:
            if source is target and len(source.members) == 1:
                continue
            if (source.key, target.key) == (WORLD, HOST):
                continue  # that is what is published, and leads to who publishes it
            cells = [each for each in found.between(source, target) if each.origin != "written"]
            drawn += _arrows(source, target, cells, hubs)
    return drawn + _published(host, found)


def _arrows(source: Group, target: Group, cells: list[Cell], hubs: list[Open]) -> list[Flow]:
    drawn = []
    for passed, differs in ((True, True), (False, True)):
        wrong = [each.what for each in cells if each.differs and (each.outcome == "pass") == passed]
        if wrong:
            drawn.append(Flow(source.key, target.key, _told(wrong, cells), passed, differs))
    covered = {each.network for each in hubs if {source.key, target.key} <= set(each.members)}
    right = [each for each in cells if each.passed and not each.differs]
    if covered and all(each.network in covered for each in right):
        return drawn
    plainly = HOST in (source.key, target.key) and _is_unasked(right, cells)
    if right and not plainly:
        drawn.append(Flow(source.key, target.key, _told([each.what for each in right], cells)))
    return drawn


def _is_unasked(right: list[Cell], cells: list[Cell]) -> bool:
    """The host reaches what nobody closes, and is reached: that is no news, and would be an arrow to everybody."""
    return len(right) == len(cells)


def _told(whats: list[str], cells: list[Cell]) -> str:
    return EVERYTHING if set(whats) == {each.what for each in cells} and len(set(whats)) > 1 else told_ports(whats)


def _published(host: Host, found: Table) -> list[Flow]:
    """What is open to the outside by a published port, or is not what it should be."""
    group_of = {name: group.key for group in found.groups for name in group.members}
    measured = {each.what: each for each in host.cells if each.origin == "outside" and each.target == HOST}
    drawn: dict[tuple[str, str, bool, bool], list[str]] = {}
    for each in host.survey.get("exposed", ()):
        what = f"{each['port'].partition('/')[2]}/{each['host_port']}"
        target = group_of.get(each["container"], each["container"])
        cell = measured.get(what)
        if cell is not None and cell.differs:
            drawn.setdefault((WORLD, target, cell.passed, True), []).append(what)
            continue
        for who in each["open_to"]:
            drawn.setdefault((WORLD if who == "anyone" else who, target, True, False), []).append(what)
    return [
        Flow(source, target, f"\u2192 {told_ports(whats)}", passed, differs)
        for (source, target, passed, differs), whats in sorted(drawn.items())
    ]
