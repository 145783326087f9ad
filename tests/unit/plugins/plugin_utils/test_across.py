# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between hosts: who asks whom, and that packets pass where both ends let them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.filter.fleet_across import FilterModule as Across
from ansible_collections.breakwater.docker.plugins.filter.fleet_remote import FilterModule as Remote
from ansible_collections.breakwater.docker.plugins.plugin_utils import _fleet as fleets
from ansible_collections.breakwater.docker.plugins.plugin_utils._across import across, remote
from ansible_collections.breakwater.docker.plugins.plugin_utils._exports import as_dot, as_mermaid
from ansible_collections.breakwater.docker.plugins.plugin_utils._page import as_html

from .sample import cell, container, shop


def survey(number: int, of: int, *others: dict[str, Any], ports: tuple[int, ...] = (7,)) -> dict[str, Any]:
    """What a host of a mesh is surveyed to be: one container in its subnet, and one beside."""
    return {
        "containers": [
            container("app", fleet=f"10.80.{number}.10"),
            container("stranger", beside="172.18.0.2"),
            *others,
        ],
        "joined": [
            {
                "local": [f"10.80.{number}.0/24"],
                "remote": [f"10.80.{each}.0/24" for each in range(of) if each != number],
            }
        ],
        "ports": list(ports),
    }


def mesh(size: int) -> dict[str, dict[str, Any]]:
    return {f"host{number:03}": survey(number, size) for number in range(size)}


def half(source: str, address: str, expect: str, reason: str = "", port: int = 80) -> dict[str, Any]:
    told = {"from": "app", "source": source, "to": "the other", "address": address, "protocol": "tcp", "port": port}
    return {**told, "expect": expect, "reason": reason}


def test_each_asks_the_containers_that_its_ways_lead_to() -> None:
    both = container("db", fleet="10.80.1.20", elsewhere="172.19.0.2")
    found = remote({"alpha": survey(0, 3), "bravo": survey(1, 3, both, ports=(7, 80)), "down": {}}, 20000)
    assert found.keys() == {"alpha", "bravo"}
    assert [(each["name"], each["address"]) for each in found["alpha"]["remote"]] == [
        ("bravo/app", "10.80.1.10"),
        ("bravo/db", "10.80.1.20"),
    ]
    assert found["alpha"]["remote_ports"] == found["bravo"]["remote_ports"] == [7, 80]
    assert found["alpha"]["left_out"] == 0


def test_who_is_joined_to_nobody_asks_nobody() -> None:
    alone = {**survey(0, 1), "joined": []}
    assert remote({"alpha": alone}, 20000) == remote({"alpha": survey(0, 3)}, 20000) == {}


def test_an_address_of_two_hosts_is_nobodys() -> None:
    """Two fleets in one play may have the same addresses."""
    hosts = {"alpha": survey(0, 3), "bravo": survey(1, 3), "other": survey(1, 3)}
    found = remote(hosts, 20000)
    assert found["alpha"]["remote"] == [] and found["alpha"]["ambiguous"] == ["10.80.1.10"]
    (told,) = across(found, {})["alpha"]["unjudged"]
    assert told == {"reason": "another host has the same address", "cells": 1, "example": "10.80.1.10"}


@pytest.mark.parametrize(("cells", "each"), [(1, 2), (4 * 6, 6), (1_000_000, 39)])
def test_who_asks_is_asked(cells: int, each: int) -> None:
    """A host with two containers asks ``each`` others, of which one container is to be reached, by two packets."""
    found = remote(mesh(40), cells)
    assert {len(asked["remote"]) for asked in found.values()} == {each}
    assert {asked["left_out"] for asked in found.values()} == {39 - each}
    asks = {(name, other["name"].partition("/")[0]) for name, asked in found.items() for other in asked["remote"]}
    assert asks == {(other, name) for name, other in asks}


@pytest.mark.parametrize(
    ("leaving", "arriving", "expected"),
    [
        ("pass", "pass", "pass"),
        ("pass", "drop", "drop"),
        ("drop", "pass", "drop"),
        ("drop", None, "drop"),
        ("drop", "", "drop"),
        ("", "drop", "drop"),
        ("", "pass", "not known here"),
        ("pass", "", "not known there"),
        ("", "", "not known here"),
        ("pass", None, "the other host did not say what it lets in"),
    ],
)
def test_both_ends_must_agree(leaving: str, arriving: str | None, expected: str) -> None:
    asked = remote({"alpha": survey(0, 2), "bravo": survey(1, 2)}, 20000)
    way = ("10.80.0.10", "10.80.1.10")
    told: dict[str, Any] = {"alpha": {"leaving": [half(*way, leaving, "not known here")], "arriving": []}}
    if arriving is not None:
        told["bravo"] = {"leaving": [], "arriving": [half(*way, arriving, "not known there")]}
    found = across(asked, told)["alpha"]
    assert found["names"] == {"10.80.1.10": "bravo/app"}
    if expected in ("pass", "drop"):
        assert found["expectations"] == [
            {"from": "app", "to": "10.80.1.10", "protocol": "tcp", "port": 80, "expect": expected}
        ]
    else:
        assert found["expectations"] == []
        assert found["unjudged"] == [{"reason": expected, "cells": 1, "example": "app to the other tcp/80"}]


