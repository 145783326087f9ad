# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies on real hosts: what the truth tables do not show, the traps and the life of a table."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest
from lab_host import LabHost
from resident import Resident, resident

NETWORKS = {"front": "10.61.1.0/24", "back": "10.61.2.0/24"}


@pytest.fixture
def lab(host: LabHost) -> Resident:
    """Two networks; web on both, api beside it, db behind."""
    for name, subnet in NETWORKS.items():
        host.docker("network", "create", "--subnet", subnet, name)
    host.start("web", "--network", "front", "--label", "tier=edge", command=("echo-service",))
    host.docker("network", "connect", "back", "web")
    host.start("api", "--network", "front", "--label", "tier=inner", "--label", "app=api", command=("echo-service",))
    host.start("db", "--network", "back", "--label", "tier=inner", "--label", "app=db", command=("echo-service",))
    return resident(host)


def state(lab: Resident) -> str:
    """All of the packet filter, counters aside."""
    told = [lab.run(tool) for tool in ("iptables-save", "ip6tables-save")]
    told.append(lab.run("ipset", "list", check=False))
    told.append(json.dumps(_still(json.loads(lab.run("nft", "-j", "list", "ruleset")))))
    return "".join(
        line.partition("[")[0] if line.startswith(":") else line
        for text in told
        for line in text.splitlines(keepends=True)
        if not line.startswith("#")
    )


def _still(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _still(each) for key, each in found.items() if key not in ("packets", "bytes", "handle")}
    return [_still(each) for each in found] if isinstance(found, list) else found


def cells(*expected: tuple[str, str, int | None, bool], **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "from": source,
            "to": to,
            **({"port": port} if port else {"protocol": "icmp"}),
            "expect": "pass" if passes else "drop",
            **more,
        }
        for source, to, port, passes in expected
    ]


def measure(lab: Resident, expectations: Iterable[dict[str, Any]], reply_timeout: float = 0.3) -> None:
    lab.module("probe", expectations=list(expectations), reply_timeout=reply_timeout, tries=2)


def test_deny_allow_audit_and_gone(lab: Resident) -> None:
    before = state(lab)
    policy: dict[str, Any] = {
        "name": "shop",
        "networks": ["front", "back"],
        "allow": [
            {"from": "api", "to": "web", "ports": ["8080/tcp"]},
            {"from": {"labels": "tier in (edge)"}, "to": {"labels": "app=db"}, "ports": ["5432", "8080/udp"]},
        ],
    }
    lab.cycle("policy", lambda: state(lab), **policy)
    measure(
        lab,
        cells(
            ("api", "web", 8080, True),
            ("api", "web", 8081, False),
            ("web", "api", 8080, False),
            ("api", "web", None, False),
            ("web", "db", 5432, True),
            ("web", "db", 8080, False),
            ("api", "host", 22, False),
            ("host", "api", 8080, False),
        )
        + cells(("web", "db", 8080, True), ("db", "web", 8080, False), protocol="udp"),
    )
    policy["allow"] += [
        {"from": ["api", "host"], "to": ["web", "host"], "ports": ["icmp"]},
        {"from": "host", "to": "api"},
    ]
    lab.cycle("policy", lambda: state(lab), **policy)
    measure(
        lab,
        cells(
            ("api", "web", None, True),
            ("web", "api", None, False),
            ("host", "api", 8080, True),
            ("host", "web", None, True),
            ("api", "host", None, True),
        ),
    )
    result = lab.module("policy", **{**policy, "default": "audit"})
    assert result["changed"]
    measure(lab, cells(("web", "api", 8080, True), ("api", "host", 22, True)))
    assert lab.module("policy", **{**policy, "default": "audit"})["refused"]["packets"] >= 2
    lab.cycle("policy", lambda: state(lab), name="shop", state="absent")
    assert state(lab) == before


