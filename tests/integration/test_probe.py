# SPDX-License-Identifier: GPL-3.0-or-later
"""What probe measures is so: judged by ping, by plain sockets and by ss, in the same namespaces."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from lab_host import Failed, LabHost

OUTSIDE = "198.51.100.10"
OUTSIDE6 = "2001:db8:100::10"
ADDRESS = {"app": "10.60.0.2", "web": "10.60.0.3", "db": "10.61.0.4"}
ADDRESS6 = {"app": "fd60::2", "web": "fd60::3"}

CLIENT = """
import socket, sys
protocol, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM) as one:
    one.settimeout(2)
    try:
        one.connect((address, port))
        if protocol == "udp":
            one.send(b"hello")
            one.recv(100)
        print("pass")
    except ConnectionRefusedError:
        print("refused")
    except OSError:
        print("drop")
"""
MUTE = "import socket; one = socket.socket(type=socket.SOCK_DGRAM); one.bind(('', 5353))\nwhile True: one.recv(100)"


@contextmanager
def bridges_filtered(host: LabHost, how: int) -> Iterator[None]:
    """Whether iptables see what passes between two ends of one bridge."""
    keys = [f"net.bridge.bridge-nf-call-{each}" for each in ("iptables", "ip6tables")]
    before = [f"{key}={host.run('sysctl', '-n', key).strip()}" for key in keys]
    host.run("sysctl", "-w", *(f"{key}={how}" for key in keys))
    yield
    host.run("sysctl", "-w", *before)


@pytest.fixture
def lab(host: LabHost) -> Iterator[LabHost]:
    """``app`` and ``web`` on one network; ``app`` and ``db`` on one that leads nowhere. ``web`` alone serves."""
    host.docker("network", "create", "--subnet", "10.60.0.0/24", "--ipv6", "--subnet", "fd60::/64", "front")
    host.docker("network", "create", "--subnet", "10.61.0.0/24", "--internal", "back")
    host.start("app", "--network", "front", "--ip", ADDRESS["app"], "--ip6", ADDRESS6["app"])
    host.start("web", "--network", "front", "--ip", ADDRESS["web"], "--ip6", ADDRESS6["web"], command=("echo-service",))
    host.docker("network", "connect", "--ip", "10.61.0.2", "back", "app")
    host.start("db", "--network", "back", "--ip", ADDRESS["db"])
    wait_for(host, "web", "tcp", ADDRESS["web"], 9000)
    with bridges_filtered(host, 1):
        yield host


def judge(host: LabHost, source: str, protocol: str, address: str, port: int = 0) -> str:
    """What a plain client makes of it."""
    if protocol == "icmp":
        return "pass" if "1 received" in inside(host, source, "ping", "-c", "1", "-W", "2", address) else "drop"
    return inside(host, source, "python3", "-c", CLIENT, protocol, address, str(port)).strip()


def inside(host: LabHost, place: str, *argv: str) -> str:
    return host.run(*argv, check=False) if place == "host" else host.inside(place, *argv, check=False)


def wait_for(host: LabHost, source: str, protocol: str, address: str, port: int) -> None:
    deadline = time.monotonic() + 20
    while judge(host, source, protocol, address, port) != "pass":
        assert time.monotonic() < deadline, f"no service at {address} {protocol}/{port}"


def sockets(host: LabHost, place: str) -> list[str]:
    """The ends of all TCP and UDP sockets of a namespace, in whatever state."""
    return [" ".join(line.split()[:5]) for line in inside(host, place, "ss", "-Htuan").splitlines()]


@contextmanager
def rule(
    host: LabHost, *words: str, tool: str = "iptables", place: str = "host", chain: str = "FORWARD"
) -> Iterator[None]:
    """A rule of somebody else's, in front of all others."""
    inside(host, place, tool, "-w", "-I", chain, "1", *words)
    try:
        assert " ".join(words[-2:]) in inside(host, place, f"{tool}-save")
        yield
    finally:
        inside(host, place, tool, "-w", "-D", chain, *words)


def measured(host: LabHost, *expectations: dict[str, Any], **others: Any) -> list[dict[str, Any]]:
    """The matrix, whether the expectations hold or not."""
    try:
        result = host.module("probe", expectations=list(expectations), **others)
        assert not any(each["differs"] for each in result["matrix"])
    except Failed as failure:
        result = failure.result
        assert result["cells"], result
    matrix: list[dict[str, Any]] = result["matrix"]
    assert result["measured"] == len(matrix) == len(expectations)
    assert not result.get("changed")
    return matrix