def test_the_filters_speak_text() -> None:
    surveys = {"alpha": survey(0, 2), "bravo": survey(1, 2)}
    asked = Remote().filters()["fleet_remote"](surveys)
    assert {name: json.loads(each) for name, each in asked.items()} == remote(surveys, 20000)
    told = Across().filters()["fleet_across"](asked, {})
    assert {name: json.loads(each) for name, each in told.items()} == across(remote(surveys, 20000), {})


def registered(*cells: dict[str, Any], again: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """A shop, and what it sends to another host."""
    return {
        **shop(),
        "ends": {"leaving": [], "arriving": []},
        "across": {"results": [{"matrix": list(cells)}]},
        "across_again": {"results": [{"matrix": list(again)}]},
        "beyond": {
            "names": {"10.80.1.10": "bravo/app", "10.80.1.20": "bravo/db"},
            "unjudged": [{"reason": "nobody knows", "cells": 3, "example": "edge to bravo/db tcp/80"}],
            "left_out": 4,
        },
    }


def test_a_refusal_tells_that_packets_arrive() -> None:
    arrived = cell("edge", "10.80.1.10", "tcp/80", "pass", "refused")
    entered = cell("edge", "10.80.1.20", "tcp/80", "drop", "refused")
    assert fleets.differing({"matrix": [arrived, entered]}, True) == [
        {"from": "edge", "to": "10.80.1.20", "protocol": "tcp", "port": 80, "ip_version": 4, "expect": "drop"}
    ]
    found = fleets.host("alpha", registered(arrived, entered))
    (wrong,) = found.differing
    assert wrong.title == "edge to bravo/db, tcp/80" and wrong.passed
    assert found.unjudged == fleets.host("alpha", shop()).unjudged + 3
    lost = cell("edge", "10.80.1.10", "tcp/80", "pass", "drop")
    assert not fleets.host("alpha", registered(lost)).holds
    assert fleets.host("alpha", registered(lost, again=(arrived,))).holds


def test_a_host_that_does_not_say_what_it_lets_out_does_not_hold() -> None:
    found = fleets.host("alpha", {**registered(), "ends": {"failed": True, "msg": "no engine"}})
    assert found.failures == ("it is not known what is to pass to other hosts: no engine",)


def test_the_page_tells_what_passes_to_other_hosts() -> None:
    cells = [
        cell("edge", "10.80.1.10", "tcp/80", "pass", "refused"),
        cell("edge", "10.80.1.10", "icmp", "drop"),
        cell("edge", "10.80.1.20", "tcp/80", "pass", "refused"),
        cell("edge", "10.80.1.20", "icmp", "drop"),
        cell("db", "10.80.1.10", "tcp/80", "drop"),
        cell("app-1", "10.80.1.10", "tcp/80", "pass", "drop"),
    ]
    fleet = fleets.Fleet("x", (fleets.host("alpha", registered(*cells)), fleets.host("bravo", shop())))
    page = as_html(fleet)
    assert "<td>edge</td><td>bravo/app, bravo/db</td><td>80</td>" in page
    assert '<td>app-1</td><td>bravo/app</td><td class="bad">\u2715 80</td>' in page
    assert "Between 1 pair of containers nothing passes" in page
    assert "containers of 4 hosts: more than are asked by one host" in page
    assert "To other hosts" not in as_html(fleets.Fleet("x", (fleets.host("alpha", shop()),)))


def test_pictures_lead_from_host_to_host() -> None:
    cells = [
        cell("edge", "10.80.1.20", "tcp/80", "pass", "refused"),
        cell("edge", "10.80.1.20", "icmp", "drop"),
        cell("db", "10.80.1.20", "tcp/80", "drop"),
        cell("app-1", "10.80.1.20", "tcp/80", "pass", "drop"),
    ]
    hosts = (fleets.host("alpha", registered(*cells)), fleets.host("bravo", shop()))
    told = as_dot(fleets.Fleet("x", hosts)).splitlines()
    crossed = [line.strip() for line in told if "alpha/" in line and '-> "bravo/' in line]
    assert crossed == [
        '"alpha/app-1" -> "bravo/db" [label="80 differs", color="red", fontcolor="red", style="dashed"];',
        '"alpha/edge" -> "bravo/db" [label="80"];',
    ]
    drawn = as_mermaid(fleets.Fleet("x", hosts)).splitlines()
    assert len([line for line in drawn if re.match(r"  h0n\d+ -(-|\.-)>\|.*\| h1n\d+$", line)]) == 2
    wrong = re.findall(r"linkStyle (\d+) ", drawn[-1])
    links = [line for line in drawn if re.search(r" (-->|-\.->|---)", line)]
    assert ["-.->" in links[int(each)] for each in wrong] == [True]
    assert not any(" h1n" in line for line in as_mermaid(fleets.Fleet("x", hosts[:1])).splitlines())
