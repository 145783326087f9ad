# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""New keys pass by pass, whoever is in the play: no pair that could speak is ever without a way."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases

from .scene import Hosts, apply, arrives, ends, fleet, hosts, key, pairs, peers, planned

OFFICE = {"name": "office", "public_key": key("office"), "endpoint": "198.51.100.7", "subnets": ["10.9.0.0/24"]}


def standing(*names: str, **declared: Any) -> Hosts:
    """A fleet of generation 1 that stands."""
    of = hosts(*names)
    assert apply(of, names, **declared)["settled"]
    return of


def routes(of: Hosts, name: str, peer: str) -> dict[str, bool]:
    """On which interfaces a host has a peer, and whether its traffic goes there."""
    tunnels = of[name]["breakwater_wireguard_seen"]["tunnels"]
    return {each["name"]: one["route"] for each in tunnels for one in each["peers"] if one["name"] == peer}


def test_three_passes() -> None:
    of = standing("a", "b")
    assert routes(of, "a", "b") == {"fleet1": True}
    assert not apply(of, "ab", generation=2)["settled"]
    assert routes(of, "a", "b") == {"fleet0": False, "fleet1": True}
    assert {each["keepalive"] for each in peers({"tunnels": tunnels(of, "a")}, "fleet0").values()} == {25}
    assert not apply(of, "ab", generation=2)["settled"]
    assert routes(of, "a", "b") == {"fleet0": True, "fleet1": False}
    assert apply(of, "ab", generation=2)["settled"]
    assert routes(of, "a", "b") == {"fleet0": True}
    assert [(each["name"], each["key"], each["listen_port"]) for each in tunnels(of, "a")] == [
        ("fleet0", "fleet-2", 51820)
    ]
    assert {each["keepalive"] for each in peers({"tunnels": tunnels(of, "a")}, "fleet0").values()} == {0}


def tunnels(of: Hosts, name: str) -> list[dict[str, Any]]:
    """What a host has."""
    found: list[dict[str, Any]] = of[name]["breakwater_wireguard_seen"]["tunnels"]
    return found


def test_the_former_interface_is_taken_away() -> None:
    of = standing("a", "b")
    for _pass in range(2):
        apply(of, "ab", generation=2)
    assert ends(of, generation=2)["a"]["tunnels"][-1] == {"name": "fleet1", "state": "absent"}
    apply(of, "ab", generation=2)
    assert [each["name"] for each in ends(of, generation=2)["a"]["tunnels"]] == ["fleet0"]


def test_without_a_handshake_traffic_stays() -> None:
    of = standing("a", "b")
    apply(of, "ab", generation=2)
    for ago in ({}, {"fleet0": {"b": None}}, {"fleet0": {"b": 276}}):
        of["a"]["breakwater_wireguard_seen"]["handshakes"] = ago
        end = ends(of, generation=2)["a"]
        assert not peers(end, "fleet0")["b"]["route"] and peers(end, "fleet1")["b"]["route"]


def test_who_has_no_new_key_stays() -> None:
    of = standing("a", "b", "c")
    found = apply(of, "ab", generation=2)
    assert routes(of, "a", "c") == {"fleet1": True}
    for _pass in range(3):
        found = apply(of, "ab", generation=2)
    assert found["settled"] and routes(of, "a", "b") == {"fleet0": True} and routes(of, "a", "c") == {"fleet1": True}
    assert found["warnings"] == ["on the former keys alone, for it was in no play since generation 2: c"]
    assert routes(of, "c", "a") == {"fleet1": True}


def test_an_unmanaged_peer_stays_until_it_is_heard() -> None:
    of = standing("a", peers=[OFFICE])
    for _pass in range(2):
        found = apply(of, "a", generation=2, peers=[OFFICE])
        assert routes(of, "a", "office") == {"fleet0": False, "fleet1": True}
        assert found["settled"]
    assert "on the former keys until its configuration of generation 2 is in use: office" in found["warnings"]
    of["a"]["breakwater_wireguard_seen"]["handshakes"] = {"fleet0": {"office": 3}}
    apply(of, "a", generation=2, peers=[OFFICE])
    assert routes(of, "a", "office") == {"fleet0": True, "fleet1": False}
    apply(of, "a", generation=2, peers=[OFFICE])
    assert routes(of, "a", "office") == {"fleet0": True}


def test_a_generation_waits_for_the_one_before() -> None:
    of = standing("a", "b")
    with pytest.raises(AnsibleFilterError, match=r"breakwater_wireguard_generation: 'a' has fleet1 with key 'fleet-1'"):
        fleet(of, generation=3)


def test_back_again() -> None:
    of = standing("a", "b")
    apply(of, "ab", generation=2)
    apply(of, "ab", generation=1)
    assert routes(of, "a", "b") == {"fleet1": True}
    assert planned(of)["settled"]


@cases(120)
@given(
    st.sampled_from(["mesh", "hub", "sites"]),
    st.lists(st.sets(st.sampled_from("abcd"), min_size=1), max_size=6),
    st.lists(st.integers(1, 2), min_size=6, max_size=6),
)
def test_no_pair_is_ever_without_a_way(layout: str, plays: list[set[str]], wanted: list[int]) -> None:
    of = hosts(*"abcd")
    for n, name in enumerate("abcd"):
        of[name].update({"breakwater_wireguard_hub": n < 2, "breakwater_wireguard_site": "xy"[n % 2]})
    declared = {"layout": layout}
    found = apply(of, "abcd", **declared)
    generation = 1
    for play, generation in zip(plays, wanted):
        found = apply(of, sorted(play), generation=generation, **declared)
        for one, other, origin, target in pairs(of, found):
            assert arrives(of, one, target, other, origin), (one, other, sorted(play))
    for _pass in range(4):
        found = apply(of, "abcd", generation=generation, **declared)
    assert found["settled"] and not found["warnings"]
    assert all(len(tunnels(of, name)) == 1 for name in "abcd")
    before = deepcopy(of)
    apply(of, "abcd", generation=generation, **declared)
    assert of == before
