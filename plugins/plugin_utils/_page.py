# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page that needs nothing beside itself: no network, no script, no font."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from ._fleet import WORLD, Cell, Fleet, Host, counted, ports
from ._groups import Group, Table, table
from ._picture import colours_of, pictures
from ._style import STYLE

_MOST_TOLD = 40
"""Cells of a list; all of them are in the JSON beside the page."""


def as_html(fleet: Fleet) -> str:
    """The page."""
    title = _text(fleet.title)
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}: who reaches whom</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        f"<header>\n<h1>{title}</h1>",
        f'<p class="verdict">{_verdict(fleet)}</p>',
        "</header>",
        *_summary(fleet),
    ]
    for number, each in enumerate(fleet.hosts):
        parts += _host(each, f"host-{number}")
    return "\n".join([*parts, "</body>\n</html>", ""])


def _verdict(fleet: Fleet) -> str:
    cells = sum(len(each.cells) for each in fleet.hosts)
    wrong = sum(len(each.differing) for each in fleet.hosts)
    failed = [each for each in fleet.hosts if each.failures]
    measured = f"{counted(cells, 'cell')} measured on {counted(len(fleet.hosts) - len(failed), 'host')}"
    told = '<b class="good">all as declared</b>' if not wrong else f'<b class="bad">{wrong} not as declared</b>'
    if failed:
        told += f', <b class="bad">{counted(len(failed), "host")} not measured in full</b>'
    return f"{measured}: {told}."


def _summary(fleet: Fleet) -> Iterator[str]:
    heads = ("host", "engine", "containers", "measured", "differ", "not judged", "drift", "open to anyone")
    yield '<div class="wide" tabindex="0"><table class="plain"><thead><tr>'
    yield "".join(f"<th{_NUMBER * (n > 1)}>{each}</th>" for n, each in enumerate(heads)) + "</tr></thead><tbody>"
    for number, each in enumerate(fleet.hosts):
        survey = each.survey
        link = f'<a href="#host-{number}">{_text(each.name)}</a>'
        if not survey:
            yield f'<tr><td>{link}</td><td colspan="7" class="bad">{_text("; ".join(each.failures))}</td></tr>'
            continue
        wide = sum(1 for one in survey["exposed"] if set(one["open_to"]) & {WORLD, "anyone"})
        numbers = (
            (len(survey["containers"]), False),
            (len(each.cells), False),
            (len(each.differing), True),
            (each.unjudged + survey["passed_over"], False),
            (len(each.drift), True),
            (wide, False),
        )
        told = "".join(
            f'<td class="number{" bad" * (is_bad and bool(value))}">{value}</td>' for value, is_bad in numbers
        )
        yield f"<tr><td>{link}</td><td>{_text(survey['engine'])}</td>{told}</tr>"
    yield "</tbody></table></div>"


_NUMBER = ' class="number"'


def _host(host: Host, anchor: str) -> Iterator[str]:
    mark = '<span class="mark good">\u2713 as declared</span>'
    if not host.holds:
        what = (
            counted(len(host.differing), "cell differs", "cells differ") if host.differing else "not measured in full"
        )
        mark = f'<span class="mark bad">\u2715 {what}</span>'
    yield f'<section class="host" id="{anchor}">\n<header><h2>{_text(host.name)}</h2>{mark}'
    if host.survey:
        keeper = "kept by a keeper" if host.survey["keeper"] else "no keeper"
        yield f'<span class="soft">Docker Engine {_text(host.survey["engine"])}, {keeper}</span>'
    yield "</header>"
    if host.failures:
        yield _list(host.failures, wrong=True)
    if host.survey:
        found = table(host)
        yield from _differs(host)
        yield from _drawn(host, found)
        yield from _exposed(host)
        yield from _drift(host)
        yield from _matrix(found)
        yield from _across(host)
        yield from _not_measured(host)
        yield from _networks(host)
    yield "</section>"


def _differs(host: Host) -> Iterator[str]:
    wrong = host.differing
    if not wrong:
        return
    yield "<h3>What differs</h3>"
    yield from _opened("from", "to", "packets", "expected", "measured", "note")
    for each in wrong[:_MOST_TOLD]:
        at = f"{each.address}{f' on {each.network}' if each.network else ''}"
        yield (
            f'<tr><td>{_text(each.source)}</td><td>{_text(each.target)} <span class="soft">{_text(at)}</span></td>'
            f"<td>{_text(each.what)}</td><td>{_text(_expected(each))}</td>"
            f'<td class="bad">{_text(each.outcome)}</td><td class="soft">{_text(each.note)}</td></tr>'
        )
    yield "</tbody></table></div>"
    if len(wrong) > _MOST_TOLD:
        yield f'<p class="soft">And {len(wrong) - _MOST_TOLD} more; report.json has them all.</p>'


