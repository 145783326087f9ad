# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a fleet is told before any host is touched: the variable, the entry, and both owners."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.breakwater.docker.plugins.filter.wireguard_end import FilterModule as EndModule
from ansible_collections.breakwater.docker.plugins.filter.wireguard_fleet import FilterModule, wireguard_fleet

from .scene import POOL, host, key

V = "breakwater_wireguard_"
OFFICE = {"name": "office", "public_key": key("office"), "endpoint": "198.51.100.7", "subnets": ["10.9.0.0/24"]}


def office(**changed: Any) -> dict[str, Any]:
    """Settings with a peer that nobody manages."""
    return {"peers": [{**OFFICE, **changed}]}


SETTINGS: list[tuple[str, Any, str]] = [
    ("no dictionary", [], "expected a dictionary of settings"),
    ("misspelt", {"layuot": "mesh"}, f"{V}layuot: no such option; did you mean '{V}layout'"),
    ("a name too long", {"name": "a-fleet-of-many"}, f"{V}name: 'a-fleet-of-many' names no interface"),
    ("no layout", {"layout": "ring"}, f"{V}layout: expected one of mesh, hub, sites, found 'ring'"),
    ("no backend", {"backend": "gre"}, f"{V}backend: expected one of"),
    ("no room for the second port", {"port": 65535}, f"{V}port: expected a port from 1 to 65534, found 65535"),
    ("no generation", {"generation": 0}, f"{V}generation: is counted from 1"),
    ("a small MTU", {"mtu": 1000}, f"{V}mtu: expected 1280 to 65535 bytes"),
    ("host bits", {"pool": "10.80.0.1/16"}, f"{V}pool: '10.80.0.1/16' has host bits set"),
    ("a prefix beyond the pool", {"prefix": 8}, f"{V}prefix: expected 16 to 30 for subnets of pool 10.80.0.0/16"),
    ("keys without WireGuard", {"backend": "direct", "preshared": True}, f"{V}preshared: goes with backend: wireguard"),
    ("peers without WireGuard", {"backend": "vxlan", **office()}, f"{V}peers: goes with backend: wireguard"),
    ("no key", office(public_key=None), f"{V}peers[0].public_key: is required"),
    ("half a key", office(public_key="abc"), f"{V}peers[0].public_key: 'abc' is no public key of WireGuard"),
    ("no base64", office(public_key="ä" * 44), f"{V}peers[0].public_key: "),
    ("no subnets", office(subnets=[]), f"{V}peers[0].subnets: lists none"),
    ("no subnet", office(subnets=["10.9.0.0/24", "x"]), f"{V}peers[0].subnets[1]: 'x' is not a subnet"),
    ("no endpoint", office(endpoint="a b"), f"{V}peers[0].endpoint: expected an address or a name"),
    ("no port", office(endpoint="a:http"), f"{V}peers[0].endpoint: expected a port from 1 to 65535, found 'http'"),
    ("an address in brackets", office(endpoint="[192.0.2.1]:1"), f"{V}peers[0].endpoint: 192.0.2.1 is an IPv4"),
    ("kept alive too rarely", office(keepalive=70000), f"{V}peers[0].keepalive: expected 0 to 65535 seconds"),
    ("nobody there", office(at=["web"]), f"{V}peers[0].at[0]: the fleet has no host 'web'; there is a, b"),
    ("twice", {"peers": [OFFICE, OFFICE]}, f"{V}peers[1].name: peer 'office' is declared already, as {V}peers[0]"),
    ("a host's name", office(name="a"), f"{V}peers[0].name: 'a' is a host of the fleet already"),
    ("a host's key", office(public_key=key("a 1")), f"{V}peers[0].public_key: 'office' has the public key of 'a'"),
    (
        "a host's subnet",
        office(subnets=["10.1.0.0/16"]),
        "10.1.0.0/24, of 'a' overlaps 10.1.0.0/16, of peer 'office'",
    ),
    (
        "in a host's network",
        office(subnets=["192.0.2.128/25"]),
        "192.0.2.128/25, of peer 'office' overlaps 192.0.2.0/24, a r",
    ),
    ("no hub", {"layout": "hub"}, f"{V}layout: hub needs a host with {V}hub: true"),
    ("no site", {"layout": "sites"}, f"hostvars.a.{V}site: is required with layout: sites"),
    (
        "a pool of Docker's",
        {"pool": "172.16.0.0/12"},
        f"{V}pool: 172.16.0.0/12 overlaps 172.17.0.0/16, a pool of Docker's",
    ),
    (
        "no such remote",
        {"policy": {"allow": [{"from": {"remote": "d"}, "to": "x"}]}},
        f"{V}policy.allow[0].from.remote: the",
    ),
    (
        "a remote in a list",
        {"policy": {"allow": [{"from": "x", "to": ["y", {"remote": "db2"}]}]}},
        f"{V}policy.allow[0].to[1].remote: the fleet has no 'db2'; did you mean 'db'?",
    ),
    (
        "more than a remote",
        {"policy": {"allow": [{"from": {"remote": "a", "except": []}, "to": "x"}]}},
        f"{V}policy.allow[0].from: remote says it all, found except beside it",
    ),
    ("no policy", {"policy": {"allow": [{"from": "x"}]}}, f"{V}policy.allow[0].to: is required"),
    ("no default", {"policy": {"default": "perhaps"}}, f"{V}policy.default: expected one of"),
    ("no ports", {"policy": {"allow": [{"from": "x", "to": "y", "ports": [0]}]}}, f"{V}policy.allow[0].ports[0]: "),
]


