# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies under Debian's own kernel: what passes a bridge, by either part of the kernel that can show it; the log."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import test_policy
from lab_host import PATIENCE, Machine, comes_true
from resident import Resident, resident
from test_policy import cells, state

FRONT, BACK = ("10.61.1.0/24", "fd61:1::/64"), ("10.61.2.0/24", "fd61:2::/64")
SWITCHES = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")
measure = partial(test_policy.measure, reply_timeout=3)
# Whether the kernel has nf_conntrack_bridge, and what the switches of br_netfilter are set to before.
KERNELS = {
    "nf_conntrack_bridge": (True, "0"),
    "both": (True, "1"),
    "br_netfilter": (False, "0"),
}
WITHHELD = "/etc/modprobe.d/breakwater-test.conf"
# Says a byte and hears it again, ten times a second, until nothing comes; then leaves word.
TALK = """
import pathlib, socket, time
flow = socket.create_connection(({address!r}, 9000), 20)
flow.settimeout(5)
try:
    while True:
        flow.sendall(b"x")
        flow.recv(1)
        pathlib.Path({word!r}).touch()
        time.sleep(0.1)
except OSError:
    pathlib.Path({word!r}).unlink()
"""


# A datagram of several frames, and whether it comes back whole.
FRAGMENTS = """
import socket
where = socket.getaddrinfo({address!r}, 9000, type=socket.SOCK_DGRAM)[0]
asks = socket.socket(where[0], where[1])
asks.settimeout(20)
asks.sendto(b"x" * 4000, where[4])
print(b"x" * 4000 in asks.recv(9000))
"""
REACHES = """
import socket
flow = socket.create_connection(({address!r}, {port}), 5)
flow.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(len(flow.recv(9)))
"""
OUTSIDE = "198.51.100.1"
WORLD = f"""
ip netns add world
ip link add world type veth peer name eth0 netns world
ip addr add 198.51.100.2/24 dev world
ip link set world up
ip -n world addr add {OUTSIDE}/24 dev eth0
ip -n world link set eth0 up
"""