def cell(source: str, to: str, packets: str, expect: str = "pass", **others: Any) -> dict[str, Any]:
    """An expectation: ``cell("app", "web", "tcp/80")``."""
    protocol, _, port = packets.partition("/")
    return {"from": source, "to": to, "protocol": protocol, "port": port or None, "expect": expect, **others}


# Each is expected to pass, so it is the measure that decides and not the expectation.
REAL = [
    (cell("app", "web", "tcp/8080"), "pass", "existing"),
    (cell("app", "web", "tcp/8080", ip_version=6), "pass", "existing"),
    (cell("app", "web", "udp/9000"), "pass", "existing"),
    (cell("app", "web", "udp/9000", ip_version=6), "pass", "existing"),
    (cell("app", "web", "icmp"), "pass", "none"),
    (cell("app", "web", "icmp", ip_version=6), "pass", "none"),
    (cell("host", "web", "tcp/9000"), "pass", "existing"),
    (cell("host", "web", "udp/9000"), "pass", "existing"),
    (cell("web", "web", "tcp/8080"), "pass", "existing"),
    (cell("web", "host", "tcp/22"), "pass", "existing"),
    (cell("web", OUTSIDE, "icmp"), "pass", "none"),
    (cell("web", OUTSIDE, "tcp/9000"), "pass", "none"),
    (cell("web", OUTSIDE, "udp/9000"), "pass", "none"),
    (cell("web", OUTSIDE, "tcp/9999"), "refused", "none"),
    (cell("web", OUTSIDE, "udp/9999"), "refused", "none"),
    (cell("host", OUTSIDE6, "icmp"), "pass", "none"),
    (cell("host", OUTSIDE6, "tcp/9000"), "pass", "none"),
    (cell("host", OUTSIDE6, "tcp/9999"), "refused", "none"),
    (cell("host", OUTSIDE6, "udp/9999"), "refused", "none"),
    (cell("db", OUTSIDE, "icmp"), "drop", "none"),
    (cell("db", OUTSIDE, "tcp/9000"), "drop", "none"),
    (cell("db", OUTSIDE, "udp/9000"), "drop", "none"),
    (cell("db", "web", "tcp/8080"), "drop", "existing"),
    (cell("db", "web", "udp/9000"), "drop", "existing"),
    (cell("db", "web", "icmp"), "drop", "none"),
    (cell("app", "10.60.0.99", "tcp/80"), "drop", "none"),
    (cell("app", "10.60.0.99", "udp/80"), "drop", "none"),
    (cell("app", "10.60.0.99", "icmp"), "drop", "none"),
]


def test_it_finds_what_a_plain_client_finds(lab: LabHost) -> None:
    matrix = measured(lab, *(each for each, _outcome, _listener in REAL))
    found = [(each["outcome"], each["listener"]) for each in matrix]
    assert found == [(outcome, listener) for _each, outcome, listener in REAL]
    for each in matrix:
        told = judge(lab, each["from"], each["protocol"], each["address"], each["port"] or 0)
        assert told == each["outcome"], each
        assert (each["latency_ms"] is None) == (each["outcome"] == "drop")


def test_which_address_is_meant(lab: LabHost) -> None:
    matrix = measured(
        lab,
        cell("web", "app", "icmp"),
        cell("db", "app", "icmp"),
        cell("host", "app", "icmp"),
        cell("host", "app", "icmp", network="front"),
        cell("app", "web", "icmp", ip_version=6),
        cell("app", ADDRESS6["web"], "icmp"),
        cell("web", "host", "icmp"),
        cell("web", "127.0.0.1", "icmp"),
    )
    assert [(each["address"], each["network"]) for each in matrix] == [
        ("10.60.0.2", "front"),
        ("10.61.0.2", "back"),
        ("10.61.0.2", "back"),
        ("10.60.0.2", "front"),
        ("fd60::3", "front"),
        ("fd60::3", None),
        ("10.60.0.1", "front"),
        ("127.0.0.1", None),
    ]
    assert all(each["outcome"] == "pass" for each in matrix)


