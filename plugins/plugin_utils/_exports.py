# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report for other programs: JSON, JUnit, Mermaid, DOT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from xml.sax.saxutils import escape, quoteattr

from ._fleet import Cell, Fleet, Host
from ._flows import Drawn, Flow, Hub, crossing, drawn
from ._groups import Table, table


def as_json(fleet: Fleet) -> str:
    """All that is known, without what differs from one run to the next, as latencies do."""
    return (
        json.dumps(
            {
                "title": fleet.title,
                "hosts": {
                    each.name: {
                        "holds": each.holds,
                        "failures": list(each.failures),
                        "drift": each.drift,
                        "survey": each.survey,
                        "differs": [_plain(one) for one in each.differing],
                        "cells": [_plain(one) for one in each.cells],
                    }
                    for each in fleet.hosts
                },
            },
            indent=1,
            sort_keys=True,
        )
        + "\n"
    )


def as_junit(fleet: Fleet) -> str:
    """A suite for each host, a case for each pair that was measured; what is not judged is skipped."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    suites = [_suite(each) for each in fleet.hosts]
    total, failed = sum(suite[1] for suite in suites), sum(suite[2] for suite in suites)
    lines.append(f'<testsuites name={_attribute(fleet.title)} tests="{total}" failures="{failed}">')
    for listed, _total, _failed in suites:
        lines += listed
    return "\n".join([*lines, "</testsuites>", ""])


_SUITES = {"written": "written", "across": "to other hosts"}


def _suite(host: Host) -> tuple[list[str], int, int]:
    pairs: dict[tuple[str, str, str], list[Cell]] = {}
    for each in host.cells:
        origin = _SUITES.get(each.origin, "truth table")
        pairs.setdefault((origin, each.source, each.target), []).append(each)
    cases, failed = [], 0
    for (origin, source, target), cells in sorted(pairs.items()):
        wrong = [each for each in cells if each.differs]
        failed += bool(wrong)
        opening = (
            f"<testcase classname={_attribute(f'{host.name}.{origin}')} name={_attribute(f'{source} to {target}')}"
        )
        if not wrong:
            cases.append(f"  {opening}/>")
            continue
        told = "\n".join(f"{each.title}: {each.outcome}, expected {each.expect}" for each in wrong)
        message = _attribute(f"{len(wrong)} of {len(cells)} cells differ")
        cases.append(f"  {opening}><failure message={message}>{_text(told)}</failure></testcase>")
    for failure in host.failures:
        failed += 1
        name = _attribute(f"{host.name}.measurement")
        cases.append(
            f'  <testcase classname={name} name="was measured"><failure message={_attribute(failure)}/></testcase>'
        )
    skipped = host.survey.get("unjudged", ())
    for left in skipped:
        name, message = _attribute(left["reason"]), _attribute(f"{left['cells']} cells, as {left['example']}")
        cases.append(
            f"  <testcase classname={_attribute(f'{host.name}.not judged')} name={name}>"
            f"<skipped message={message}/></testcase>"
        )
    count = len(cases)
    opening = f'<testsuite name={_attribute(host.name)} tests="{count}" failures="{failed}" skipped="{len(skipped)}">'
    return [opening, *cases, "</testsuite>"], count, failed


def as_mermaid(fleet: Fleet) -> str:
    """A flowchart: a subgraph for each host, an arrow for each flow between groups of containers, and hubs."""
    lines = ["flowchart TB"]
    names: dict[str, str] = {}
    differs: list[bool] = []

    def draw(each: Flow, indent: str) -> None:
        line = "-->" if each.passed else "-.->"
        lines.append(f"{indent}{names[each.source]} {line}|{_quoted(_label(each))}| {names[each.target]}")
        differs.append(each.differs)

    tables = {each.name: table(each) for each in fleet.hosts}
    for number, host in enumerate(fleet.hosts):
        shown = drawn(host, tables[host.name])
        lines.append(f"  subgraph h{number}[{_quoted(host.name)}]")
        for index, (key, label) in enumerate(_nodes(tables[host.name], shown)):
            names[f"{host.name}/{key}"] = f"h{number}n{index}"
            lines.append(f"    h{number}n{index}[{_quoted(label)}]")
        for index, hub in enumerate(shown.hubs):
            lines.append(f"    h{number}hub{index}([{_quoted(_hub(hub))}])")
            lines += [f"    {names[f'{host.name}/{each}']} --- h{number}hub{index}" for each in hub.members]
            differs += [False] * len(hub.members)
        for each in shown.flows:
            draw(_on(host, each), "    ")
        lines.append("  end")
    for each in crossing(fleet, tables):
        draw(each, "  ")
    wrong = [str(number) for number, is_wrong in enumerate(differs) if is_wrong]
    if wrong:
        lines.append(f"  linkStyle {','.join(wrong)} stroke:#c00,color:#c00")
    return "\n".join([*lines, ""])


def as_dot(fleet: Fleet) -> str:
    """The same for graphviz: a cluster for each host."""
    lines = [f"digraph {_dot(fleet.title)} {{", "  node [shape=box, fontname=monospace];"]
    tables = {each.name: table(each) for each in fleet.hosts}
    for number, host in enumerate(fleet.hosts):
        found = tables[host.name]
        shown = drawn(host, found)
        lines += [f"  subgraph cluster_{number} {{", f"    label={_dot(host.name)};"]
        lines += [f"    {_dot(f'{host.name}/{key}')} [label={_dot(label)}];" for key, label in _nodes(found, shown)]
        for index, hub in enumerate(shown.hubs):
            name = _dot(f"{host.name}/ hub {index}")
            lines.append(f"    {name} [label={_dot(_hub(hub))}, shape=ellipse];")
            lines += [f"    {_dot(f'{host.name}/{each}')} -> {name} [dir=none];" for each in hub.members]
        lines += [f"    {_dot_arrow(_on(host, each))}" for each in shown.flows]
        lines.append("  }")
    lines += [f"  {_dot_arrow(each)}" for each in crossing(fleet, tables)]
    return "\n".join([*lines, "}", ""])


def _dot_arrow(flow: Flow) -> str:
    look = ', color="red", fontcolor="red"' if flow.differs else ""
    look += "" if flow.passed else ', style="dashed"'
    return f"{_dot(flow.source)} -> {_dot(flow.target)} [label={_dot(_label(flow))}{look}];"


def _on(host: Host, flow: Flow) -> Flow:
    """A flow of one host, in a picture of many."""
    return replace(flow, source=f"{host.name}/{flow.source}", target=f"{host.name}/{flow.target}")


def _nodes(found: Table, shown: Drawn) -> list[tuple[str, str]]:
    """What arrows go between, with its label: all containers, and who else has an arrow."""
    groups = {each.key: _box(each.label, each.networks) for each in found.groups if each.networks}
    others = {end for each in shown.flows for end in (each.source, each.target)} - set(groups)
    return [*groups.items(), *((each, each) for each in sorted(others))]


def _hub(hub: Hub) -> str:
    return f"{hub.network or 'each to each'}: {hub.ports}"


def _label(flow: Flow) -> str:
    return f"{flow.ports} differs" if flow.differs else flow.ports


def _box(label: str, networks: tuple[str, ...]) -> str:
    return f"{label} ({', '.join(networks)})" if networks else label


def _plain(cell: Cell) -> dict[str, object]:
    return {key: value for key, value in asdict(cell).items() if value not in ("", None)}


def _quoted(text: str) -> str:
    """A text of Mermaid: its entities are written with ``#``, and everything but the plainest becomes one."""
    return '"' + re.sub(r"[^A-Za-z0-9 .,/:()_*+-]", lambda found: f"#{ord(found[0])};", text) + '"'


def _dot(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", "".join(_printable(text))) + '"'


def _printable(text: str) -> Iterator[str]:
    """The characters that XML 1.0 and a line of text can have."""
    yield from (each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def _text(text: str) -> str:
    return escape("".join(_printable(text)))


def _attribute(text: str) -> str:
    return quoteattr("".join(_printable(text)))