def _expected(cell: Cell) -> str:
    return f"{cell.expect} through {cell.through}" if cell.through else cell.expect


def _drawn(host: Host, found: Table) -> Iterator[str]:
    drawn = pictures(host, found)
    if not drawn:
        return
    yield "<h3>Who reaches whom</h3>"
    yield (
        '<p class="key">Lines lead down, or back up on the right, to the ports at the top of whom they reach.'
        " Boxes with a shadow are containers that are alike."
        " A band is a network on which all reach all, a lane at the side one that a policy closes.</p>"
    )
    for each in drawn:
        yield f'<figure class="wide" tabindex="0">\n{each}\n</figure>'


def _exposed(host: Host) -> Iterator[str]:
    exposed = host.survey["exposed"]
    yield "<h3>What is exposed to the outside</h3>"
    if not exposed:
        yield '<p class="soft">No port is published on an address that others reach.</p>'
        return
    measured = {each.what: each for each in host.cells if each.origin == "outside" and each.source == WORLD}
    yield from _opened("published", "container", "open to, by declaration", "from outside")
    for each in exposed:
        address = f"[{each['host']}]" if ":" in each["host"] else each["host"]
        cell = measured.get(f"{each['port'].partition('/')[2]}/{each['host_port']}")
        told = "not measured" if cell is None else cell.outcome
        look = "soft" if cell is None else "bad" if cell.differs else "good"
        open_to = ", ".join(each["open_to"]) or "nobody"
        who = f"{each['container']} {each['port']}"
        yield (
            f"<tr><td>{_text(address)}:{each['host_port']}</td><td>{_text(who)}</td>"
            f'<td>{_text(open_to)}</td><td class="{look}">{_text(told)}</td></tr>'
        )
    yield "</tbody></table></div>"


def _drift(host: Host) -> Iterator[str]:
    pending = [f"{each['name']}: {one}" for each in host.survey["topologies"] for one in each["pending"]]
    yield "<h3>Drift</h3>"
    if host.drift:
        yield "<p>What the next run would do:</p>"
        yield _list(host.drift, wrong=True)
    else:
        names = ", ".join(each["name"] for each in host.survey["topologies"])
        yield f'<p class="soft">None. The next run would change nothing of {_text(names or "no topology")}.</p>'
    if pending:
        yield "<p>What waits:</p>"
        yield _list(pending)


def _matrix(found: Table) -> Iterator[str]:
    if not found.cells:
        return
    yield "<h3>The truth table</h3>"
    yield (
        '<p class="key">From the rows to the columns: the ports on which packets pass. \u00b7 is where none does, and'
        " none is to. A cell in red is not as declared: ! passes, \u2715 does not.</p>"
    )
    columns = [each for each in found.groups if each.key != WORLD or any(pair[1] == WORLD for pair in found.cells)]
    yield '<div class="wide tall" tabindex="0"><table class="matrix"><thead><tr><th><span>from \\ to</span></th>'
    yield "".join(f"<th title={_quoted(_members(each))}><span>{_text(each.label)}</span></th>" for each in columns)
    yield "</tr></thead><tbody>"
    for row in found.groups:
        cells = "".join(_cell(row, column, found.between(row, column)) for column in columns)
        yield f"<tr><th title={_quoted(_members(row))}>{_text(row.label)}</th>{cells}</tr>"
    yield "</tbody></table></div>"
    folded = [each for each in found.groups if len(each.members) > 1]
    if folded:
        yield f"<details><summary>{counted(len(folded), 'row')} of containers that are alike</summary>"
        yield _list(f"{each.label}: {', '.join(each.members)}" for each in folded) + "</details>"


def _cell(row: Group, column: Group, cells: Sequence[Cell]) -> str:
    if not cells:
        return '<td class="self"></td>'
    told, is_wrong = _told(cells)
    passed = _passing(cells)
    kinds = ports([each.what for each in cells])
    title = f"{row.label} to {column.label}: {len(cells)} measured on {kinds}; pass: {passed or 'none'}"
    look = ' class="wrong"' if is_wrong else ' class="pass"' if passed else ""
    return f"<td{look} title={_quoted(title)}>{_text(told) or chr(0xB7)}</td>"


