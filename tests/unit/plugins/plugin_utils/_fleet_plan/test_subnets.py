# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which subnet is whose: declared, seen, remembered or fresh, and never one that somebody has."""

from __future__ import annotations

import json
from contextlib import nullcontext
from copy import deepcopy
from ipaddress import ip_network
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.filter.wireguard_end import wireguard_end
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet_plan.allocation import allocate
from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet_plan.overlaps import FLEET, HOST, Claim, check
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases

from .scene import POOL, Hosts, apply, carried, ends, fleet, host, hosts, key, overlapping, peers, planned


def without(of: Hosts, *names: str) -> Hosts:
    """The fleet as a play with ``--limit`` and no cache knows it: no fact of the others."""
    found = deepcopy(of)
    for name in found:
        if name not in names:
            del found[name]["breakwater_wireguard_seen"]
    return found


def test_declared_before_seen_before_fresh() -> None:
    there = [{"name": "fleet", "subnets": ["10.5.0.0/24"], "driver_options": {"com.docker.network.driver.mtu": "1400"}}]
    of = {
        "a": host("a", 1, subnets=["10.4.0.0/24"]),
        "b": host("b", 2, seen={"networks": there}),
        "c": host("c", 3),
    }
    found = fleet(of)["subnets"]
    assert found["a"] == ["10.4.0.0/24"] and found["b"] == ["10.5.0.0/24"]
    assert ip_network(found["c"][0]).subnet_of(ip_network(POOL))
    network = ends(of)["b"]["networks"][0]
    assert network["driver_options"] == {"com.docker.network.driver.mtu": "1400"}


def test_a_host_keeps_its_subnet_without_its_network() -> None:
    of = hosts("a", "b")
    before = apply(of, "ab")["subnets"]
    of["a"]["breakwater_wireguard_seen"].update(networks=[], prefixes=[])
    assert fleet(of)["subnets"] == before
    of["a"]["breakwater_wireguard_seen"]["tunnels"] = []
    assert fleet(of, pool="10.99.0.0/16")["subnets"] == before


@pytest.mark.parametrize("layout", ["mesh", "hub", "sites"])
def test_limit_to_one_host_changes_nothing(layout: str) -> None:
    of = hosts(*"abcdef")
    for n, name in enumerate("abcdef"):
        of[name].update({"breakwater_wireguard_hub": n < 2, "breakwater_wireguard_site": "xxxyyz"[n]})
    apply(of, "abcdef", layout=layout)
    whole = ends(of, layout=layout)
    for play in ("a", "c", "f", "ad", "bce"):
        limited = without(of, *play)
        found = fleet(limited, layout=layout)
        for name in play:
            end = wireguard_end(found, name)
            assert carried(end) == carried(whole[name]), (layout, play, name)
            assert end["networks"] == whole[name]["networks"]


def test_a_new_host_in_a_limited_play_takes_nobodys_subnet() -> None:
    of = hosts(*"abcd", hub=True)
    before = apply(of, "abcd", layout="hub")["subnets"]
    of.update(new=host("new", 9))
    fresh = fleet(without(of, "a", "new"), layout="hub")["subnets"]["new"]
    assert not overlapping([*fresh, *(each[0] for each in before.values())])


def test_who_left_the_inventory_stays_until_it_is_absent() -> None:
    of = hosts("a", "b", "gone")
    before = apply(of, ["a", "b", "gone"])["subnets"]
    del of["gone"]
    found = fleet(of)
    assert peers(ends(of)["a"])["gone"]["public_key"] == key("gone 1")
    assert found["subnets"]["gone"] == before["gone"]
    assert found["warnings"] == [
        "not in the fleet, and kept by its peers until breakwater_wireguard_absent names it: gone"
    ]
    assert set(peers(ends(of, absent=["gone"])["a"])) == {"b"}
    assert not fleet(of, absent=["gone"])["warnings"]


def test_absent() -> None:
    of = hosts("a", "b", "c")
    apply(of, "abc")
    of["c"]["breakwater_wireguard_state"] = "absent"
    found = ends(of, absent=["b"])
    assert found["b"] == found["c"] == {"name": "fleet", "state": "absent"}
    assert not peers(found["a"])


def test_a_host_of_whom_nothing_is_known_is_left_out() -> None:
    of = {**hosts("a"), "new": host("new", 2, seen=None)}
    found = fleet(of)
    assert found["warnings"] == ["left out as a peer, for no public key is known of it until it was in a play: new"]
    assert not peers(wireguard_end(found, "a")) and "new" not in found["subnets"]
    with pytest.raises(AnsibleFilterError, match=r"hostvars.new: no public key of 'new' is known"):
        wireguard_end(found, "new")
    with pytest.raises(AnsibleFilterError, match=r"'nwe' is not in the fleet 'fleet'; did you mean 'new'"):
        wireguard_end(found, "nwe")


def test_a_fact_as_text() -> None:
    of = hosts("a", "b")
    seen = "breakwater_wireguard_seen"
    assert ends({name: {**each, seen: json.dumps(each[seen])} for name, each in of.items()}) == ends(of)


