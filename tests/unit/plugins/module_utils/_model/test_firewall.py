# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates as iptables prints them, ends in their spellings, names of sets, and the mark of what is printed otherwise."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.firewall import End, Firewall
from ansible_collections.breakwater.docker.plugins.module_utils._model.limit import Limit
from ansible_collections.breakwater.docker.plugins.module_utils._model.packet_filter import set_name, set_prefix
from ansible_collections.breakwater.docker.plugins.module_utils._model.tag import original, same, tagged

# Seen alike on iptables 1.8.9 to 1.8.13, nft and legacy.
RATES = [
    ("10/second", "10/sec"),
    ("60/minute", "1/sec"),
    ("7/min", "7/min"),
    ("90/m", "90/min"),
    ("120/minute", "2/sec"),
    ("100/hour", "100/hour"),
    ("3600/h", "1/sec"),
    ("24/day", "1/hour"),
    ("5/d", "5/day"),
    ("3000/s", "3333/sec"),
    ("10000/s", "10000/sec"),
]


@pytest.mark.parametrize(("written", "printed"), RATES)
def test_rates(written: str, printed: str) -> None:
    assert Limit.read({"rate": written, "burst": 5}, "limit") == Limit(printed, 5)


ENDS: list[tuple[Any, End | None]] = [
    (None, None),
    ("world", End("world")),
    ("host", End("host")),
    ("web", End("container", "web")),
    ("/web", End("container", "web")),
    ("cafe", End("container", "cafe")),
    ("10.0.0.0/24", End("cidr", "10.0.0.0/24")),
    ("10.0.0.1", End("cidr", "10.0.0.1/32")),
    ("FD00::1", End("cidr", "fd00::1/128")),
    ({"container": "world"}, End("container", "world")),
    ({"network": "back", "cidr": None}, End("network", "back")),
    ({"cidr": "fd00::/8"}, End("cidr", "fd00::/8")),
]


@pytest.mark.parametrize(("given", "end"), ENDS)
def test_ends(given: Any, end: End | None) -> None:
    assert End.read(given, "source") == end


def test_the_name_of_a_set_fits() -> None:
    ends = [End("container", "x" * 60), End("network", "x" * 60), End("world"), End("container", "ä ö")]
    names = [set_name("BWR-" + "y" * 24, end, 4) for end in ends]
    assert len({*names}) == 4 and all(len(each) <= 31 and each.isascii() and " " not in each for each in names)
    assert all(each.startswith(set_prefix("BWR-" + "y" * 24, 4)) for each in names)
    assert set_name("BWR-edge", End("world"), 6).endswith("-world")


def test_a_topology_and_a_module_of_one_name_have_two_rulesets() -> None:
    assert Firewall("shop").chain == "BWR-shop" != Firewall.of_topology("shop", ()).chain


WRITTEN = [
    ("-m mark --mark 1 -j DROP", "-m mark --mark 0x1 -j DROP"),
    ("-p 47 -j REJECT --reject-with icmp-port-unreachable", "-p gre -j REJECT --reject-with icmp-port-unreachable"),
    ('"!" -i a -j LOG --log-prefix "x -j DROP "', '! -i a -j LOG --log-prefix "x -j DROP "'),
    ('-p 47 -m comment --comment " -j DROP" -j LOG', '-p gre -m comment --comment " -j DROP" -j LOG'),
]


@pytest.mark.parametrize(("written", "printed"), WRITTEN)
def test_a_marked_rule_is_known_again(written: str, printed: str) -> None:
    comment = re.search(r"-m comment --comment bw-\S+ ", tagged(written, printed))
    assert comment and tagged(written, printed).replace(comment[0], "") == written
    target = re.compile(r'-j (LOG( --log-prefix ".*")?|DROP|REJECT .*)$')
    seen = target.sub(lambda found: comment[0] + found[0], printed)
    assert same(written, seen) and original(seen, [written]) == written
    assert not same(f"-s 192.0.2.1/32 {written}", seen)
    assert not same(written, seen.replace("-j", "-i b -j"))
    assert original(seen, []) == printed
    assert original(printed, [written]) == printed
