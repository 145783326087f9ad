# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who speaks to whom: by table, and whatever the fleet, each subnet at one peer and each packet at its end."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import read
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import SPEC, Topology
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases

from .scene import Hosts, apply, arrives, carried, ends, fleet, host, hosts, key, overlapping, pairs, peers

A, B, C, D = ("10.80.1.0/24", "10.80.2.0/24", "10.80.3.0/24", "10.80.4.0/24")


def four(**variables: dict[str, Any]) -> Hosts:
    """Hosts a, b, c and d with a subnet each; ``variables`` by name."""
    return {
        name: host(name, number, subnets=[subnet], **variables.get(name, {}))
        for number, (name, subnet) in enumerate(zip("abcd", (A, B, C, D)), start=1)
    }


def test_mesh() -> None:
    found = ends(four(), layout="mesh")
    assert carried(found["a"]) == {"b": [B], "c": [C], "d": [D]}
    assert peers(found["a"])["b"] == {
        "name": "b",
        "public_key": key("b 1"),
        "endpoint": "192.0.2.2:51821",
        "subnets": [B],
        "keepalive": 0,
        "preshared": False,
        "route": True,
    }


def test_hub() -> None:
    found = ends(four(a={"hub": True}), layout="hub")
    assert carried(found["a"]) == {"b": [B], "c": [C], "d": [D]}
    assert carried(found["c"]) == {"a": sorted([A, B, D])}


def test_two_hubs_share_the_others_out() -> None:
    found = ends(four(a={"hub": True}, b={"hub": True}), layout="hub")
    assert carried(found["a"]) == {"b": [B], "c": [C], "d": [D]}
    there, back = carried(found["c"]), carried(found["d"])
    assert sorted(chain.from_iterable(there.values())) == [A, B, D]
    assert next(name for name, each in there.items() if D in each) == next(
        name for name, each in back.items() if C in each
    )


def test_sites() -> None:
    sites: dict[str, dict[str, Any]] = {name: {"site": site} for name, site in zip("abcd", ("x", "x", "y", "y"))}
    found = ends(four(**sites), layout="sites")
    assert carried(found["a"]) == {"b": [B], "c": [C, D]}
    assert carried(found["b"]) == {"a": [A, C, D]}
    sites["a"]["nat"], sites["d"]["leader"] = True, True
    found = ends(four(**sites), layout="sites")
    assert carried(found["b"]) == {"a": [A], "d": [C, D]}


def test_nat_keeps_alive_on_its_own_side() -> None:
    found = ends(four(a={"nat": True}))
    assert {each["keepalive"] for each in peers(found["a"]).values()} == {25}
    assert peers(found["b"])["a"]["keepalive"] == 0 and "endpoint" not in peers(found["b"])["a"]


def test_two_behind_nat_are_left_out_of_a_mesh() -> None:
    of = four(a={"nat": True}, b={"nat": True})
    assert carried(ends(of)["a"]) == {"c": [C], "d": [D]}
    assert "behind NAT, so they do not reach each other: a, b" in fleet(of)["warnings"]
    assert "c" in carried(ends({**of, "c": host("c", 3, subnets=[C], hub=True)}, layout="hub")["a"])


OFFICE = {"name": "office", "public_key": key("office"), "endpoint": "198.51.100.7", "subnets": ["10.9.0.0/24"]}
LAPTOP = {"name": "laptop", "public_key": key("laptop"), "subnets": ["10.9.9.9/32"]}


def test_unmanaged_peers() -> None:
    of = four(a={"hub": True})
    found = fleet(of, layout="hub", peers=[OFFICE, LAPTOP])
    assert carried(ends(of, layout="hub", peers=[OFFICE, LAPTOP])["b"]) == {
        "a": sorted([A, C, D, "10.9.0.0/24", "10.9.9.9/32"])
    }
    assert found["configurations"]["laptop"] == (
        "# 'laptop' in the fleet 'fleet', generation 1\n"
        "[Interface]\n"
        f"# PrivateKey = the one to the public key {key('laptop')}\n"
        "Address = 10.9.9.9/32\n"
        "MTU = 1420\n"
        "\n"
        "[Peer]\n"
        "# a\n"
        f"PublicKey = {key('a 1')}\n"
        "Endpoint = 192.0.2.1:51821\n"
        f"AllowedIPs = {A}, {B}, {C}, {D}, 10.9.0.0/24\n"
        "PersistentKeepalive = 25\n"
    )
    assert "ListenPort = 51820\n" in found["configurations"]["office"]
    assert "PersistentKeepalive" not in found["configurations"]["office"]