def test_a_key_by_variable() -> None:
    of = hosts("a")
    of["b"] = host("b", 2, seen=None, subnets=["10.3.0.0/24"], public_keys={"fleet-1": key("b 1")})
    assert peers(ends(of)["a"])["b"]["public_key"] == key("b 1")


def test_networks_that_are_there() -> None:
    there = [{"name": "shop", "subnets": ["10.7.0.0/24"], "driver_options": {}}]
    of = {"a": host("a", 1, networks=["shop"], seen={"networks": there}), **hosts("b")}
    found = ends({**of, "b": host("b", 2, subnets=["10.8.0.0/24"])}, pool="")
    assert found["a"]["networks"] == [] and found["a"]["hosts_files"] == []
    assert carried(found["b"]) == {"a": ["10.7.0.0/24"]}
    assert fleet(of)["subnets"]["a"][1:] == ["10.7.0.0/24"]


def test_a_network_that_was_there_in_a_pool_of_dockers() -> None:
    there = [{"name": "shop", "subnets": ["172.18.0.0/16"], "driver_options": {}}]
    of = {"a": host("a", 1, networks=["shop"], seen={"networks": there})}
    told = "172.18.0.0/16, of 'a' lies in 172.18.0.0/16, a pool of Docker's on 'a': a new network there may take it"
    assert [each.partition(";")[0] for each in fleet(of)["warnings"]] == [told]


NAMES = st.lists(st.text("abcdef0123456789-", min_size=1, max_size=8), unique=True, max_size=24)
TAKEN = st.lists(st.sampled_from([str(each) for each in ip_network("10.80.0.0/18").subnets(new_prefix=23)]), max_size=9)


@cases(200)
@given(NAMES, TAKEN, st.randoms())
def test_allocation(names: list[str], taken: list[str], random: Any) -> None:
    pool = "10.80.0.0/18"
    found = allocate(names, pool, 24, taken)
    assert set(found) == set(names) and len(set(found.values())) == len(names)
    assert all(ip_network(each).subnet_of(ip_network(pool)) for each in found.values())
    assert not any(ip_network(each).overlaps(ip_network(one)) for each in found.values() for one in taken)
    shuffled = list(names)
    random.shuffle(shuffled)
    assert allocate(shuffled, pool, 24, taken) == found


@cases(60)
@given(st.lists(st.sampled_from("abcdefghij"), unique=True, min_size=1), st.sampled_from("klmnop"))
def test_who_comes_moves_nobody(names: list[str], new: str) -> None:
    of = hosts(*names)
    before = apply(of, names)["subnets"]
    after = fleet({**of, new: host(new, 99)})["subnets"]
    assert {name: after[name] for name in names} == before


def test_allocation_to_the_last() -> None:
    names = [str(each) for each in range(4)]
    assert len({*allocate(names, "10.80.0.0/22", 24, []).values()}) == 4
    with pytest.raises(
        Exception, match=r"breakwater_wireguard_pool: 10.80.0.0/22 has no free /24 for '3': 3 are given"
    ):
        allocate(names, "10.80.0.0/22", 24, ["10.80.2.128/25"])
    with pytest.raises(DeclarationError, match="has no free /24"):
        allocate(["a"], "10.80.0.0/22", 24, ["10.0.0.0/8"])
    assert allocate(["a"], "2001:db8::/32", 64, ["10.80.0.0/16"])["a"].endswith("::/64")


SUBNETS = st.lists(
    st.sampled_from([str(each) for new in (24, 25, 26) for each in ip_network("10.0.0.0/22").subnets(new_prefix=new)]),
    max_size=8,
)


@cases(200)
@given(SUBNETS, SUBNETS)
def test_overlaps_are_found_as_by_comparing_each_with_each(ours: list[str], theirs: list[str]) -> None:
    claims = [Claim(each, FLEET, "of 'a'", "x") for each in ours]
    claims += [Claim(each, HOST, "a route of 'b'") for each in theirs]
    wrong = overlapping(ours) or any(ip_network(a).overlaps(ip_network(b)) for a in ours for b in theirs)
    with pytest.raises(DeclarationError) if wrong else nullcontext():
        check(claims)


def test_the_fleets_own_is_at_odds_with_nothing() -> None:
    of = hosts("a", "b")
    apply(of, "ab")
    seen = of["a"]["breakwater_wireguard_seen"]
    seen["prefixes"] += [{"subnet": fleet(of)["subnets"]["b"][0], "interface": "fleet1", "what": "a route"}]
    seen["prefixes"] += [{"subnet": "0.0.0.0/0", "interface": "eth0", "what": "a route"}]
    assert not fleet(of)["warnings"]


def test_direct_routes_are_the_fleets_own() -> None:
    of = hosts("a", "b")
    found = apply(of, "ab", backend="direct")
    prefix = {"subnet": found["subnets"]["b"][0], "interface": "eth0", "what": "a route"}
    of["a"]["breakwater_wireguard_seen"]["prefixes"].append(prefix)
    assert fleet(of, backend="direct")["subnets"] == found["subnets"]