def test_a_rule_is_seen(lab: LabHost) -> None:
    expectations = [
        cell("app", "web", packets, ip_version=version)
        for version in (4, 6)
        for packets in ("tcp/8080", "tcp/7777", "udp/9000", "udp/7777", "icmp")
    ]

    def outcomes() -> list[str]:
        return [each["outcome"] for each in measured(lab, *expectations)]

    assert outcomes() == ["pass"] * 10
    with rule(lab, "-s", ADDRESS["app"], "-d", ADDRESS["web"], "-p", "tcp", "-j", "DROP"):
        assert judge(lab, "app", "tcp", ADDRESS["web"], 8080) == "drop"
        assert outcomes() == ["drop", "drop", *["pass"] * 8]
    with rule(lab, "-s", ADDRESS["app"], "-d", ADDRESS["web"], "-j", "DROP"):
        assert outcomes() == [*["drop"] * 5, *["pass"] * 5]
    with rule(lab, "-s", ADDRESS6["app"], "-d", ADDRESS6["web"], "-j", "DROP", tool="ip6tables"):
        assert judge(lab, "app", "tcp", ADDRESS6["web"], 8080) == "drop"
        assert outcomes() == [*["pass"] * 5, *["drop"] * 5]
    # the answers are dropped, and not what was sent
    with rule(lab, "-s", ADDRESS["web"], "-d", ADDRESS["app"], "-p", "icmp", "-j", "DROP"):
        assert outcomes() == [*["pass"] * 4, "drop", *["pass"] * 5]
    assert outcomes() == ["pass"] * 10


def test_a_rejection_is_no_drop_and_yet_no_pass(lab: LabHost) -> None:
    for packets, how in (
        ("tcp/8080", "tcp-reset"),
        ("tcp/8080", "icmp-port-unreachable"),
        ("tcp/8080", "icmp-admin-prohibited"),
        ("udp/9000", "icmp-port-unreachable"),
        ("udp/9000", "icmp-host-prohibited"),
        ("icmp", "icmp-net-unreachable"),
    ):
        protocol = packets.partition("/")[0]
        # Where the packets arrive: a bridge that does not route has no way to answer what it rejects.
        with rule(lab, "-p", protocol, "-j", "REJECT", "--reject-with", how, place="web", chain="INPUT"):
            passing, dropped = (measured(lab, cell("app", "web", packets, each))[0] for each in ("pass", "drop"))
        assert (passing["outcome"], passing["differs"]) == ("refused", True), how
        assert (dropped["outcome"], dropped["differs"]) == ("refused", False), how


def test_what_differs_fails_and_is_told(lab: LabHost) -> None:
    expectations = [
        cell("app", "web", "tcp/8080"),
        cell("db", "web", "tcp/8080"),
        cell("db", OUTSIDE, "icmp", "drop"),
        cell("app", "db", "tcp/5432", "drop"),
    ]
    for check in (False, True):
        with pytest.raises(Failed) as failure:
            lab.module("probe", check=check, expectations=expectations)
        assert str(failure.value) == (
            "2 of 4 expectations differ: db to web tcp/8080 was dropped, expected pass;"
            " app to db tcp/5432 passed, expected drop"
        )
        result = failure.value.result
        assert [each["index"] for each in result["cells"]] == [1, 3]
        assert [each["differs"] for each in result["matrix"]] == [False, True, False, True]
    assert judge(lab, "db", "tcp", ADDRESS["web"], 8080) == "drop"
    corrected = [
        {**each, "expect": wanted} for each, wanted in zip(expectations, ("pass", "drop", "drop", "pass"), strict=True)
    ]
    for check in (False, True):
        result = lab.module("probe", check=check, expectations=corrected)
        assert (result["changed"], result["measured"]) == (False, 4)
        assert [each["outcome"] for each in result["matrix"]] == ["pass", "drop", "drop", "pass"]


def test_a_listener_is_there_while_it_measures_and_no_longer(lab: LabHost) -> None:
    expectations = [
        *(cell("app", "db", f"{protocol}/7777") for protocol in ("tcp", "udp")),
        *(cell("web", "db", f"{protocol}/7777", "drop") for protocol in ("tcp", "udp")),
        *(cell("web", "app", f"{protocol}/7778", ip_version=6) for protocol in ("tcp", "udp")),
    ]
    before = {place: sockets(lab, place) for place in ("app", "db", "web")}
    rules = lab.run("iptables", "-S")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(measured, lab, *expectations, reply_timeout=4.0)
        seen: set[str] = set()
        while not running.done():
            seen |= {each.split()[0] for each in sockets(lab, "db") if each.split()[4] == f"{ADDRESS['db']}:7777"}
        assert [each["listener"] for each in running.result()] == ["opened"] * 6
    assert seen == {"tcp", "udp"}
    assert sockets(lab, "db") == before["db"]
    for place in ("app", "db", "web"):
        assert not [each for each in sockets(lab, place) if ":777" in each.split()[4]]
    assert lab.run("iptables", "-S") == rules
    bind = f"import socket; [socket.socket(type=kind).bind(('{ADDRESS['db']}', 7777)) for kind in (1, 2)]"
    lab.inside("db", "python3", "-c", bind)
    assert judge(lab, "app", "tcp", ADDRESS["db"], 7777) == "refused"


