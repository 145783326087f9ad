# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes that are there for the length of a probe, and gone after it, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import detour as detours
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError

FLUSH = "ip -4 route flush proto 98"


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run, with what was given to it."""
    told: list[str] = []

    def run(argv: list[str], given: str = "") -> str:
        told.extend([" ".join(argv), *given.splitlines()])
        if "10.0.9.9" in given:
            raise HostError("RTNETLINK answers: File exists")
        return ""

    @contextmanager
    def alone() -> Iterator[None]:
        yield

    monkeypatch.setattr(detours, "run", run)
    monkeypatch.setattr(detours, "alone", alone)
    return told


def test_routes_come_and_go(ran: list[str]) -> None:
    with detours.detour(["10.0.0.3", "10.0.0.2", "10.0.0.3", "fd00::1", "192.0.2.1"], "192.0.2.1"):
        assert ran == [
            FLUSH,
            "ip -4 -batch -",
            "route add 10.0.0.2 via 192.0.2.1 proto 98",
            "route add 10.0.0.3 via 192.0.2.1 proto 98",
        ]
    assert ran[4:] == [FLUSH]


def test_they_go_when_the_probe_fails(ran: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), detours.detour(["10.0.0.2"], "192.0.2.1"):
        raise ZeroDivisionError
    assert ran[-1] == FLUSH


def test_a_route_of_the_hosts_own_is_in_the_way(ran: list[str]) -> None:
    with pytest.raises(HostError, match=r"via 192.0.2.1: RTNETLINK"), detours.detour(["10.0.9.9"], "192.0.2.1"):
        pass
    assert ran[-1] == FLUSH