def fleet(settings: Any, **of: dict[str, Any]) -> dict[str, Any]:
    """The plan of hosts a and b, or of others."""
    found = {
        "a": host("a", 1, subnets=["10.1.0.0/24"], names={"db": "10.1.0.10"}),
        "b": host("b", 2, subnets=["10.2.0.0/24"]),
        **of,
    }
    return wireguard_fleet(found, list(found), settings)


@pytest.mark.parametrize(("given", "message"), [each[1:] for each in SETTINGS], ids=[each[0] for each in SETTINGS])
def test_a_wrong_setting_is_named(given: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        fleet({"pool": POOL, **given} if isinstance(given, dict) else given)
    assert message in str(refused.value)


C = f"hostvars.c.{V}"
NETWORKS = [{"name": "shop", "subnets": ["10.1.0.0/25"]}, {"name": "fleet", "subnets": ["10.3.0.0/24"]}]
VARIABLES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("the last port", {"endpoint": "x:65535"}, {}, f"{C}endpoint: expected a port from 1 to 65534"),
    ("an endpoint", {"endpoint": "-x"}, {}, f"{C}endpoint: expected an address or a name"),
    ("no subnet", {"subnets": ["10.3.0.1/24"]}, {}, f"{C}subnets[0]: '10.3.0.1/24' has host bits set"),
    ("perhaps", {"nat": "perhaps"}, {}, f"{C}nat: expected true or false"),
    ("no state", {"state": "gone"}, {}, f"{C}state: expected one of present, absent"),
    ("no fact", {"seen": None, "public_keys": []}, {}, f"{C}public_keys: expected a dictionary"),
    ("half a key", {"public_keys": {"fleet-1": "x"}}, {}, f"{C}public_keys.fleet-1: 'x' is no public key"),
    (
        "half a key seen",
        {"seen": {"public_keys": {"fleet-1": "x"}}},
        {},
        f"{C}seen.public_keys.fleet-1: 'x' is no public",
    ),
    (
        "a copied host",
        {"seen": {"public_keys": {"fleet-1": key("a 1")}}},
        {},
        "'c' has the public key of 'a' (hostvars.a)",
    ),
    ("another's subnet", {"subnets": ["10.2.0.0/23"]}, {}, "10.2.0.0/24, of 'b' overlaps 10.2.0.0/23, of 'c'"),
    (
        "a network there",
        {"seen": {"networks": NETWORKS}},
        {},
        "10.1.0.0/24, of 'a' overlaps 10.1.0.0/25, Docker's network 'shop' on 'c'",
    ),
    (
        "a pool there",
        {"seen": {"pools": ["10.2.0.0/16"]}},
        {},
        "10.2.0.0/24, of 'b' overlaps 10.2.0.0/16, a pool of Docker's on 'c'",
    ),
    (
        "a route there",
        {"seen": {"prefixes": [{"subnet": "10.0.0.0/8", "interface": "eth1"}]}},
        {},
        "10.1.0.0/24, of 'a' overlaps 10.0.0.0/8, a route by eth1 of 'c'",
    ),
    (
        "the endpoint itself",
        {"endpoint": "10.1.0.7:99"},
        {},
        "10.1.0.0/24, of 'a' overlaps 10.1.0.7/32, the endpoint of 'c'",
    ),
    (
        "the same twice",
        {"subnets": ["10.3.0.0/24", "10.3.0.0/25"]},
        {},
        "10.3.0.0/25, of 'c' overlaps 10.3.0.0/24, of 'c'",
    ),
    (
        "no network",
        {"networks": ["shpo"], "seen": {"networks": NETWORKS}},
        {},
        f"{C}networks[0]: the host has no network 'sh",
    ),
    ("the fleet's network", {"networks": ["fleet"]}, {}, f"{C}networks[0]: 'fleet' is the fleet's own network"),
    (
        "nothing to take one from",
        {},
        {"pool": ""},
        f"{C}subnets: is required, or {V}networks of the host, or a {V}pool",
    ),
    ("a hub that nobody calls", {"hub": True, "nat": True}, {"layout": "hub"}, f"{C}hub: 'c' is behind NAT"),
    ("a name of none", {"names": {"a b": "10.3.0.1"}}, {}, f"{C}names: 'a b' is no host name"),
    ("no address", {"names": {"web": "x"}}, {}, f"{C}names.web: 'x' is not an IP address"),
    (
        "somebody's address",
        {"subnets": ["10.3.0.0/24"], "names": {"web": "10.1.0.4"}},
        {},
        f"{C}names.web: 10.1.0.4 is in no",
    ),
    (
        "a name twice",
        {"subnets": ["10.3.0.0/24"], "names": {"db": "10.3.0.4"}},
        {},
        f"{C}names.db: 'db' is 10.3.0.4 here and 10.1.0.10 on 'a'",
    ),
    (
        "a host's name",
        {"subnets": ["10.3.0.0/24"], "names": {"a": "10.3.0.4"}},
        {},
        f"{C}names.a: 'a' is a host or a peer",
    ),
    (
        "NAT and VXLAN",
        {"nat": True},
        {"backend": "vxlan"},
        f"{C}nat: goes with backend: wireguard; vxlan cannot be called",
    ),
    (
        "a name on a LAN",
        {"endpoint": "c.example.com"},
        {"backend": "direct"},
        f"{C}endpoint: backend: direct needs an address without a port, found 'c.example.com'; say it in {V}endpoint",
    ),
    ("a port on a LAN", {"endpoint": "192.0.2.3:1"}, {"backend": "direct"}, f"{C}endpoint: backend: direct needs"),
    (
        "IPv6 by IPv4",
        {"endpoint": "192.0.2.3", "subnets": ["10.3.0.0/24", "fd80:3::/64"]},
        {"backend": "direct"},
        f"{C}endpoint: 192.0.2.3 is no gateway for fd80:3::/64: IPv6 needs one of IPv6",
    ),
]


