# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels as they are declared; each that is wrong is refused in a sentence that begins with its field."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import SPEC as TOPOLOGY
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import Memory, Topology
from ansible_collections.breakwater.docker.plugins.module_utils._model.tunnel import SPEC, Tunnel, derived_mtu
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_tunnel import drawn
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fleet import HERE, peer, plain, tunnel


def read(args: dict[str, Any], path: str = "") -> Tunnel:
    """A tunnel as a user writes it."""
    return Tunnel.read(spec.read(SPEC, args), path)


def vxlan(*peers: dict[str, Any], **options: Any) -> dict[str, Any]:
    return tunnel(*peers, backend="vxlan", **options)


def direct(*peers: dict[str, Any], **options: Any) -> dict[str, Any]:
    return tunnel(*peers, backend="direct", **options)


READ: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("WireGuard", tunnel(), {"backend": "wireguard", "key": "fleet0", "listen_port": 51820, "vni": 0, "mtu": None}),
    ("a key of another name", tunnel(key="fleet-1"), {"key": "fleet-1"}),
    ("VXLAN", vxlan(), {"key": "", "listen_port": 4789, "vni": 4789, "local": HERE}),
    ("VXLAN over IPv6", vxlan(plain(endpoint="FD99::2"), local="FD99:0::1"), {"local": "fd99::1"}),
    ("plain routes", direct(), {"key": "", "listen_port": 0, "vni": 0, "local": ""}),
    ("the smallest MTU", tunnel(mtu=1280), {"mtu": 1280}),
    ("nobody yet", tunnel(peers=[]), {"peers": (), "remote": ()}),
    ("no longer", {"name": "fleet0", "state": "absent"}, {"state": "absent", "peers": ()}),
    ("fifteen characters", tunnel(name="a-2345678901_34"), {"key": "a-2345678901_34"}),
    (
        "what is behind peers",
        tunnel(peer(3, subnets=["FD00:3::/64", "10.80.3.0/24"]), peer(2, route=False)),
        {"remote": ("10.80.2.0/24", "10.80.3.0/24", "fd00:3::/64")},
    ),
]


@pytest.mark.parametrize(("args", "expected"), [each[1:] for each in READ], ids=[each[0] for each in READ])
def test_read(args: dict[str, Any], expected: dict[str, Any]) -> None:
    found = read(args, "tunnels[0]")
    assert {key: getattr(found, key) for key in expected} == expected
    assert found.at("mtu") == "tunnels[0].mtu"


ENDPOINTS = [
    ("192.0.2.1:51820", "192.0.2.1:51820"),
    ("[2001:DB8:0::1]:051820", "[2001:db8::1]:51820"),
    ("edge1.example:1", "edge1.example:1"),
    ("edge1:65535", "edge1:65535"),
]


@pytest.mark.parametrize(("given", "expected"), ENDPOINTS)
def test_endpoint(given: str, expected: str) -> None:
    assert read(tunnel(peer(endpoint=given))).peers[0].endpoint == expected


def test_a_peer_that_calls_has_no_endpoint() -> None:
    assert read(tunnel(peer(endpoint=None))).peers[0].endpoint is None