def test_an_unmanaged_peer_of_one_host() -> None:
    found = ends(four(), peers=[{**OFFICE, "at": ["b"]}])
    assert carried(found["b"])["office"] == ["10.9.0.0/24"]
    assert carried(found["a"])["b"] == sorted([B, "10.9.0.0/24"]) and "office" not in carried(found["a"])
    assert peers(found["b"])["office"]["endpoint"] == "198.51.100.7:51820"


def test_nobody_speaks_to_a_peer() -> None:
    of = hosts("a", nat=True)
    assert fleet(of, peers=[LAPTOP])["warnings"] == ["a peer to whom nobody speaks: laptop"]
    assert "AllowedIPs" not in fleet(of, peers=[LAPTOP])["configurations"]["laptop"]


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Hosts, dict[str, Any]]:
    """A fleet of any layout, and settings."""
    number = draw(st.integers(2, 7))
    layout = draw(st.sampled_from(["mesh", "hub", "sites"]))
    found = {}
    for n in range(number):
        found[f"h{n}"] = host(
            f"h{n}",
            n + 1,
            hub=n == 0 or draw(st.booleans()),
            site=draw(st.sampled_from("xyz")),
            nat=layout == "hub" and n > 0 and draw(st.booleans()),
        )
        if found[f"h{n}"]["breakwater_wireguard_nat"]:
            found[f"h{n}"]["breakwater_wireguard_hub"] = False
    outside = []
    for n in range(draw(st.integers(0, 2))):
        at = draw(st.none() | st.lists(st.sampled_from(sorted(found)), min_size=1, unique=True))
        outside.append(
            {
                "name": f"p{n}",
                "public_key": key(f"p{n} 1"),
                "endpoint": f"198.51.100.{n}",
                "subnets": [f"10.9.{n}.0/24"],
                "at": at,
            }
        )
    return found, {"layout": layout, "peers": outside}


@cases(150)
@given(fleets())
def test_each_subnet_at_one_peer_and_each_packet_at_its_end(given_: tuple[Hosts, dict[str, Any]]) -> None:
    of, declared = given_
    found = apply(of, sorted(of), **declared)
    world = {**of, **{each["name"]: outsider(found, each) for each in declared["peers"]}}
    for name, end in ends(of, **declared).items():
        assert Topology.read(read(SPEC, end)).tunnels
        listed = [each for peer in peers(end).values() for each in peer["subnets"]]
        assert not overlapping([*listed, *found["subnets"][name]])
    for one, other, origin, target in pairs(world, found):
        assert arrives(world, one, target, other, origin), (one, other)
    assert fleet(of, **declared)["subnets"] == found["subnets"]


def outsider(found: dict[str, Any], peer: dict[str, Any]) -> dict[str, Any]:
    """A peer that nobody manages, set up as the file for it says."""
    read: list[dict[str, Any]] = []
    name = ""
    for line in found["configurations"][peer["name"]].splitlines():
        field, _equals, value = line.partition(" = ")
        if line.startswith("# "):
            name = line[2:]
        elif field == "PublicKey":
            read.append({"name": name, "public_key": value, "endpoint": None})
        elif field == "Endpoint":
            read[-1]["endpoint"] = value
        elif field == "AllowedIPs":
            read[-1]["subnets"] = value.split(", ")
    tunnel = {"name": "fleet1", "key": "fleet-1", "peers": read}
    return {"breakwater_wireguard_seen": {"tunnels": [tunnel]}}


@pytest.mark.parametrize(
    ("backend", "tunnel"),
    [
        (
            "vxlan",
            {"name": "fleet0", "backend": "vxlan", "local": "192.0.2.1", "mtu": 1450, "transit": False, "subnets": [A]},
        ),
        ("direct", {"name": "fleet0", "backend": "direct", "subnets": [A]}),
    ],
)
def test_backends_without_keys(backend: str, tunnel: dict[str, Any]) -> None:
    of = four()
    found = ends(of, backend=backend)["a"]
    assert Topology.read(read(SPEC, found)).name == "fleet"
    listed = [{"name": name, "endpoint": f"192.0.2.{n}", "subnets": [subnet]} for n, name, subnet in REST]
    assert found["tunnels"] == [{**tunnel, "peers": listed}]
    trusted = "com.docker.network.bridge.trusted_host_interfaces"
    assert (trusted in found["networks"][0]["driver_options"]) == (backend == "vxlan")


REST = [(2, "b", B), (3, "c", C), (4, "d", D)]