def test_a_service_is_left_alone(lab: LabHost) -> None:
    """It answers others while it is probed, at its own port and on the loopback."""
    before = [each for each in sockets(lab, "web") if "LISTEN" in each or "UNCONN" in each]
    expectations = [
        cell("app", "web", "tcp/9000"),
        cell("app", "web", "udp/9000"),
        cell("db", "web", "udp/9000", "drop"),
    ]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(measured, lab, *expectations, reply_timeout=4.0)
        while not running.done():
            assert judge(lab, "app", "tcp", ADDRESS["web"], 9000) == "pass"
            assert judge(lab, "app", "udp", ADDRESS["web"], 9000) == "pass"
        assert [each["listener"] for each in running.result()] == ["existing"] * 3
    assert [each for each in sockets(lab, "web") if "LISTEN" in each or "UNCONN" in each] == before


def test_a_udp_service_that_never_answers(lab: LabHost) -> None:
    lab.start("mute", "--network", "front", command=("python3", "-c", MUTE))
    deadline = time.monotonic() + 20
    while not any(":5353" in each for each in sockets(lab, "mute")):
        assert time.monotonic() < deadline
    mine = lab.inspect("mute")["NetworkSettings"]["Networks"]["front"]["IPAddress"]
    assert judge(lab, "app", "udp", mine, 5353) == "drop"
    asked = [cell("app", "mute", "udp/5353"), cell("db", "mute", "udp/5353", "drop")]
    arrived, kept = measured(lab, *asked)
    assert (arrived["outcome"], arrived["listener"], arrived["latency_ms"]) == ("pass", "existing", None)
    assert arrived["note"] == "the service gave no answer; the datagram was seen to arrive"
    assert (kept["outcome"], kept["listener"], kept["differs"]) == ("drop", "existing", False)
    with rule(lab, "-s", ADDRESS["app"], "-d", mine, "-p", "udp", "-j", "DROP"):
        assert [each["outcome"] for each in measured(lab, *asked)] == ["drop", "drop"]
    with rule(lab, "-p", "udp", "--dport", "5353", "-j", "DROP", place="mute", chain="INPUT"):
        assert [each["outcome"] for each in measured(lab, *asked)] == ["drop", "drop"]


def test_from_an_address_of_the_host(lab: LabHost) -> None:
    links = json.loads(lab.run("ip", "-json", "-4", "addr", "show", "dev", "eth0"))
    mine = links[0]["addr_info"][0]["local"]
    asked = [cell("host", "web", "tcp/8080"), cell(mine, "web", "tcp/8080"), cell(mine, "web", "icmp")]
    assert [each["outcome"] for each in measured(lab, *asked)] == ["pass"] * 3
    with rule(lab, "-s", mine, "-j", "DROP", place="web", chain="INPUT"):
        assert [each["outcome"] for each in measured(lab, *asked)] == ["pass", "drop", "drop"]
    # to that address: a listener is opened on the host, and a rule for the host is seen
    asked = [cell("web", mine, "tcp/7777"), cell("web", mine, "udp/7777")]
    assert [(each["outcome"], each["listener"]) for each in measured(lab, *asked)] == [("pass", "opened")] * 2
    with rule(lab, "-s", ADDRESS["web"], "-p", "tcp", "--dport", "7777", "-j", "DROP", chain="INPUT"):
        assert [each["outcome"] for each in measured(lab, *asked)] == ["drop", "pass"]


def test_namespaces_that_are_shared(lab: LabHost) -> None:
    lab.start("side", "--network", "container:db")
    lab.start("agent", "--network", "host")
    matrix = measured(
        lab,
        cell("app", "side", "tcp/7777"),
        cell("app", "db", "tcp/7777"),
        cell("side", "app", "tcp/7777"),
        cell("side", OUTSIDE, "icmp", "drop"),
        cell("agent", "web", "tcp/8080"),
        cell("agent", OUTSIDE, "tcp/9000"),
        cell("web", "agent", "tcp/22"),
    )
    assert [each["differs"] for each in matrix] == [False] * 7
    assert [each["listener"] for each in matrix] == [*["opened"] * 3, "none", "existing", "none", "existing"]
    assert matrix[0]["address"] == ADDRESS["db"]


