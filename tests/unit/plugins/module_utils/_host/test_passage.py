# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passages in iptables: chains of our own, in the first place, and everybody else's as they were."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import command, passage
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition, LiveNetwork
from ansible_collections.breakwater.docker.plugins.module_utils._model.passage import Passage
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_kernel import FakeKernel

FRONT = LiveNetwork("f" * 64, Definition("front"))
BACK = LiveNetwork("b" * 64, Definition("back", driver_options={"com.docker.network.bridge.name": "back0"}))
NETWORKS = (FRONT, BACK, LiveNetwork("0" * 64, Definition("lan", "macvlan")))
TO_BACK, TO_FRONT = Passage("front", "10.2.0.0/24"), Passage("back", "10.1.0.0/24")
SIX = Passage("front", "fd00:2::/64")
STRANGER = "-d 10.9.9.9/32 ! -i br-other -j DROP"


@pytest.fixture
def kernel() -> Iterator[FakeKernel]:
    """A kernel with a rule of Docker's own in its raw table."""
    found = FakeKernel()
    for tool in found.filters.values():
        tool["raw"].rules["PREROUTING"].append(STRANGER)
        tool["filter"].rules["DOCKER-USER"].append("-j RETURN")
    with patch.object(command.subprocess, "run", found.run):
        yield found


def rules(kernel: FakeKernel, table: str, tool: str = "iptables") -> dict[str, list[str]]:
    """The chains of a table."""
    return kernel.filters[tool][table].rules


def seen() -> dict[str, tuple[Passage, ...]]:
    """The passages that stand."""
    return dict(passage.Passages(NETWORKS))


def test_none_at_first(kernel: FakeKernel) -> None:
    assert seen() == {}
    assert len(passage.Passages(NETWORKS)) == 0
    passage.apply("shop", (), NETWORKS)
    assert list(rules(kernel, "raw")) == ["PREROUTING", "OUTPUT"]


def test_what_is_set_is_seen(kernel: FakeKernel) -> None:
    passage.apply("shop", (TO_BACK, TO_FRONT, SIX), NETWORKS)
    assert seen() == {"shop": (TO_FRONT, TO_BACK, SIX)}
    assert rules(kernel, "raw") == {
        "PREROUTING": ["-j BREAKWATER", STRANGER],
        "OUTPUT": [],
        "BW-shop": [
            "-d 10.2.0.0/24 -i br-ffffffffffff -j ACCEPT",
            "-d 10.1.0.0/24 -i back0 -j ACCEPT",
        ],
        "BREAKWATER": ["-j BW-shop"],
    }
    assert rules(kernel, "raw", "ip6tables")["BW-shop"] == ["-d fd00:2::/64 -i br-ffffffffffff -j ACCEPT"]


def test_what_the_host_would_route_that_way_is_dropped(kernel: FakeKernel) -> None:
    passage.apply("shop", (TO_BACK,), NETWORKS)
    assert rules(kernel, "filter")["DOCKER-USER"] == ["-j BREAKWATER", "-j RETURN"]
    assert rules(kernel, "filter")["BW-shop"] == ["-d 10.2.0.0/24 -i br-ffffffffffff ! -o br-ffffffffffff -j DROP"]


def test_set_again_it_is_the_same(kernel: FakeKernel) -> None:
    passage.apply("shop", (TO_BACK, SIX), NETWORKS)
    before = [dict(rules(kernel, table, tool)) for tool in kernel.filters for table in ("raw", "filter")]
    passage.apply("shop", (TO_BACK, SIX), NETWORKS)
    assert [dict(rules(kernel, table, tool)) for tool in kernel.filters for table in ("raw", "filter")] == before


def test_two_topologies_leave_each_other_alone(kernel: FakeKernel) -> None:
    passage.apply("shop", (TO_BACK,), NETWORKS)
    passage.apply("other", (TO_FRONT,), NETWORKS)
    assert seen() == {"shop": (TO_BACK,), "other": (TO_FRONT,)}
    passage.apply("shop", (), NETWORKS)
    assert seen() == {"other": (TO_FRONT,)}
    assert rules(kernel, "raw")["BREAKWATER"] == ["-j BW-other"]


def test_nothing_is_left_behind(kernel: FakeKernel) -> None:
    before = [dict(rules(kernel, table, tool)) for tool in kernel.filters for table in ("raw", "filter")]
    passage.apply("shop", (TO_BACK, SIX), NETWORKS)
    passage.apply("shop", (), NETWORKS)
    assert [dict(rules(kernel, table, tool)) for tool in kernel.filters for table in ("raw", "filter")] == before


def test_the_first_place_is_ours_again(kernel: FakeKernel) -> None:
    passage.apply("shop", (TO_BACK,), NETWORKS)
    rules(kernel, "raw")["PREROUTING"].insert(0, "-d 10.8.8.8/32 ! -i br-new -j DROP")
    passage.apply("shop", (TO_BACK,), NETWORKS)
    assert rules(kernel, "raw")["PREROUTING"][0] == "-j BREAKWATER"
    assert rules(kernel, "raw")["PREROUTING"].count("-j BREAKWATER") == 1


def test_a_bridge_of_nobody_we_know_is_told_by_its_own_name(kernel: FakeKernel) -> None:
    passage.apply("shop", (TO_BACK,), NETWORKS)
    assert dict(passage.Passages(())) == {"shop": (Passage("br-ffffffffffff", "10.2.0.0/24"),)}
    assert kernel.filters


def test_without_docker_user_of_ipv6() -> None:
    """Engines before 27 manage no ip6tables: the chain is made before Docker does."""
    kernel = FakeKernel(ip6tables=False)
    with patch.object(command.subprocess, "run", kernel.run):
        passage.apply("shop", (SIX,), NETWORKS)
        assert seen() == {"shop": (SIX,)}
    assert rules(kernel, "filter", "ip6tables")["DOCKER-USER"] == ["-j BREAKWATER"]


def test_a_host_without_iptables() -> None:
    with (
        patch.object(command.subprocess, "run", side_effect=FileNotFoundError),
        pytest.raises(HostError, match="the host has no 'iptables-save'; install its package iptables"),
    ):
        seen()
