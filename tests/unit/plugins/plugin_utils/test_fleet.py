# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play has registered, as hosts and cells: what is measured twice, from outside, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.filter import differing
from ansible_collections.breakwater.docker.plugins.filter import fleet_host as fleet_host_module
from ansible_collections.breakwater.docker.plugins.filter import fleet_verdict as fleet_verdict_module
from ansible_collections.breakwater.docker.plugins.filter.fleet_host import fleet_host
from ansible_collections.breakwater.docker.plugins.filter.fleet_verdict import fleet_verdict
from ansible_collections.breakwater.docker.plugins.plugin_utils import _fleet as fleets
from ansible_collections.breakwater.docker.plugins.plugin_utils._groups import table

from .sample import ADDRESS, cell, hundred, shop


def test_a_host_that_holds() -> None:
    found = fleets.host("trixie", shop())
    assert found.holds and not found.differing and not found.drift
    assert len(found.cells) == 7 * 6 * 4 + 2 * 4 * 6 + 1
    assert fleets.verdict(found) == {"holds": True, "message": "217 cells, all as declared"}


def test_what_differs_is_told_by_name() -> None:
    found = fleets.host("trixie", shop({("edge", "db", "tcp/5432"): "pass"}))
    (wrong,) = found.differing
    assert (wrong.source, wrong.target, wrong.network, wrong.what, wrong.expect) == (
        "edge",
        "db",
        "back",
        "tcp/5432",
        "drop",
    )
    assert fleets.verdict(found) == {
        "holds": False,
        "message": "1 of 217 cells differ: edge to db on back, tcp/5432 passed, expected drop",
    }


def test_what_is_measured_again_counts() -> None:
    registered = shop({("edge", "db", "tcp/5432"): "pass"})
    again = fleets.differing(registered["inside"])
    assert again == [
        {
            "from": "edge",
            "to": "db",
            "protocol": "tcp",
            "port": 5432,
            "network": "back",
            "ip_version": 4,
            "expect": "drop",
        }
    ]
    wrong = cell("edge", "db", "tcp/5432", "drop", network="back", address="10.0.2.5")
    assert fleets.host("x", {**registered, "again": {"results": [{"matrix": [wrong]}]}}).holds
    assert not fleets.host("x", {**registered, "again": {"results": []}}).holds


@pytest.mark.parametrize(
    ("expect", "outcome", "differs"),
    [
        ("pass", "pass", False),
        ("pass", "refused", False),  # nobody listens behind it: the way there is open
        ("pass", "drop", True),
        ("drop", "drop", False),
        ("drop", "refused", True),  # who refuses has been reached
        ("drop", "pass", True),
    ],
)
def test_from_outside_a_refusal_is_an_answer(expect: str, outcome: str, differs: bool) -> None:
    seen = cell("198.51.100.10", "10.0.2.5", "tcp/5432", expect, outcome, differs=outcome != expect)
    found = fleets.host("x", {**shop(), "outside": {"results": [{"matrix": [seen]}]}}).cells[-1]
    assert (found.source, found.target, found.network) == ("world", "db", "back")
    assert found.differs == differs


def test_what_is_published_is_of_the_host() -> None:
    found = fleets.host("x", shop()).cells[-1]
    assert (found.source, found.target, found.address, found.what) == ("world", "host", ADDRESS, "tcp/443")


@pytest.mark.parametrize(
    ("registered", "failure"),
    [
        ({}, "could not be reached, or was not asked"),
        ({"survey": {"unreachable": True, "msg": "no route to host\nTraceback"}}, "no route to host"),
        ({"survey": {"failed": True, "msg": "docker_host: no engine answers"}}, "docker_host: no engine answers"),
    ],
)
def test_a_host_of_which_nothing_is_known(registered: dict[str, Any], failure: str) -> None:
    found = fleets.host("x", registered)
    assert found.failures == (failure,) and not found.holds
    assert fleets.verdict(found) == {"holds": False, "message": failure}


@pytest.mark.parametrize("key", ["inside", "again", "written", "outside"])
def test_a_slice_that_failed_is_a_failure(key: str) -> None:
    found = fleets.host("x", {**shop(), key: {"results": [{"failed": True, "msg": "container web is gone"}]}})
    (told,) = found.failures
    assert told.endswith(": container web is gone") and not found.holds


def test_skipped_tasks_are_nothing() -> None:
    skipped = {"skipped": True, "msg": "All items skipped", "results": []}
    found = fleets.host("x", {**shop(), "again": skipped, "written": {"skipped": True, "skip_reason": "x"}})
    assert found.holds and len(found.cells) == 217


def test_written_expectations_are_measured_beside() -> None:
    written = {"matrix": [cell("lab-1", "lab-2", "icmp", "pass", through="gw")], "changed": False}
    found = fleets.host("x", {**shop(), "written": written}).cells[-1]
    assert (found.origin, found.through) == ("written", "gw")


def test_alike_are_those_who_may_change_places() -> None:
    found = table(fleets.host("x", shop()))
    assert [each.label for each in found.groups] == [
        "app-* \u00d72",
        "db",
        "edge",
        "lab-* \u00d72",
        "lonely",
        "host",
        "world",
    ]
    other = table(fleets.host("x", shop({("app-2", "db", "tcp/5432"): "drop"})))
    assert [each.label for each in other.groups][:2] == ["app-1", "app-2"]


def test_a_hundred_are_few() -> None:
    groups = [each.label for each in table(fleets.host("x", hundred())).groups]
    assert len(groups) == 16
    assert {"api-* \u00d730", "web-* \u00d724", "worker-* \u00d720", "metrics-1"} <= set(groups)


@pytest.mark.parametrize(
    ("whats", "told"),
    [(["tcp/443", "tcp/80", "tcp/80"], "80, 443"), (["icmp", "udp/53"], "53/udp, icmp"), ([], "")],
)
def test_ports(whats: list[str], told: str) -> None:
    assert fleets.ports(whats) == told


def test_a_host_is_the_same_when_it_was_packed() -> None:
    found = fleets.host("x", shop({("edge", "db", "tcp/5432"): "pass"}))
    assert fleets.unpack("x", fleets.pack(found)) == found
    assert fleet_verdict(fleet_host(shop())) == {"holds": True, "message": "217 cells, all as declared"}
    assert not fleet_verdict("")["holds"]


def test_the_filters_are_found_by_their_names() -> None:
    for module in (differing, fleet_host_module, fleet_verdict_module):
        ((name, _function),) = module.FilterModule().filters().items()
        assert module.__name__.endswith(name)