@pytest.fixture(scope="module")
def scene(machine: Machine) -> Resident:
    """web, api and other on one network, db on another, a gateway between: created once, for they are slow to come."""
    found = resident(machine)
    for name, subnets in {"front": FRONT, "back": BACK}.items():
        found.docker("network", "create", "--ipv6", *(f"--subnet={each}" for each in subnets), name)
    for name, options in {"web": (), "api": (), "other": ("--publish", "8088:8080")}.items():
        found.start(name, "--network", "front", *options, command=("echo-service",))
    found.start("db", "--network", "back", command=("echo-service",))
    forwarding = ("--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "net.ipv6.conf.all.forwarding=1")
    found.start("gateway", "--network", "front", *forwarding)
    found.docker("network", "connect", "back", "gateway")
    for container, subnets in (("api", BACK), ("other", BACK), ("db", FRONT)):
        routes = [{"destination": each, "via": "gateway"} for each in subnets]
        found.module("route", container=container, routes=routes)
    return found


@pytest.fixture
def lab(scene: Resident, kernel: str) -> Iterator[Resident]:
    """The scene under a kernel as the test asks for it; it ends without policies."""
    has_conntrack, switch = KERNELS[kernel]
    if not has_conntrack:
        scene.run("sh", "-c", f"echo install nf_conntrack_bridge /bin/false > {WITHHELD}")
        scene.run("modprobe", "-r", "nf_conntrack_bridge")
    scene.run("sysctl", "-qw", *(f"{each}={switch}" for each in SWITCHES))
    yield scene
    scene.module("policy", name="shop", state="absent")
    scene.run("rm", "-f", WITHHELD)


def switches(lab: Resident) -> list[str]:
    return lab.run("sysctl", "-n", *SWITCHES).split()


def both_versions(*expected: tuple[str, str, int | None, bool], **more: Any) -> list[dict[str, Any]]:
    return [each for version in (4, 6) for each in cells(*expected, ip_version=version, **more)]


@pytest.mark.parametrize("kernel", KERNELS)
def test_within_one_bridge(lab: Resident, kernel: str) -> None:
    """TCP, UDP and ICMP of both IP versions; an established flow is cut once it is not allowed; nothing is left."""
    named = "nf_conntrack_bridge" if KERNELS[kernel][0] else "br_netfilter"
    before, switched = state(lab), switches(lab)
    entry = {"from": "api", "to": "web", "ports": ["8080/tcp", "9000/tcp", "9000/udp", "icmp"]}
    args: dict[str, Any] = {"name": "shop", "networks": ["front"], "allow": [entry]}
    result = lab.cycle("policy", lambda: state(lab), **args)
    assert result["bridged_by"] == named
    assert switches(lab) == (switched if named == "nf_conntrack_bridge" else ["1", "1"])
    measure(
        lab,
        both_versions(
            ("api", "web", 8080, True),
            ("api", "web", 8081, False),
            ("web", "api", 8080, False),
            ("other", "web", 8080, False),
            ("api", "web", None, True),
            ("other", "web", None, False),
            ("api", "host", 22, False),
            ("host", "web", 8080, False),
        )
        + both_versions(("api", "web", 9000, True), ("api", "web", 9001, False), protocol="udp"),
    )
    assert all(echoes_fragments(lab, address) for address in addresses(lab, "web"))
    talking = [talk(lab, each) for each in addresses(lab, "web")]
    assert comes_true(lambda: all(is_talking(lab, each) for each in talking), PATIENCE)
    entry["ports"] = ["8080/tcp", "icmp"]
    tightened = lab.module("policy", **args)
    assert [each["resource"] for each in tightened["steps"]] == ["policy shop"]
    assert comes_true(lambda: not any(is_talking(lab, each) for each in talking), PATIENCE)
    measure(lab, both_versions(("api", "web", 8080, True), ("api", "web", 9000, False)))
    lab.module("policy", name="shop", state="absent")
    assert (state(lab), switches(lab)) == (before, switched)
    measure(lab, both_versions(("other", "web", 8081, True)))


def addresses(lab: Resident, container: str) -> list[str]:
    found = lab.inspect("container", container)["NetworkSettings"]["Networks"]["front"]
    return [found["IPAddress"], found["GlobalIPv6Address"]]


def echoes_fragments(lab: Resident, address: str) -> bool:
    """Whether a datagram that takes several frames comes back to api whole."""
    return "True" in lab.inside("api", "python3", "-c", FRAGMENTS.format(address=address))


def talk(lab: Resident, address: str) -> str:
    """Begin to talk from api to an address; the file that is there as long as they do."""
    word = f"/run/talk-{address}"
    pid = lab.docker("inspect", "-f", "{{.State.Pid}}", "api")
    script = TALK.format(address=address, word=word)
    lab.run("systemd-run", "--collect", "--quiet", "nsenter", f"--net=/proc/{pid}/ns/net", "python3", "-c", script)
    return word


def is_talking(lab: Resident, word: str) -> bool:
    return bool(lab.run("sh", "-c", f"ls {word} || true"))


@pytest.mark.parametrize("kernel", KERNELS)
def test_through_a_gateway_container(lab: Resident) -> None:
    """Its frames cross two bridges, each of which sees them."""
    entry = {"from": "api", "to": "db", "ports": ["8080"]}
    args: dict[str, Any] = {"name": "shop", "networks": ["front", "back"], "allow": [entry]}
    lab.cycle("policy", lambda: state(lab), **args)
    expected = (("api", "db", 8080, True), ("api", "db", 8081, False), ("other", "db", 8080, False))
    measure(lab, both_versions(*expected, ("db", "api", 8080, False), ("api", "gateway", None, False)))


@pytest.mark.parametrize("kernel", ["nf_conntrack_bridge", "br_netfilter"])
def test_what_is_refused_is_logged(lab: Resident) -> None:
    """With the prefix, and no more often than declared: five at once, then by the rate."""
    args: dict[str, Any] = {"name": "shop", "networks": ["front"], "log": True, "log_rate": "1/hour"}
    lab.module("policy", **args, log_prefix="refused by the test: ")
    lab.run("dmesg", "--clear")
    script = "import socket; s = socket.socket(2, 2); [s.sendto(b'x', ({!r}, 7)) for n in range(20)]"
    web = lab.inspect("container", "web")["NetworkSettings"]["Networks"]["front"]
    for address in (web["IPAddress"], web["Gateway"]):
        lab.inside("api", "python3", "-c", script.format(address))
    assert comes_true(lambda: "refused by the test" in lab.run("dmesg"), PATIENCE)
    lines = [each for each in lab.run("dmesg").splitlines() if "refused by the test: IN=" in each]
    told = {address: sum(f"DST={address} " in each for each in lines) for address in (web["IPAddress"], web["Gateway"])}
    assert 0 < told[web["IPAddress"]] <= 5, lines
    assert len(lines) <= 10, lines
    refused = lab.module("policy", **args, log_prefix="refused by the test: ")["refused"]
    assert refused["packets"] >= 40


@pytest.mark.parametrize("kernel", ["nf_conntrack_bridge", "both"])
def test_to_and_from_the_world(lab: Resident) -> None:
    """Address translation goes on where the family bridge has seen the flow first."""
    lab.run("sh", "-euc", WORLD)
    serve = ("systemd-run", "--quiet", "--collect", "--unit=world", "ip", "netns", "exec", "world")
    try:
        lab.run(*serve, "python3", "-m", "http.server", "8080")
        args: dict[str, Any] = {"name": "shop", "networks": ["front"]}

        def reached() -> tuple[bool, bool]:
            asked = REACHES.format(address=OUTSIDE, port=8080)
            out = lab.inside("api", "python3", "-c", asked, check=False)
            published = REACHES.format(address="198.51.100.2", port=8088)
            return bool(out), bool(lab.run("ip", "netns", "exec", "world", "python3", "-c", published, check=False))

        assert comes_true(lambda: reached() == (True, True), PATIENCE)
        lab.module("policy", **args)
        assert reached() == (False, False)
        allow = [
            {"from": "api", "to": "world", "ports": ["8080"]},
            {"from": "world", "to": "other", "ports": ["8080"]},
        ]
        lab.module("policy", **args, allow=allow)
        assert comes_true(lambda: reached() == (True, True), PATIENCE)
    finally:
        lab.run("systemctl", "stop", "world")
        lab.run("ip", "netns", "delete", "world")
