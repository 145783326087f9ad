# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report for other programs: JSON, JUnit, Mermaid, DOT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from xml.sax.saxutils import escape, quoteattr

from ._fleet import Cell, Fleet, Host, verdict
from ._flows import Flow, flows
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
    total, failed = (sum(suite[n] for suite in suites) for n in (1, 2))
    lines.append(f'<testsuites name={_attribute(fleet.title)} tests="{total}" failures="{failed}">')
    for listed, _total, _failed in suites:
        lines += listed
    return "\n".join([*lines, "</testsuites>", ""])


def _suite(host: Host) -> tuple[list[str], int, int]:
    pairs: dict[tuple[str, str, str], list[Cell]] = {}
    for each in host.cells:
        origin = "written" if each.origin == "written" else "truth table"
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
    for each in host.failures:
        failed += 1
        name = _attribute(f"{host.name}.measurement")
        cases.append(
            f'  <testcase classname={name} name="was measured"><failure message={_attribute(each)}/></testcase>'
        )
    skipped = host.survey.get("unjudged", ())
    for each in skipped:
        name, message = _attribute(each["reason"]), _attribute(f"{each['cells']} cells, as {each['example']}")
        cases.append(
            f"  <testcase classname={_attribute(f'{host.name}.not judged')} name={name}>"
            f"<skipped message={message}/></testcase>"
        )
    count = len(cases)
    opening = f'<testsuite name={_attribute(host.name)} tests="{count}" failures="{failed}" skipped="{len(skipped)}">'
    return [opening, *cases, "</testsuite>"], count, failed


def as_mermaid(fleet: Fleet) -> str:
    """A flowchart: a subgraph for each host, an arrow for each flow between groups of containers."""
    lines = ["flowchart TB"]
    for number, host in enumerate(fleet.hosts):
        lines.append(f"  subgraph h{number}[{_quoted(host.name)}]")
        found = table(host)
        names = {}
        for index, group in enumerate(found.groups):
            names[group.key] = f"h{number}g{index}"
            if group.key in _used(found, host):
                lines.append(f"    {names[group.key]}[{_quoted(_box(group.label, group.networks))}]")
        wrong = []
        drawn = flows(host, found)
        for index, each in enumerate(drawn):
            source, target = names[each.source], names[each.target]
            lines.append(f"    {source} {'-.->' if not each.passed else '-->'}|{_quoted(_label(each))}| {target}")
            if each.differs:
                wrong.append(str(sum(_arrows(one) for one in fleet.hosts[:number]) + index))
        lines.append("  end")
        if wrong:
            lines.append(f"  linkStyle {','.join(wrong)} stroke:#c00,color:#c00")
    return "\n".join([*lines, ""])


def _arrows(host: Host) -> int:
    return len(flows(host, table(host)))


def as_dot(fleet: Fleet) -> str:
    """The same for graphviz: a cluster for each host."""
    lines = [f"digraph {_dot(fleet.title)} {{", "  rankdir=LR; node [shape=box, fontname=monospace];"]
    for number, host in enumerate(fleet.hosts):
        lines += [f"  subgraph cluster_{number} {{", f"    label={_dot(host.name)};"]
        found = table(host)
        used = _used(found, host)
        lines += [
            f"    {_dot(f'{host.name}/{each.key}')} [label={_dot(_box(each.label, each.networks))}];"
            for each in found.groups
            if each.key in used
        ]
        for each in flows(host, found):
            look = ', color="red", fontcolor="red"' if each.differs else ""
            look += "" if each.passed else ', style="dashed"'
            ends = f"{_dot(f'{host.name}/{each.source}')} -> {_dot(f'{host.name}/{each.target}')}"
            lines.append(f"    {ends} [label={_dot(_label(each))}{look}];")
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def _used(found: Table, host: Host) -> set[str]:
    """Groups with a flow, and all containers: host and world are there where somebody speaks to them."""
    ends = {end for each in flows(host, found) for end in (each.source, each.target)}
    return ends | {each.key for each in found.groups if each.networks}


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


def summary(fleet: Fleet) -> list[str]:
    """A line for each host."""
    return [f"{each.name}: {verdict(each)['message']}" for each in fleet.hosts]
