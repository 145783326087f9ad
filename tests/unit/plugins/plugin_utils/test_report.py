# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in every format: whole, the same each time, and safe from what containers are called."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from ansible_collections.breakwater.docker.plugins.filter.fleet_host import fleet_host
from ansible_collections.breakwater.docker.plugins.filter.fleet_report import FilterModule
from ansible_collections.breakwater.docker.plugins.filter.fleet_report import fleet_report as written
from ansible_collections.breakwater.docker.plugins.plugin_utils import _fleet as fleets
from ansible_collections.breakwater.docker.plugins.plugin_utils._flows import drawn
from ansible_collections.breakwater.docker.plugins.plugin_utils._groups import table

from .sample import cell, container, host, hundred, shop

FORMATS = ("html", "json", "junit", "mermaid", "dot")
HOSTILE = '<script>alert("x")</script>&\'"]]>\\ |--> x'
WRONG = {("edge", "db", "tcp/5432"): "pass", ("app-1", "db", "tcp/5432"): "drop", ("", "", "443"): "drop"}


class Page(HTMLParser):
    """The elements of a page; a void element ends itself, any other one must be ended."""

    VOID = ("meta", "!doctype", "br", "rect", "path", "circle")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def fleet_report(found: dict[str, Any], format_: str, title: str = "Breakwater") -> str:
    """The report of what was registered, on the way that the role takes."""
    return written({name: fleet_host(each) if each else "" for name, each in found.items()}, format_, title)


def hostile() -> dict[str, Any]:
    """A host whose names, labels, reasons and notes hold markup."""
    containers = [
        container(HOSTILE, [("80/tcp", 80)], **{HOSTILE: "10.0.0.2"}),
        container("b", **{HOSTILE: "10.0.0.3"}),
    ]
    containers[0]["labels"] = {HOSTILE: HOSTILE}
    found = host(containers, ("icmp", "tcp/80"), lambda *_ends: True, [HOSTILE], {("b", HOSTILE, "icmp"): "drop"})
    survey = found["survey"]["survey"]
    survey["unjudged"] = [{"reason": HOSTILE, "cells": 1, "example": HOSTILE}]
    survey["left_out"] = [{"container": HOSTILE, "reason": HOSTILE}]
    survey["topologies"][0].update(name=HOSTILE, drift=[HOSTILE], pending=[HOSTILE], failure=HOSTILE)
    found["written"] = {"matrix": [cell(HOSTILE, "b", "icmp", "pass", "drop", note=HOSTILE, through=HOSTILE)]}
    return found


FLEET = {
    "trixie": shop(WRONG, unjudged=[{"reason": "no way to know", "cells": 2, "example": "a to b"}], passed_over=3),
    "forky": shop(),
    "gone": {},
    HOSTILE: hostile(),
}


def test_the_filter_is_found_by_its_name() -> None:
    assert FilterModule().filters() == {"fleet_report": written}


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(Exception, match="format 'pdf' is not one of html, json"):
        fleet_report({}, "pdf")


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_fleet_gives_the_same_text(format_: str) -> None:
    shuffled = json.loads(json.dumps(dict(reversed(list(FLEET.items()))), sort_keys=True))
    for registered in shuffled.values():
        for result in registered.get("inside", {}).get("results", ()):
            for each in result["matrix"]:
                each["latency_ms"] = 7.0
    assert fleet_report(FLEET, format_, "x") == fleet_report(shuffled, format_, "x")


@pytest.mark.parametrize("format_", FORMATS)
def test_no_host_and_nothing_known(format_: str) -> None:
    assert fleet_report({}, format_).strip()
    assert fleet_report({"gone": {}}, format_).strip()


def test_the_page_needs_nothing_and_lets_nothing_in() -> None:
    text = fleet_report(FLEET, "html", HOSTILE)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(page.tags)
    assert "url(" not in text and "@import" not in text
    names = {name for name, _value in page.attributes}
    assert not any(name.startswith("on") or name in ("src", "xlink:href") for name in names)
    assert all(value is not None and value.startswith("#host-") for name, value in page.attributes if name == "href")
    assert any(HOSTILE in each for each in page.text), "what is escaped is still read as it is"


def test_what_the_page_tells() -> None:
    page = Page(fleet_report(FLEET, "html", "Shop"))
    text = " ".join(" ".join(page.text).split())
    for told in (
        "trixie \u2715 3 cells differ",
        "forky \u2713 as declared",
        "gone \u2715 not measured in full could not be reached, or was not asked",
        "edge db 10.0.2.5 on back tcp/5432 drop pass",
        "0.0.0.0:443 edge 8443/tcp world drop",
        "2 cells: no way to know (a to b)",
        "3 cells: more than are measured of one host",
        "None. The next run would change nothing of shop.",
        "app-* \u00d72",
        "\u21bb each other: all",
    ):
        assert told in text, told


def boxes_and_lines(page: str) -> Iterator[tuple[list[tuple[float, ...]], list[tuple[float, ...]]]]:
    """Of each drawing its boxes, as corners, and the straight pieces of its lines."""
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        shown = re.sub(r"\s*<g class=\"lane\".*?</g>", "", svg)
        boxes = []
        for group in re.findall(r'<g class="(?:box|end)[^"]*">(.*?)</g>', shown, re.DOTALL):
            x, y, width, height = map(
                float, re.findall(r'<rect x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)"', group)[-1]
            )
            boxes.append((x, y, x + width, y + height))
        ways = re.findall(r'<path (?:class="band[^"]*" style="[^"]*" )?d="(M[^h"]*)"', shown)
        pieces = []
        for way in ways:
            for piece in way.split("M")[1:]:
                points = [tuple(map(float, each.split())) for each in piece.split("L")]
                pieces += [(*one, *other) for one, other in zip(points, points[1:])]
        yield boxes, pieces