def _told(cells: Sequence[Cell]) -> tuple[str, bool]:
    """What passes of a pair, or where something differs, that; and whether it does."""
    wrong = [each for each in cells if each.differs]
    if not wrong:
        return _passing(cells), False
    opened = [each.what for each in wrong if each.passed]
    cut = [each.what for each in wrong if not each.passed]
    return ", ".join(f"{mark} {ports(listed)}" for mark, listed in (("!", opened), ("\u2715", cut)) if listed), True


def _passing(cells: Sequence[Cell]) -> str:
    passed, kinds = {each.what for each in cells if each.passed}, {each.what for each in cells}
    return "all" if passed == kinds and len(kinds) > 1 else ports(sorted(passed))


def _across(host: Host) -> Iterator[str]:
    """What gets to containers of other hosts; those of whom the same passes are told together."""
    pairs: dict[tuple[str, str], list[Cell]] = {}
    for each in host.cells:
        if each.origin == "across":
            pairs.setdefault((each.source, each.target), []).append(each)
    if not pairs:
        return
    yield "<h3>To other hosts</h3>"
    passing = {pair: cells for pair, cells in pairs.items() if any(each.passed or each.differs for each in cells)}
    closed = len(pairs) - len(passing)
    if closed:
        yield f'<p class="soft">Between {counted(closed, "pair")} of containers nothing passes, and nothing is to.</p>'
    if not passing:
        return
    alike: dict[tuple[str, str, bool], list[str]] = {}
    for (source, target), cells in sorted(passing.items()):
        alike.setdefault((source, *_told(cells)), []).append(target)
    yield (
        '<p class="key">The ports on which packets pass. In red is what is not as declared:'
        " ! passes, \u2715 does not.</p>"
    )
    yield from _opened("from", "to", "packets that pass")
    for (source, told, is_wrong), targets in alike.items():
        look = ' class="bad"' * is_wrong
        yield f"<tr><td>{_text(source)}</td><td>{_text(', '.join(targets))}</td><td{look}>{_text(told)}</td></tr>"
    yield "</tbody></table></div>"


def _members(group: Group) -> str:
    return ", ".join(group.members)


def _not_measured(host: Host) -> Iterator[str]:
    survey = host.survey
    told = [f"{counted(each['cells'], 'cell')}: {each['reason']} ({each['example']})" for each in survey["unjudged"]]
    if survey["passed_over"]:
        told.append(f"{counted(survey['passed_over'], 'cell')}: more than are measured of one host")
    if survey["unasked"]:
        told.append(f"containers of {counted(survey['unasked'], 'host')}: more than are asked by one host")
    told += [f"{each['container']} {each['reason']}" for each in survey["left_out"]]
    yield "<h3>What was not measured</h3>"
    yield _list(told) if told else '<p class="soft">Nothing: every cell of the table was judged and measured.</p>'


def _networks(host: Host) -> Iterator[str]:
    colours = colours_of(host)
    policies = {name: each for each in host.survey["topologies"] for name in each["networks"]}
    yield "<details><summary>Networks</summary>"
    yield from _opened("network", "subnets", "driver", "topology", "policy")
    for each in host.survey["networks"]:
        topology = policies.get(each["name"], {})
        driver = f"{each['driver']}, internal" if each["internal"] else each["driver"]
        yield (
            f'<tr><td><span class="dot" style="--hue:{colours[each["name"]]}"></span> {_text(each["name"])}</td>'
            f"<td>{_text(', '.join(each['subnets']))}</td><td>{_text(driver)}</td>"
            f"<td>{_text(topology.get('name') or each['topology'] or '')}</td>"
            f"<td>{_text(topology.get('policy', 'none'))}</td></tr>"
        )
    yield "</tbody></table></div></details>"


def _opened(*heads: str) -> Iterator[str]:
    yield '<div class="wide" tabindex="0"><table class="plain"><thead><tr>'
    yield "".join(f"<th>{each}</th>" for each in heads) + "</tr></thead><tbody>"


def _list(told: Iterable[str], wrong: bool = False) -> str:
    items = "".join(f"<li>{_text(each)}</li>" for each in told)
    return f'<ul class="found{" wrong" * wrong}">{items}</ul>'


def _text(text: Any) -> str:
    return escape(str(text), quote=True)


def _quoted(text: Any) -> str:
    return f'"{_text(text)}"'