@pytest.fixture
def gateway(host: LabHost) -> Iterator[LabHost]:
    """``s1`` reaches ``s2`` through ``gw``; ``gw`` and the host lead the way to all others."""
    for n, name in enumerate(("front", "back")):
        host.docker("network", "create", "--subnet", f"10.6{n}.0.0/24", "--ipv6", "--subnet", f"fd6{n}::/64", name)
    forwards = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    options = [word for each in forwards for word in ("--sysctl", each)]
    host.start("gw", *options, "--network", "front", "--ip", "10.60.0.3", "--ip6", "fd60::3")
    host.docker("network", "connect", "--ip", "10.61.0.3", "--ip6", "fd61::3", "back", "gw")
    for n, (name, network) in enumerate((("s1", "front"), ("s2", "back"))):
        host.start(name, "--network", network, "--ip", f"10.6{n}.0.11", "--ip6", f"fd6{n}::11")
        host.inside(name, "ip", "route", "add", f"10.6{1 - n}.0.0/24", "via", f"10.6{n}.0.3")
        host.inside(name, "ip", "-6", "route", "add", f"fd6{1 - n}::/64", "via", f"fd6{n}::3")
    with bridges_filtered(host, 0):
        yield host


def test_through_a_gateway(gateway: LabHost) -> None:
    packets = ("icmp", "tcp/7777", "udp/7777")
    asked = [
        cell(*ends, each, through="gw", ip_version=version)
        for version in (4, 6)
        for each in packets
        for ends in (("s1", "s2"), ("s2", "s1"))
    ]
    for each in measured(gateway, *asked):
        prefix = {4: "10.6{}.0.3", 6: "fd6{}::3"}[each["ip_version"]]
        assert not each["differs"], each
        assert each["hops"] == [prefix.format(0 if each["from"] == "s1" else 1)]
    traced = gateway.inside("s1", "ping", "-c", "1", "-t", "1", "-W", "2", "10.61.0.11", check=False)
    assert "From 10.60.0.3" in traced


def test_a_way_that_does_not_lead_through_it(gateway: LabHost) -> None:
    host_on_front = gateway.inside("s1", "ip", "route", "get", OUTSIDE).split()[2]
    asked = [cell("s1", OUTSIDE, "tcp/9000", through="gw"), cell("s1", "gw", "icmp", through="gw")]
    beside, direct = measured(gateway, *asked)
    assert (beside["outcome"], beside["differs"], direct["outcome"], direct["differs"]) == ("pass", True, "pass", True)
    assert beside["hops"] == [host_on_front]
    assert (direct["hops"], direct["note"]) == ([], "no router lies on the way")
    gateway.docker("stop", "-t", "0", "gw")
    with pytest.raises(Failed, match=r"expectations\[0\].through: container 'gw' is not running"):
        gateway.module("probe", expectations=asked)
    (cut,) = measured(gateway, cell("s1", "s2", "tcp/7777"))
    assert cut["outcome"] == "drop"


def test_more_than_go_at_once(lab: LabHost) -> None:
    expectations = [cell("app", "web", f"tcp/{7000 + n % 700}") for n in range(1400)]
    expectations += [cell("db", "web", f"tcp/{7000 + n}", "drop") for n in range(700)]
    matrix = measured(lab, *expectations)
    assert [each["outcome"] for each in matrix] == ["pass"] * 1400 + ["drop"] * 700
    assert {each["listener"] for each in matrix} == {"opened"}
    assert not [each for each in sockets(lab, "web") if ":7" in each.split()[4]]


BAD = [
    (cell("app", "webb", "icmp"), "expectations[1].to: container 'webb' does not exist; did you mean 'web'?"),
    (cell("app", "idle", "icmp"), "expectations[1].to: container 'idle' is not running"),
    (cell("192.0.2.1", "web", "icmp"), "expectations[1].from: the host has no address 192.0.2.1"),
    (cell("app", "web", "tcp"), "expectations[1].port: is required for tcp"),
    (cell("app", "web", "sctp/1"), "expectations[1].protocol: expected one of icmp, tcp, udp, found 'sctp'"),
    (
        cell("app", "db", "icmp", ip_version=6),
        "expectations[1].to: container 'db' has no IPv6 address (on back 10.61.0.4)",
    ),
    (
        cell("app", "db", "icmp", network="front"),
        "expectations[1].network: container 'db' has no address on 'front': it is on back 10.61.0.4",
    ),
]


def test_bad_input(lab: LabHost) -> None:
    lab.docker("create", "--name", "idle", "--network", "front", "breakwater/workload:latest")
    for expectation, complaint in BAD:
        with pytest.raises(Failed) as refused:
            lab.module("probe", expectations=[cell("app", "web", "icmp"), expectation])
        assert str(refused.value) == complaint
        assert refused.value.result["field"] == complaint.partition(":")[0]
        assert "matrix" not in refused.value.result