@pytest.mark.parametrize(
    ("variables", "settings", "message"), [each[1:] for each in VARIABLES], ids=[each[0] for each in VARIABLES]
)
def test_a_wrong_host_is_named(variables: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        fleet({"pool": POOL, **settings}, c=host("c", 3, **variables))
    assert message in str(refused.value)


def test_no_fact_but_something() -> None:
    with pytest.raises(AnsibleFilterError, match=f"{C}seen: expected what tunnel_info returns, found 'x'"):
        fleet({"pool": POOL}, c={**host("c", 3), f"{V}seen": "x"})


def test_two_leaders() -> None:
    sites = {name: host(name, n, site="x", leader=True) for n, name in enumerate("abc", start=1)}
    with pytest.raises(AnsibleFilterError, match="site 'x' has two leaders: 'a' and 'b'"):
        fleet({"pool": POOL, "layout": "sites"}, **sites)


def test_many_overlaps_are_told_in_short() -> None:
    subnets = [f"10.1.0.{n}/32" for n in range(9)]
    with pytest.raises(AnsibleFilterError, match=r"; and 6 more$"):
        fleet({"pool": POOL}, c=host("c", 3, subnets=subnets))


def test_ansible_finds_them() -> None:
    assert {*FilterModule().filters(), *EndModule().filters()} == {"wireguard_fleet", "wireguard_end"}
