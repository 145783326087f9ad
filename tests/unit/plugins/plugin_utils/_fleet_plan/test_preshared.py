# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that pairs share: taken into use where both ends were seen to keep the same, and asked for where not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.filter.wireguard_partners import wireguard_partners

from .scene import PREFIX, Hosts, apply, ends, fleet, host, hosts, key, peers

OFFICE = {"name": "office", "public_key": key("office"), "endpoint": "198.51.100.7", "subnets": ["10.9.0.0/24"]}


def keep(of: Hosts, one: str, other: str, generation: int = 1, fingerprint: str = "1f") -> None:
    """``one`` keeps a key for ``other``."""
    of[one][f"{PREFIX}seen"].setdefault("preshared", {})[f"fleet-{generation}@{other}"] = fingerprint


def share(of: Hosts, play: str, generation: int = 1) -> None:
    """What the role does before it plans: who is in the play gives and is given."""
    for name in play:
        found = wireguard_partners(fleet(of, preshared=True, generation=generation), name)
        assert all(each["public_key"] == key(f"{each['name']} {generation}") for each in found)
        for each in found:
            keep(of, name, each["name"], generation)
            if each["name"] in play:
                keep(of, each["name"], name, generation)


def used(of: Hosts, interface: str = "fleet1", **settings: Any) -> set[str]:
    """The ends with a shared key, as "ab" for that of a towards b."""
    found = ends(of, **settings)
    return {f"{one}{two}" for one in of for two, each in peers(found[one], interface).items() if each["preshared"]}


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ({}, set()),
        ({"ab": "1f"}, set()),
        ({"ab": "1f", "ba": "2e"}, set()),
        ({"ab": "1f", "bc": "1f"}, set()),
        ({"ab": "1f", "ba": "1f"}, {"ab", "ba"}),
        ({"ab": "1f", "ba": "1f", "ac": "2e"}, {"ab", "ba"}),
    ],
)
def test_in_use_where_both_keep_the_same(kept: dict[str, str], expected: set[str]) -> None:
    of = hosts("a", "b", "c")
    for pair, fingerprint in kept.items():
        keep(of, *pair, fingerprint=fingerprint)
    assert used(of, preshared=True) == expected


def test_without_the_setting_none_is_asked_for_and_none_is_lost() -> None:
    of = hosts("a", "b", "c")
    share(of, "ab")
    assert used(of, preshared=False) == {"ab", "ba"}
    assert not wireguard_partners(fleet(of), "a")


def test_of_a_host_that_is_not_seen_what_is_there_stays() -> None:
    of = hosts("a", "b", "c")
    apply(of, "abc", preshared=True)
    share(of, "ab")
    apply(of, "abc", preshared=True)
    del of["b"][f"{PREFIX}seen"]
    assert used(of, preshared=True) == {"ab"}
    share(of, "ac")
    assert used(of, preshared=True) == {"ab", "ac", "ca"}
    del of["b"]  # from the inventory
    assert used(of, preshared=True) == {"ab", "ac", "ca"}


def test_peers_that_nobody_manages_have_none() -> None:
    of = hosts("a", "b")
    assert [each["name"] for each in wireguard_partners(fleet(of, preshared=True, peers=[OFFICE]), "a")] == ["b"]
    keep(of, "a", "office")
    assert used(of, preshared=True, peers=[OFFICE]) == set()
    apply(of, "ab", peers=[OFFICE])
    of["a"][f"{PREFIX}seen"]["tunnels"][0]["peers"][1]["preshared"] = True
    assert used(of, preshared=True, peers=[OFFICE]) == set()


def test_the_first_by_name_gives() -> None:
    of, given = hosts("a", "b", "c"), "__breakwater_wireguard_given"
    plan = fleet(of, preshared=True)
    assert {name: [each["name"] for each in wireguard_partners(plan, name)] for name in of} == {
        "a": ["b", "c"],
        "b": ["c"],
        "c": [],
    }
    of["a"][given] = {"changed": True, "sealed": {"b": "for b", "c": "for c"}}
    of["b"][given] = {"changed": False, "skipped": True}
    assert wireguard_partners(plan, "c", of) == [{"name": "a", "public_key": key("a 1"), "sealed": "for c"}]
    assert wireguard_partners(plan, "a", of) == []
    assert wireguard_partners(plan, "nobody") == wireguard_partners(plan, "nobody", of) == []
    assert wireguard_partners(fleet(of, preshared=True, absent=["c"]), "c", of) == []


def test_neighbours_alone_share() -> None:
    of = {name: host(name, n, hub=name == "b") for n, name in enumerate("abcd", start=1)}
    plan = fleet(of, preshared=True, layout="hub")
    assert [[each["name"] for each in wireguard_partners(plan, name)] for name in of] == [["b"], ["c", "d"], [], []]


def test_what_is_shared_is_not_asked_for_again() -> None:
    of = hosts("a", "b", "c")
    share(of, "ab")
    plan = fleet(of, preshared=True)
    assert [[each["name"] for each in wireguard_partners(plan, name)] for name in of] == [["c"], ["c"], []]


def test_new_keys_are_shared_before_traffic_goes_over() -> None:
    of = hosts("a", "b", "c")
    share(of, "abc")
    apply(of, "abc", preshared=True)
    everybody = {"ab", "ac", "ba", "bc", "ca", "cb"}
    assert used(of) == everybody
    for name in "ab":  # c is in no play
        of[name][f"{PREFIX}seen"]["public_keys"]["fleet-2"] = key(f"{name} 2")
    share(of, "ab", generation=2)
    settings = {"preshared": True, "generation": 2}
    assert used(of, "fleet0", **settings) == {"ab", "ba"} and used(of, "fleet1", **settings) == everybody
    for _pass in range(3):
        apply(of, "ab", **settings)
    assert used(of, "fleet0", **settings) == {"ab", "ba"}
    assert used(of, "fleet1", **settings) == {"ac", "bc", "ca", "cb"}


def test_the_next_generation_is_without_them() -> None:
    of = hosts("a", "b")
    share(of, "ab")
    for _pass in range(3):
        apply(of, "ab", generation=2)
    assert used(of, "fleet0", generation=2) == set()