@pytest.mark.parametrize(
    "registered", [shop(), shop(WRONG), hundred(), hundred({("web-7", "db-1", "tcp/8080"): "pass"})]
)
def test_no_line_runs_across_a_box_and_no_box_lies_on_another(registered: dict[str, Any]) -> None:
    page = fleet_report({"x": registered}, "html")
    drawings = list(boxes_and_lines(page))
    assert drawings and sum(len(pieces) for _boxes, pieces in drawings) > 5
    for boxes, pieces in drawings:
        for n, (left, top, right, bottom) in enumerate(boxes):
            for x1, y1, x2, y2 in pieces:
                crosses = min(x1, x2) < right and max(x1, x2) > left and min(y1, y2) < bottom and max(y1, y2) > top
                assert not crosses, ((x1, y1, x2, y2), boxes[n])
            for other in boxes[n + 1 :]:
                assert other[0] >= right or other[2] <= left or other[1] >= bottom or other[3] <= top


def test_a_hundred_containers_stay_readable() -> None:
    page = fleet_report({"x": hundred()}, "html")
    boxes = [box for drawn_boxes, _pieces in boxes_and_lines(page) for box in drawn_boxes]
    assert len(boxes) == 15  # 14 groups, and the world
    assert len(page) < 120_000
    widths = [int(each) for each in re.findall(r'<svg class="picture" role="img" width="(\d+)"', page)]
    assert max(widths) < 1600


def test_flows() -> None:
    found = fleets.host("x", shop(WRONG))
    shown = drawn(found, table(found))
    assert [(hub.network, hub.ports, hub.members) for hub in shown.hubs] == [("lab", "all", ("lab-1",))]
    assert [(each.source, each.target, each.ports, each.passed, each.differs) for each in shown.flows] == [
        ("app-1", "db", "5432", False, True),
        ("app-2", "db", "5432", True, False),
        ("edge", "app-1", "8080", True, False),
        ("edge", "app-2", "8080", True, False),
        ("edge", "db", "5432", True, True),
        ("world", "edge", "443\u21928443", False, True),
    ]


def test_who_all_reach_each_other_are_a_hub_and_no_clique() -> None:
    containers = [container(name, **{f"net{n}": f"10.0.{n}.2"}) for n, name in enumerate(("a", "b", "c", "d"))]
    registered = host(containers, ("icmp", "tcp/7"), lambda *_ends: True, [])
    for result in registered["inside"]["results"]:
        for each in result["matrix"]:
            each.update(expect="pass", outcome="pass", differs=False)
    found = fleets.host("x", registered)
    shown = drawn(found, table(found))
    assert [(hub.network, hub.members) for hub in shown.hubs] == [("", ("a", "b", "c", "d"))]
    assert shown.flows == ()


def test_json_holds_every_cell() -> None:
    found = json.loads(fleet_report(FLEET, "json", "Shop"))
    assert len(found["hosts"]["trixie"]["cells"]) == 217
    assert len(found["hosts"]["trixie"]["differs"]) == 3
    assert found["hosts"]["gone"]["failures"] == ["could not be reached, or was not asked"]
    assert "latency" not in json.dumps(found)


def test_junit_is_xml_that_counts() -> None:
    root = ElementTree.fromstring(fleet_report(FLEET, "junit", HOSTILE))
    assert root.get("name") == HOSTILE
    suites = {each.get("name"): each for each in root}
    assert set(suites) == set(FLEET)
    trixie = suites["trixie"]
    failed = [each.get("name") for each in trixie if each.find("failure") is not None]
    assert failed == ["app-1 to db", "edge to db", "world to host"]
    assert trixie.get("failures") == "3" and trixie.get("skipped") == "1" and trixie.get("tests") == str(len(trixie))
    assert [each.find("failure") is not None for each in suites["gone"]] == [True]


def test_mermaid() -> None:
    lines = fleet_report({"trixie": shop(WRONG)}, "mermaid").splitlines()
    assert lines[:2] == ["flowchart TB", '  subgraph h0["trixie"]']
    assert lines.count("  end") == 1
    assert '    h0n3 -->|"5432 differs"| h0n2' in lines
    arrows = [each for each in lines if re.search(r"-->|-.->|---", each)]
    styled = next(each for each in lines if "linkStyle" in each)
    marked = [int(each) for each in styled.split()[1].split(",")]
    assert ["differs" in arrows[n] for n in marked] == [True] * len(marked) == [True] * 3
    strange = fleet_report({HOSTILE: hostile()}, "mermaid")
    assert "<" not in strange and '"x"' not in strange and "\\" not in strange


def test_dot() -> None:
    text = fleet_report(FLEET, "dot", HOSTILE)
    assert text.count("subgraph cluster_") == len(FLEET)
    program = shutil.which("dot")
    if program is None:
        pytest.skip("graphviz is not there")
    done = subprocess.run([program, "-Tsvg"], input=text.encode(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