FIRST, SECOND = "peers[0]", "peers[1]"
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("no name of an interface", tunnel(name="0fleet"), "name", "'0fleet' is no name for an interface: a letter"),
    ("a name of 16 characters", tunnel(name="a234567890123456"), "name", "up to 14 letters"),
    ("a name with a slash", tunnel(name="a/b"), "name", "is no name for an interface"),
    ("a name with a dot", tunnel(name="a.b"), "name", "is no name for an interface"),
    ("another backend", tunnel(backend="ipsec"), "backend", "expected one of wireguard, vxlan, direct, found 'ipsec'"),
    ("a key that is a path", tunnel(key="../etc/shadow"), "key", "../etc/shadow"),
    ("a key of a VXLAN", vxlan(key="fleet0"), "key", "goes with backend: wireguard, not with vxlan"),
    ("a key of plain routes", direct(key="fleet0"), "key", "goes with backend: wireguard, not with direct"),
    ("a VXLAN from nowhere", vxlan(local=None), "local", "is required with backend: vxlan"),
    ("a VXLAN from a name", vxlan(local="edge1"), "local", "'edge1' is not an IP address"),
    ("WireGuard from somewhere", tunnel(local=HERE), "local", "goes with backend: vxlan, not with wireguard"),
    ("too small", tunnel(mtu=1279), "mtu", "expected 1280 to 65535 bytes, found 1279"),
    ("too large", tunnel(mtu=65536), "mtu", "expected 1280 to 65535 bytes, found 65536"),
    ("for nobody", tunnel(subnets=[]), "subnets", "lists none; nobody on this host could use it"),
    ("host bits", tunnel(subnets=["10.80.1.7/24"]), "subnets[0]", "has host bits set; the subnet is 10.80.1.0/24"),
    (
        "own subnets that overlap",
        tunnel(subnets=["10.81.0.0/16", "10.80.1.0/24", "10.80.0.0/16"]),
        "subnets[2]",
        "10.80.0.0/16 of this host overlaps 10.80.1.0/24 of this host",
    ),
    ("port 0", tunnel(listen_port=0), "listen_port", "expected a port from 1 to 65535, found 0"),
    ("port 65536", vxlan(listen_port=65536), "listen_port", "expected a port from 1 to 65535, found 65536"),
    ("a port of plain routes", direct(listen_port=4789), "listen_port", "goes with a tunnel"),
    ("number 0", vxlan(vni=0), "vni", "expected a number from 1 to 16777215, found 0"),
    ("a number of 25 bits", vxlan(vni=1 << 24), "vni", "found 16777216"),
    ("no public key", tunnel(peer(public_key=None)), f"{FIRST}.public_key", "is required with backend: wireguard"),
    ("a key that is cut", tunnel(peer(public_key=drawn("x")[:43])), f"{FIRST}.public_key", "is no public key of"),
    ("a key of 31 bytes", tunnel(peer(public_key="A" * 42 + "==")), f"{FIRST}.public_key", "is no public key of"),
    ("a key of other letters", tunnel(peer(public_key="ö" * 44)), f"{FIRST}.public_key", "is no public key of"),
    ("a public key of a VXLAN", vxlan(peer()), f"{FIRST}.public_key", "goes with backend: wireguard, not with vxlan"),
    ("keepalive of a VXLAN", vxlan(plain(keepalive=25)), f"{FIRST}.keepalive", "goes with backend: wireguard"),
    ("a shared key of a route", direct(plain(preshared=True)), f"{FIRST}.preshared", "goes with backend: wireguard"),
    ("too late", tunnel(peer(keepalive=65536)), f"{FIRST}.keepalive", "expected 0 to 65535 seconds, found 65536"),
    ("before it", tunnel(peer(keepalive=-1)), f"{FIRST}.keepalive", "found -1"),
    ("nothing behind it", tunnel(peer(subnets=[])), f"{FIRST}.subnets", "lists none; nothing would ever go to"),
    ("an address behind it", tunnel(peer(subnets=["10.80.2.1"])), f"{FIRST}.subnets[0]", "has no prefix length"),
    ("a peer without a name", tunnel(peer(name="")), f"{FIRST}.name", "name"),
    ("a peer that is a path", tunnel(peer(name="../x")), f"{FIRST}.name", "'../x'"),
    ("no port", tunnel(peer(endpoint="192.0.2.1")), f"{FIRST}.endpoint", "'192.0.2.1' names no port"),
    ("port 0 there", tunnel(peer(endpoint="edge:0")), f"{FIRST}.endpoint", "from 1 to 65535, found '0'"),
    ("port 65536 there", tunnel(peer(endpoint="edge:65536")), f"{FIRST}.endpoint", "found '65536'"),
    ("a port in words", tunnel(peer(endpoint="edge:wg")), f"{FIRST}.endpoint", "found 'wg'"),
    (
        "IPv6 without brackets",
        tunnel(peer(endpoint="fd00::1:51820")),
        f"{FIRST}.endpoint",
        "expected an address or a name",
    ),
    ("IPv4 in brackets", tunnel(peer(endpoint="[192.0.2.1]:1")), f"{FIRST}.endpoint", "is an IPv4 address"),
    ("a name in brackets", tunnel(peer(endpoint="[edge]:1")), f"{FIRST}.endpoint", "expected an address or a name"),
    ("a zone", tunnel(peer(endpoint="[fe80::1%x\ny]:1")), f"{FIRST}.endpoint", "expected an address or a name"),
    ("no address quite", tunnel(peer(endpoint="192.0.2.300:1")), f"{FIRST}.endpoint", "expected an address or a name"),
    ("a name with a blank", tunnel(peer(endpoint="ed ge:1")), f"{FIRST}.endpoint", "expected an address or a name"),
    ("IPv6 by IPv4", direct(plain(subnets=["fd80:2::/64"])), f"{FIRST}.endpoint", "is no gateway for fd80:2::/64"),
    ("a VXLAN to nowhere", vxlan(plain(endpoint=None)), f"{FIRST}.endpoint", "is required with backend: vxlan"),
    ("a route to nowhere", direct(plain(endpoint=None)), f"{FIRST}.endpoint", "is required with backend: direct"),
    ("a VXLAN to a port", vxlan(plain(endpoint="192.0.2.1:1")), f"{FIRST}.endpoint", "is not an IP address"),
    (
        "a VXLAN of two worlds",
        vxlan(plain(endpoint="fd99::2")),
        f"{FIRST}.endpoint",
        f"not of the IP version of {HERE}",
    ),
    ("a name twice", tunnel(peer(), peer(3, name="edge2")), f"{SECOND}.name", "is that of peer 'edge2' already"),
    (
        "a key twice",
        tunnel(peer(), peer(3, public_key=drawn("edge2"))),
        f"{SECOND}.public_key",
        "is that of peer 'edge2' already",
    ),
    (
        "a VXLAN to one address twice",
        vxlan(plain(), plain(3, endpoint="10.99.1.12")),
        f"{SECOND}.endpoint",
        "is that of peer 'edge2' already",
    ),
    (
        "of this host",
        tunnel(peer(subnets=["10.80.9.0/24", "10.80.0.0/16"])),
        f"{FIRST}.subnets[1]",
        "10.80.0.0/16 of peer 'edge2' overlaps 10.80.1.0/24 of this host",
    ),
    (
        "of another peer",
        tunnel(peer(), peer(3, subnets=["10.80.3.0/24", "10.80.2.128/25"])),
        f"{SECOND}.subnets[1]",
        "10.80.2.128/25 of peer 'edge3' overlaps 10.80.2.0/24 of peer 'edge2'",
    ),
    (
        "of itself",
        tunnel(peer(subnets=["fd00::/64", "fd00::/48"])),
        f"{FIRST}.subnets[1]",
        "fd00::/48 of peer 'edge2' overlaps fd00::/64 of peer 'edge2'",
    ),
    ("an option that there is not", tunnel(port=51820), "port", "no such option"),
    ("a secret that is given away", tunnel(peer(preshared_key=drawn("x"))), f"{FIRST}.preshared_key", "no such option"),
]


