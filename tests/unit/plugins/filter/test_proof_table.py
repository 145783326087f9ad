# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.filter.proof_table import FilterModule, proof_table


def cell(source: str, to: str, **others: Any) -> dict[str, Any]:
    plain = {"protocol": "tcp", "port": 8080, "ip_version": 4, "expect": "pass", "through": None, "outcome": "pass"}
    plain |= {"differs": False, "latency_ms": None, "hops": [], "note": ""}
    return {"from": source, "to": to, **plain, **others}


def test_the_filter_is_found_by_its_name() -> None:
    assert FilterModule().filters() == {"proof_table": proof_table}


def test_all_as_expected() -> None:
    cells = [
        cell("s1", "s2", protocol="icmp", port=None, through="gateway", hops=["10.0.0.3"], latency_ms=0.213),
        cell("s1", "db", ip_version=6, expect="drop", outcome="refused"),
        cell("postgres", "198.51.100.10", expect="drop", outcome="drop", note="no route to host"),
    ]
    assert proof_table({"matrix": cells}).splitlines() == [
        "from      to             packets             expected              measured",
        "s1        s2             icmp                pass through gateway  pass through 10.0.0.3, 0.2 ms",
        "s1        db             tcp/8080 over IPv6  drop                  refused",
        "postgres  198.51.100.10  tcp/8080            drop                  drop, no route to host",
        "3 expectations: all as expected",
    ]


def test_what_differs_is_marked_and_counted() -> None:
    cells = [
        cell("a", "b", expect="drop", differs=True),
        cell("a", "c", through="r", differs=True),
        cell("a", "d"),
    ]
    assert proof_table({"failed": True, "msg": "2 of 3 differ", "matrix": cells}).splitlines()[1:] == [
        "a     b   tcp/8080  drop            pass  <-- differs",
        "a     c   tcp/8080  pass through r  pass  <-- differs",
        "a     d   tcp/8080  pass            pass",
        "3 expectations: 2 differ",
    ]


@pytest.mark.parametrize(
    ("differs", "total"), [(False, "1 expectation: as expected"), (True, "1 expectation: 1 differs")]
)
def test_one_alone(differs: bool, total: str) -> None:
    assert proof_table({"matrix": [cell("a", "b", differs=differs)]}).splitlines()[-1] == total


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"failed": True, "msg": "no engine answers"}, "no engine answers"),
        ({"matrix": []}, "nothing was measured"),
        ({"skipped": True}, "nothing was measured"),
    ],
)
def test_nothing_measured(result: dict[str, Any], told: str) -> None:
    assert proof_table(result) == told