@pytest.mark.parametrize(
    ("settings_", "paths", "expected"),
    [
        ({}, [1500], 1420),
        ({}, [1500, 1400], 1320),
        ({}, [9000], 1420),
        ({}, [1300], 1280),
        ({}, [None], 1420),
        ({"mtu": 1380}, [1500], 1380),
        ({"backend": "vxlan"}, [1500], 1450),
        ({"backend": "direct"}, [1500, 9000], 1500),
        ({"backend": "direct"}, [1200], 1200),
    ],
)
def test_mtu(settings_: dict[str, Any], paths: list[int | None], expected: int) -> None:
    of = {f"h{n}": host(f"h{n}", n, seen={"path_mtu": each}) for n, each in enumerate(paths, start=1)}
    found = fleet(of, **settings_)
    assert found["mtu"] == expected
    options = wireguard_end(found, "h1")["networks"][0]["driver_options"]
    assert options["com.docker.network.driver.mtu"] == str(expected)


def test_mtu_of_vxlan_by_ipv6() -> None:
    of = {"a": host("a", 1, endpoint="2001:db8::1")}
    assert fleet(of, backend="vxlan")["mtu"] == 1430


@pytest.mark.parametrize(
    ("engine", "is_trusted"), [("28.2.0", True), ("28.1.9", False), ("20.10.24", False), ("", False)]
)
def test_trusted_interfaces_by_engine(engine: str, is_trusted: bool) -> None:
    options = ends({"a": host("a", 1, seen={"engine": engine})})["a"]["networks"][0]["driver_options"]
    found = options.get("com.docker.network.bridge.trusted_host_interfaces")
    assert found == ("fleet0:fleet1" if is_trusted else None)


def test_ipv6() -> None:
    of = {
        "a": host("a", 1, endpoint="[2001:db8::1]:500", subnets=["fd00:1::/64", "10.1.0.0/24"]),
        "b": host("b", 2),
    }
    found = ends(of)
    assert peers(found["b"])["a"]["endpoint"] == "[2001:db8::1]:501"
    assert found["a"]["networks"][0]["enable_ipv6"] is True and "enable_ipv6" not in found["b"]["networks"][0]


def test_names_and_policy() -> None:
    of = hosts("a", "b", "c")
    for n, name in enumerate("abc"):
        of[name]["breakwater_wireguard_subnets"] = [f"10.1.{n}.0/24"]
    of["a"]["breakwater_wireguard_names"] = {"db": "10.1.0.10", "db-ro": "10.1.0.10"}
    of["b"]["breakwater_wireguard_names"] = {"web": "10.1.1.10"}
    allow = [{"from": {"remote": "web"}, "to": "db", "ports": [5432]}, {"from": ["x", {"remote": "c"}], "to": "y"}]
    found = ends(of, policy={"default": "deny", "allow": allow})
    assert found["b"]["hosts_files"] == [
        {"network": "fleet", "entries": [{"address": "10.1.0.10", "names": ["db", "db-ro"]}]}
    ]
    assert [each["names"] for each in found["c"]["hosts_files"][0]["entries"]] == [["db", "db-ro"], ["web"]]
    first, second = found["a"]["policy"]["allow"]
    assert first["from"] == [{"cidr": "10.1.1.10/32"}] and first["ports"] == ["5432"]
    assert second["from"] == ["x", {"cidr": "10.1.2.0/24"}]
    assert "policy" not in ends(of)["a"]


def test_a_policy_goes_on_without_who_has_left() -> None:
    of = hosts("a", "b", "c")
    of["b"]["breakwater_wireguard_names"] = {"web": "10.80.1.10"}
    allow = [
        {"from": {"remote": "web"}, "to": "db"},
        {"from": {"remote": "b"}, "to": "db"},
        {"from": [{"remote": "b"}, "x"], "to": "db"},
    ]
    found = ends(of, policy={"default": "deny", "allow": allow}, absent=["b"])["a"]["policy"]
    assert [each["from"] for each in found["allow"]] == [["x"]]
    assert ends(of, policy={"default": "deny", "allow": allow[:1]}, absent=["b"])["a"]["policy"]["allow"] == []


def test_a_hub_and_a_leader_let_others_through() -> None:
    of = hosts("a", "b", "c")
    of["b"]["breakwater_wireguard_hub"] = True
    found = ends(of, layout="hub")
    assert [found[name]["tunnels"][0]["transit"] for name in "abc"] == [False, True, False]
    assert not any(each["tunnels"][0]["transit"] for each in ends(hosts("a", "b")).values())
    gate = [{"name": "cloud", "public_key": key("cloud"), "subnets": ["10.9.0.0/16"], "at": ["c"]}]
    assert [each["tunnels"][0]["transit"] for each in ends(hosts("a", "b", "c"), peers=gate).values()] == [0, 0, 1]


def test_the_plan_grows_with_hosts_and_not_with_pairs() -> None:
    def size(number: int) -> int:
        of = hosts(*(f"h{n}" for n in range(number)))
        return len(str(planned(of)))

    assert size(80) < 2.2 * size(40)