@pytest.mark.parametrize(("args", "field", "says"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
@pytest.mark.parametrize("whole", [False, True], ids=["alone", "in a topology"])
def test_refused(args: dict[str, Any], field: str, says: str, whole: bool) -> None:
    with pytest.raises(DeclarationError) as refusal:
        _found = topology(tunnel(name="other"), args) if whole else read(args)
    assert refusal.value.field == (f"tunnels[1].{field}" if whole else field)
    message = str(refusal.value)
    assert says in message and message.startswith(refusal.value.field), message
    assert "\n" not in message and not message.endswith(".")


def test_what_is_absent_is_asked_no_more() -> None:
    assert read({**tunnel(peer(endpoint="?")), "state": "absent"}) == Tunnel("fleet0", "absent")


@pytest.mark.parametrize(
    ("backend", "path", "is_ipv6", "expected"),
    [
        ("wireguard", 1500, False, 1420),
        ("wireguard", 9001, True, 8921),
        ("vxlan", 1500, False, 1450),
        ("vxlan", 1500, True, 1430),
        ("vxlan", 1300, False, 1280),
    ],
)
def test_mtu(backend: str, path: int, is_ipv6: bool, expected: int) -> None:
    assert derived_mtu(backend, path, is_ipv6) == expected


def topology(*tunnels: dict[str, Any], **options: Any) -> Topology:
    """A topology of tunnels."""
    return Topology.read(spec.read(TOPOLOGY, {"name": "fleet", "tunnels": list(tunnels), **options}))


def test_a_tunnel_is_declared_once() -> None:
    with pytest.raises(DeclarationError, match=r"^tunnels\[1\]\.name: tunnel 'fleet0' is declared already, as tunnels"):
        topology(tunnel(), tunnel(peer(3)))


def test_two_tunnels_of_which_one_prepares() -> None:
    assert len(topology(tunnel(peer(route=False)), tunnel(name="fleet1")).tunnels) == 2


def test_two_tunnels_that_would_route_in_turns() -> None:
    with pytest.raises(DeclarationError) as refusal:
        topology(tunnel(), tunnel(peer(subnets=["10.80.3.0/24", "10.80.2.0/24"]), name="fleet1"))
    assert str(refusal.value) == (
        "tunnels[1].peers[0].subnets[1]: the way to '10.80.2.0/24' is declared already,"
        " as tunnels[0].peers[0].subnets[0]"
    )


@pytest.mark.parametrize("seconds", [0, 10, 3600])
def test_confirm_within(seconds: int) -> None:
    assert topology(confirm_within=seconds).confirm_within == seconds


@pytest.mark.parametrize("seconds", [-1, 1, 9, 3601])
def test_confirm_within_what_nobody_can(seconds: int) -> None:
    with pytest.raises(
        DeclarationError, match=rf"^confirm_within: expected 10 to 3600 seconds, or 0, found {seconds}$"
    ):
        topology(confirm_within=seconds)


def test_what_is_remembered_of_tunnels() -> None:
    memory = Memory(topology(tunnel(), tunnel(peer(3), name="other0")).arguments)
    assert Topology.recalled("fleet", memory).tunnels == topology(tunnel(), tunnel(peer(3), name="other0")).tunnels
    assert topology(confirm_within=60).arguments.keys() == topology().arguments.keys()


NET = [{"name": "front"}]
RULES: list[dict[str, Any]] = [{"action": "drop", "source": "203.0.113.0/24"}]


def test_disarmed_of_what_there_was_not() -> None:
    now = Memory(
        topology(tunnel(), networks=NET, rules=RULES, policy={"default": "deny"}).arguments, networks=frozenset("n")
    )
    found = now.disarmed(None)
    assert found.networks == frozenset("n")
    left = Topology.recalled("fleet", found)
    assert (left.tunnels, left.rules, left.policy) == ((), None, None)
    assert [each.name for each in left.networks] == ["front"]


def test_disarmed_of_what_is_new() -> None:
    now = Memory(topology(tunnel(peer(3)), networks=NET, rules=RULES).arguments)
    left = Topology.recalled("fleet", now.disarmed(Memory(topology(tunnel()).arguments)))
    assert left.tunnels == topology(tunnel()).tunnels and left.rules is None
    assert [each.name for each in left.networks] == ["front"], "networks stay, and who is on them"


def test_disarmed_of_what_came_with_a_newer_version() -> None:
    """A memory of before there were tunnels says nothing of them: then there were none."""
    now = Memory(topology(tunnel()).arguments)
    assert Topology.recalled("fleet", now.disarmed(Memory({"networks": NET}))).tunnels == ()