def test_in_a_topology_closed_before_anyone_comes(host: LabHost) -> None:
    """A gateway between two networks; the policy is part of one call, and stands before the first connection."""
    for name in ("s1", "s2", "gateway"):
        options = ("--sysctl", "net.ipv4.ip_forward=1") if name == "gateway" else ()
        host.start(name, *options, command=("echo-service",))
    shop: dict[str, Any] = {
        "name": "shop",
        "networks": [{"name": name, "ipam_config": [{"subnet": subnet}]} for name, subnet in NETWORKS.items()],
        "connections": [
            {"container": "s1", "networks": [{"name": "front"}], "exclusive": True},
            {"container": "s2", "networks": [{"name": "back"}], "exclusive": True},
            {"container": "gateway", "networks": [{"name": "front"}, {"name": "back"}], "exclusive": True},
        ],
        "routes": [
            {"container": "s1", "routes": [{"destination": NETWORKS["back"], "via": "gateway"}]},
            {"container": "s2", "routes": [{"destination": NETWORKS["front"], "via": "gateway"}]},
        ],
        "policy": {
            "allow": [
                {"from": "s1", "to": "s2", "ports": ["8080"]},
                {"from": "late", "to": "s2", "ports": ["8080"]},
            ]
        },
        "prune": True,
    }
    lab = resident(host)
    before = state(lab)
    result = lab.cycle("topology", lambda: state(lab), **shop)
    told = [f"{each['verb']} {each['resource']}" for each in result["steps"]]
    assert (
        told.index("close policy shop") < told.index("connect connection s1 to front") < told.index("set policy shop")
    )
    assert result["pending"] == ["policy.allow[1]: container 'late' does not exist"]
    measure(lab, cells(("s1", "s2", 8080, True), through="gateway"))
    measure(lab, cells(("s1", "s2", 8081, False), ("s2", "s1", 8080, False), ("s1", "gateway", 8080, False)))
    lab.docker(
        "run", "-d", "--init", "--name", "late", "--network", "back", "breakwater/workload:latest", "echo-service"
    )
    measure(lab, cells(("late", "s2", 8080, False)))
    late = lab.cycle("topology", lambda: state(lab), **shop)
    assert [each["resource"] for each in late["steps"]] == ["policy shop"]
    measure(lab, cells(("late", "s2", 8080, True), ("s2", "late", 8080, False)))
    lab.docker("rm", "-f", "late")
    del shop["policy"]
    lab.cycle("topology", lambda: state(lab), **shop)
    measure(lab, cells(("s2", "s1", 8080, True)))
    lab.module("topology", name="shop", state="absent")
    assert [each for each in state(lab).splitlines() if "reakwater" in each] == [
        each for each in before.splitlines() if "reakwater" in each
    ]


def test_explain_says_what_happens(lab: Resident) -> None:
    """The verdicts agree with the packets, and each names the entry that decides."""
    policy: dict[str, Any] = {
        "networks": ["front", "back"],
        "allow": [
            {"from": "api", "to": "web", "ports": ["8080"]},
            {"from": {"network": "back"}, "to": {"labels": "app=db"}, "ports": ["8080-8081"]},
            {"from": "world", "to": "web", "ports": ["8080"]},
        ],
    }
    lab.module("policy", name="shop", **policy)
    asked = {
        ("api", "web", 8080): ("allow", "policy.allow[0]"),
        ("api", "web", 8081): ("deny", None),
        ("web", "db", 8081): ("allow", "policy.allow[1]"),
        ("web", "api", 8080): ("deny", None),
        ("host", "web", 8080): ("deny", None),
    }
    flows = [{"from": source, "to": to, "ports": [str(port)]} for source, to, port in asked]
    told = lab.module("explain", name="shop", policy=policy, flows=flows)["verdicts"]
    assert [(each["verdict"], each["entry"]) for each in told] == list(asked.values())
    passing = cells(*((*flow, verdict == "allow") for flow, (verdict, _entry) in asked.items()))
    measure(lab, [{**each, "network": "back" if each["to"] == "db" else "front"} for each in passing])
    world = [{"from": "world", "to": "web", "ports": ["8080", "8081"]}]
    (verdict,) = lab.module("explain", name="shop", policy=policy, flows=world)["verdicts"]
    assert (verdict["verdict"], verdict["entry"]) == ("deny", "policy.allow[2]")
    assert "world -> web: 8081/tcp" in verdict["reason"] and "8080" not in verdict["reason"]


def outside(host: LabHost, script: str) -> bool:
    """Whether a Python script succeeds on the outside node of the host's fleet."""
    node = host.container.removesuffix(host.name) + "outside"
    argv = ["docker", "exec", node, "python3", "-c", script]
    return subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 0


REACH = (
    "import socket; s = socket.create_connection(({address!r}, {port}), 0.7);"
    " s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); assert s.recv(1)"
)


def reaches(host: LabHost, source: str, address: str, port: int) -> bool:
    """Whether a TCP echo comes back, asked for in the namespace of a container, on the host, or outside."""
    script = REACH.format(address=address, port=port)
    if source == "outside":
        return outside(host, script)
    try:
        host.inside(source, "python3", "-c", script) if source != "host" else host.run("python3", "-c", script)
    except AssertionError:
        return False
    return True


def test_published_ports(host: LabHost) -> None:
    """From outside by DNAT, from a sibling and the host by docker-proxy: each needs the entry that is its own."""
    for name, subnet in NETWORKS.items():
        host.docker("network", "create", "--subnet", subnet, name)
    host.start("web", "--network", "front", "-p", "8088:8080", command=("echo-service",))
    host.start("sibling", "--network", "front", command=("echo-service",))
    lab = resident(host)
    where = lab.address

    def look() -> tuple[bool, ...]:
        return tuple(reaches(lab, source, where, 8088) for source in ("outside", "sibling", "host"))

    assert look() == (True, True, True)
    lab.module("policy", name="shop", networks=["front"])
    assert look() == (False, False, False)
    entries: list[dict[str, Any]] = [{"from": "198.51.100.0/24", "to": "web", "ports": ["8080"]}]
    lab.module("policy", name="shop", networks=["front"], allow=entries)
    for source, passes in (("198.51.100.10", True), ("203.0.113.10", False)):
        script = f"import socket; socket.create_connection(({where!r}, 8088), 0.7, ({source!r}, 0))"
        assert outside(host, script) is passes, source
    entries = [{"from": "world", "to": "web", "ports": ["8080"]}]
    lab.module("policy", name="shop", networks=["front"], allow=entries)
    assert look() == (True, False, False)
    # docker-proxy answers on the host, and asks the container as the host.
    entries.append({"from": "sibling", "to": "host", "ports": ["8088"]})
    entries.append({"from": "host", "to": "web", "ports": ["8080"]})
    lab.module("policy", name="shop", networks=["front"], allow=entries)
    assert look() == (True, True, True)


def test_what_others_do_to_the_host(lab: Resident) -> None:
    """A new network, a flush of iptables, a restart of dockerd: what is closed stays closed."""
    args: dict[str, Any] = {"networks": ["front", "back"], "allow": [{"from": "api", "to": "web", "ports": ["8080"]}]}
    lab.module("policy", name="shop", **args)
    expected = cells(("api", "web", 8080, True), ("api", "web", 8081, False), ("web", "db", 8080, False))
    measure(lab, expected)
    lab.docker("network", "create", "--subnet", "10.61.9.0/24", "later")
    measure(lab, expected)
    for tool in ("iptables", "ip6tables"):
        lab.run(tool, "-F")  # what Docker itself let pass may be closed now
    measure(lab, expected[1:])
    lab.run("systemctl", "reset-failed", "docker")
    lab.run("systemctl", "restart", "docker")
    lab.docker("start", "web", "api", "db")
    lab.module("policy", name="shop", **args)
    measure(lab, expected)


def test_an_internal_network_reaches_no_service_of_the_host(lab: Resident) -> None:
    lab.docker("network", "create", "--internal", "--subnet", "10.61.3.0/24", "vault")
    lab.docker("network", "connect", "vault", "db")
    measure(lab, cells(("db", "host", 22, True), network="vault"))
    lab.module("policy", name="vault", networks=["vault"])
    measure(lab, cells(("db", "host", 22, False), network="vault"))
    lab.module("policy", name="vault", networks=["vault"], allow=[{"from": "db", "to": "host", "ports": ["22"]}])
    measure(lab, cells(("db", "host", 22, True), network="vault"))


def test_another_address_after_a_recreate(lab: Resident) -> None:
    """Until the next run the container is closed, and what takes its place is."""
    args: dict[str, Any] = {"networks": ["front"], "allow": [{"from": "api", "to": "web", "ports": ["8080"]}]}
    lab.module("policy", name="shop", **args)
    lab.docker("rm", "-f", "api")
    lab.start("api", "--network", "front", "--ip", "10.61.1.77", command=("echo-service",))
    measure(lab, cells(("api", "web", 8080, False), network="front"))
    result = lab.module("policy", name="shop", **args)
    assert result["changed"]
    measure(lab, cells(("api", "web", 8080, True), network="front"))


def test_two_policies_must_both_allow(lab: Resident) -> None:
    """web is on both networks, each governed by a policy of its own; foreign tables stay byte for byte."""
    lab.run("nft", "add", "table", "inet", "theirs")
    before = state(lab)
    entry = {"from": "api", "to": "web", "ports": ["8080"]}
    lab.module("policy", name="one", networks=["front"], allow=[entry])
    lab.module("policy", name="two", networks=["front", "back"])
    measure(lab, cells(("api", "web", 8080, False), network="front"))
    lab.module("policy", name="two", networks=["front", "back"], allow=[entry])
    measure(lab, cells(("api", "web", 8080, True), network="front"))
    lab.module("policy", name="two", state="absent")
    measure(lab, cells(("api", "web", 8080, True), ("web", "db", 8080, True)))
    lab.module("policy", name="one", state="absent")
    assert state(lab) == before
    lab.run("nft", "delete", "table", "inet", "theirs")
