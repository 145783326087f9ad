# SPDX-License-Identifier: GPL-3.0-or-later
"""Rulesets in DOCKER-USER, judged by iptables-save, ipset, nft and packets; and all that is somebody else's."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lab_host import LabHost
from resident import Resident, resident

CLIENT = """
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
try:
    socket.create_connection((address, port), timeout=0.6).close()
    print("pass")
except ConnectionRefusedError:
    print("refused")
except OSError as error:
    print("drop" if isinstance(error, TimeoutError) else "refused")
"""
NEAR, NEAR6, FAR, FAR6 = "203.0.113", "2001:db8:1", "198.51.100", "2001:db8:2"
WEB, WEB6, APP, APP6 = "10.81.0.10", "fd81::10", "10.81.0.11", "fd81::11"


@pytest.fixture(scope="module")
def outside(host: LabHost) -> Iterator[None]:
    """Two namespaces beyond the host, ``near`` and ``far``, that route by it."""
    for name, four, six in (("near", NEAR, NEAR6), ("far", FAR, FAR6)):
        for line in (
            f"netns add {name}",
            f"link add {name}0 type veth peer name eth0 netns {name}",
            f"addr add {four}.129/25 dev {name}0",
            f"-6 addr add {six}::1/64 dev {name}0 nodad",
            f"link set {name}0 up",
            f"-n {name} addr add {four}.177/25 dev eth0",
            f"-n {name} -6 addr add {six}::77/64 dev eth0 nodad",
            f"-n {name} link set eth0 up",
            f"-n {name} link set lo up",
            f"-n {name} route add default via {four}.129",
            f"-n {name} -6 route add default via {six}::1",
        ):
            host.run("ip", *line.split())
    host.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    yield
    for name in ("near", "far"):
        host.run("ip", "netns", "del", name)


@pytest.fixture
def bare(host: LabHost) -> Resident:
    """A host with no container on it."""
    return resident(host)


@pytest.fixture
def lab(host: LabHost, outside: None) -> Resident:  # noqa: ARG001 - its namespaces are to be there
    """``web`` and ``app`` on ``front``; web's port 8080 is published as 8088."""
    found = resident(host)
    found.docker("network", "create", "--ipv6", "--subnet", "10.81.0.0/24", "--subnet", "fd81::/64", "front")
    place = ("--network", "front")
    found.start("web", *place, "--ip", WEB, "--ip6", WEB6, "-p", "8088:8080", command=("echo-service",))
    found.start("app", *place, "--ip", APP, "--ip6", APP6)
    for key in ("iptables", "ip6tables"):
        found.run("sysctl", "-qw", f"net.bridge.bridge-nf-call-{key}=1")
    until = time.monotonic() + 10
    while reach(found, "app", WEB, 8080) != "pass":
        assert time.monotonic() < until, "web does not come up"
    return found


def reach(lab: Resident, place: str, address: str, port: int = 8088) -> str:
    """What a plain client in a container, or in a namespace beyond the host, makes of it."""
    argv = ("python3", "-c", CLIENT, address, str(port))
    if place in ("near", "far"):
        return lab.run("ip", "netns", "exec", place, *argv).strip()
    return lab.inside(place, *argv).strip()


def everything(lab: Resident) -> str:
    """All that filters packets on the host, counters aside."""
    told = [lab.run(tool) for tool in ("iptables-save", "ip6tables-save")]
    told += [lab.run("ipset", "list"), lab.run("nft", "list", "ruleset")]
    text = re.sub(r"\[\d+:\d+\]|packets \d+ bytes \d+|^# .*$", "", "\n".join(told), flags=re.MULTILINE)
    text = re.sub(r"initval 0x\w+|Size in memory: \d+", "", text)
    # The members of a set have no order.
    return re.sub(r"(?<=Members:\n)(?:\S.*\n)+", lambda found: "".join(sorted(found[0].splitlines(True))), text)


def chain(lab: Resident, name: str, tool: str = "iptables") -> list[str]:
    """The rules of a chain as iptables-save prints them."""
    head = f"-A {name} "
    return [line[len(head) :] for line in lab.run(f"{tool}-save", "-t", "filter").splitlines() if line.startswith(head)]


def members(lab: Resident, tail: str) -> dict[str, set[str]]:
    """The members of the sets whose name ends so, by the name's beginning."""
    found: dict[str, set[str]] = {}
    for line in lab.run("ipset", "save").splitlines():
        verb, name, *rest = line.split()
        if name.endswith(f"-{tail}"):
            found.setdefault(name[:3], set()).update(rest[:1] if verb == "add" else ())
    return found


RESTART = ("sh", "-c", "systemctl reset-failed docker; systemctl restart docker")


def restart(lab: Resident) -> None:
    """Restart the engine, however often; web and app with it."""
    lab.run(*RESTART)
    lab.docker("start", "web", "app")
    seen = ""
    while seen != (now := everything(lab)):  # it is still at it when it answers
        seen = now
        time.sleep(0.5)


@contextmanager
def undone(lab: Resident, *lines: tuple[str, ...]) -> Iterator[None]:
    """What the test has done to the host is undone after it, by these commands."""
    try:
        yield
    finally:
        for line in lines:
            lab.run(*line, check=False)


ONLY_NEAR: list[dict[str, Any]] = [
    {"action": "allow", "source": f"{NEAR}.128/25", "published_port": 8088, "protocol": "tcp"},
    {"action": "drop", "source": "world", "published_port": 8088, "protocol": "tcp", "comment": "all the rest"},
]
RICH: list[dict[str, Any]] = [
    *ONLY_NEAR,
    {"action": "allow", "state": ["ESTABLISHED", "RELATED"]},
    {"action": "return", "source": "app", "destination": {"network": "front"}, "protocol": "icmp"},
    {
        "action": "reject",
        "destination": "web",
        "protocol": "udp",
        "ports": ["53", "8000-8010"],
        "reject_with": "admin-prohibited",
    },
    {"action": "reject", "source": "app", "protocol": "tcp", "ports": [23], "reject_with": "tcp-reset"},
    {
        "action": "log",
        "log_prefix": 'it\'s "bw" \\: ',
        "log_limit": {"rate": "60/minute", "burst": 7},
        "source": f"{FAR6}::/64",
    },
    {"action": "drop", "in_interface": "near0", "out_interface": "br-+", "protocol": "47", "limit": {"rate": "7/hour"}},
    {"action": "allow", "source": "app", "limit": {"rate": "120/hour", "burst": 30, "per": "source"}},
    {"action": "drop", "destination": "host", "protocol": "tcp", "ports": [81], "log_prefix": "no "},
    {"action": "drop", "protocol": "tcp", "ports": [str(each) for each in range(100, 120)], "source": "192.0.2.7"},
    {
        "action": "drop",
        "protocol": "tcp",
        "match": ["-m", "connlimit", "--connlimit-above", "500", "-m", "mark", "--mark", "17"],
    },
    {
        "action": "drop",
        "match": ["!", "-i", "near0", "-m", "mac", "--mac-source", "02:00:00:aa:bb:cc"],
        "comment": "a mac",
    },
]


def test_cycle_and_nothing_left(lab: Resident) -> None:
    if lab.version < (27, 0):
        # Nobody has a use for it on an engine without ip6tables.
        lab.run("nft", "delete", "table", "ip6", "filter", check=False)
    before = everything(lab)
    result = lab.cycle("firewall", lambda: everything(lab), name="edge", rules=RICH)
    (step,) = result["steps"]
    assert step["resource"] == "ruleset edge" and step["verb"] == "set" and step["before"] == {}
    assert chain(lab, "BREAKWATER") == ["-j BWR-edge"] == chain(lab, "BREAKWATER", "ip6tables")
    assert chain(lab, "DOCKER-USER")[0] == "-j BREAKWATER"
    told = result["ruleset"]["iptables"]
    real = [f"-A BWR-edge {each}" for each in chain(lab, "BWR-edge")]
    plain = [each for each in real if "--comment bw-" not in each]
    assert set(plain) <= set(told) and len(told) == len(real) + 2
    # connlimit and mac are never printed as they were written, and gre where the host knows its name.
    assert 2 <= len(real) - len(plain) <= 3
    assert members(lab, "app") == {"BW4": {APP}, "BW6": {APP6}}
    assert members(lab, "front") == {"BW4": {"10.81.0.0/24"}}, "ICMP is IPv4's"
    shown = result["diff"][0]["after"] if isinstance(result["diff"], list) else ""
    assert "# iptables\n-A DOCKER-USER -j BREAKWATER\n" in shown and "\nadd BW4-" in shown

    changed = lab.cycle("firewall", lambda: everything(lab), name="edge", rules=RICH[:-1])
    assert changed["steps"][0]["verb"] == "change"
    lab.cycle("firewall", lambda: everything(lab), name="edge", state="absent")
    assert everything(lab) == before


def test_published_port_by_source(lab: Resident) -> None:
    for place, address in (("near", f"{NEAR}.129"), ("far", f"{FAR}.129")):
        assert reach(lab, place, address) == "pass"
    lab.module("firewall", name="edge", rules=ONLY_NEAR)
    assert reach(lab, "near", f"{NEAR}.129") == "pass"
    assert reach(lab, "far", f"{FAR}.129") == "drop"
    assert reach(lab, "app", WEB, 8080) == "pass", "the port of the container is not the published one"
    reset = {"action": "reject", "reject_with": "tcp-reset", "destination": "host", "protocol": "tcp", "ports": [8080]}
    lab.module("firewall", name="edge", rules=[reset])
    assert reach(lab, "near", f"{NEAR}.129") == "refused" and reach(lab, "app", WEB, 8080) == "pass"
    # A sibling's way to a published port is the userland-proxy's: DOCKER-USER does not see it.
    gateway = lab.inspect("network", "front")["IPAM"]["Config"][0].get("Gateway", "10.81.0.1")
    lab.module("firewall", name="edge", rules=[{"action": "drop", "source": "app", "published_port": 8088}])
    assert reach(lab, "app", gateway) == "pass"


def test_ends_by_name_in_both_families(lab: Resident) -> None:
    rules = [{"action": "drop", "source": "app", "destination": "web", "protocol": "tcp", "ports": [8080]}]
    for address in (WEB, WEB6):
        assert reach(lab, "app", address, 8080) == "pass"
    lab.cycle("firewall", lambda: everything(lab), name="inner", rules=rules)
    for address in (WEB, WEB6):
        assert reach(lab, "app", address, 8080) == "drop", address
        assert reach(lab, "app", address, 9000) == "pass", address
    # Another address, after a recreate and on one network more: elements change, the rules stay.
    lab.docker("network", "create", "--subnet", "10.82.0.0/24", "back")
    lab.docker("rm", "-f", "app")
    lab.start("app", "--network", "front")
    lab.docker("network", "connect", "--ip", "10.82.0.9", "back", "app")
    old = chain(lab, "BWR-inner")
    result = lab.cycle("firewall", lambda: everything(lab), name="inner", rules=rules)
    assert chain(lab, "BWR-inner") == old and "10.82.0.9" in members(lab, "app")["BW4"]
    assert len(members(lab, "app")["BW4"]) == 2
    assert any("10.82.0.9" in each for each in result["steps"][0]["after"]["ipset"])
    for address in (WEB, WEB6):
        assert reach(lab, "app", address, 8080) == "drop", address
    # A stopped container keeps its fixed address, another one waits.
    lab.docker("stop", "-t", "0", "web", "app")
    result = lab.module("firewall", name="inner", rules=rules)
    assert members(lab, "web")["BW4"] == {WEB} and members(lab, "app")["BW4"] == {"10.82.0.9"}
    assert result["pending"] == []


def test_drift_is_put_back(lab: Resident) -> None:
    rules = [*ONLY_NEAR, {"action": "drop", "match": ["-m", "mark", "--mark", "99"]}]
    lab.module("firewall", name="edge", rules=rules)
    # Fewer hosts than rules: the tagged one is known by its digests alone.
    before = everything(lab)
    saved = lab.run("iptables-save", "-t", "filter")
    for change in (
        ["iptables -F DOCKER-USER"],
        ["iptables -A DOCKER-USER -j BREAKWATER"],
        ["iptables -F"],
        ["iptables -D BWR-edge 1"],
        ["iptables -I DOCKER-USER -s 192.0.2.66 -j ACCEPT", "iptables -D DOCKER-USER -s 192.0.2.66 -j ACCEPT"],
        ["iptables -R BWR-edge 1 -s 192.0.2.0/24 -j RETURN"],
        ["iptables -A BREAKWATER -j RETURN", "iptables -F BREAKWATER"],
        ["iptables -F DOCKER-USER", "iptables -F BREAKWATER", "iptables -F BWR-edge", "iptables -X BWR-edge"],
        ["ipset flush " + next(each.split()[1] for each in lab.run("ipset", "save").splitlines() if "world" in each)],
    ):
        for line in change:
            lab.run(*line.split())
        drifted = everything(lab) != before
        result = lab.module("firewall", name="edge", rules=rules)
        if "world" not in change[0]:  # the networks of all the host are no matter of these rules, and are not told
            assert result["changed"] == drifted, change
        again = everything(lab)
        if not change[0].startswith("iptables -F"):  # what is Docker's went with it
            assert again == before, change
        assert chain(lab, "DOCKER-USER")[0] == "-j BREAKWATER"
        assert reach(lab, "far", f"{FAR}.129") == "drop"
        lab.run("iptables-restore", given=saved)
        before = everything(lab)
    # By hand, and with our own mark still on it.
    lab.run("iptables-restore", given=saved.replace("--mark 0x63", "--mark 0x64"))
    assert lab.module("firewall", name="edge", rules=rules)["changed"]
    assert everything(lab) == before


def test_foreign_rules_stay(lab: Resident) -> None:
    for tool, address in (("iptables", "192.0.2.5/32"), ("ip6tables", "2001:db8:9::5/128")):
        lab.run(tool, "-N", "THEIRS")
        lab.run(tool, "-A", "THEIRS", "-s", address, "-m", "comment", "--comment", "BWR-edge is not ours", "-j", "DROP")
        lab.run(tool, "-I", "FORWARD", "1", "-j", "THEIRS")
    for number in (1, 2):
        lab.run("iptables", "-I", "DOCKER-USER", str(number), "-s", f"192.0.2.{number}", "-j", "ACCEPT")
    lab.run("iptables", "-A", "DOCKER-USER", "-s", "192.0.2.9", "-j", "DROP")
    lab.run("ipset", "create", "theirs", "hash:ip")
    lab.run("ipset", "add", "theirs", "192.0.2.77")
    tidy = [
        (tool, *line.split())
        for tool in ("iptables", "ip6tables")
        for line in ("-D FORWARD 1", "-F THEIRS", "-X THEIRS")
    ]
    tidy += [("iptables", "-D", "DOCKER-USER", "-s", f"192.0.2.{each}", "-j", "ACCEPT") for each in (1, 2)]
    tidy += [("iptables", "-D", "DOCKER-USER", "-s", "192.0.2.9", "-j", "DROP"), ("ipset", "destroy", "theirs")]
    with undone(lab, *tidy):
        before, theirs = everything(lab), chain(lab, "DOCKER-USER")
        lab.module("firewall", name="edge", rules=RICH)
        lab.module("firewall", name="other", rules=ONLY_NEAR)
        assert chain(lab, "DOCKER-USER") == ["-j BREAKWATER", *theirs]
        assert chain(lab, "BREAKWATER") == ["-j BWR-edge", "-j BWR-other"]
        lab.run("iptables", "-I", "DOCKER-USER", "1", "-s", "192.0.2.200", "-j", "ACCEPT")
        lab.run("iptables", "-I", "DOCKER-USER", "3", "-s", "192.0.2.201", "-j", "ACCEPT")
        new = ["-s 192.0.2.200/32 -j ACCEPT", "-s 192.0.2.201/32 -j ACCEPT"]
        assert lab.module("firewall", name="edge", rules=RICH)["changed"], "ours is the first"
        assert chain(lab, "DOCKER-USER") == ["-j BREAKWATER", *new, *theirs]
        for each in new:
            lab.run("iptables", "-D", "DOCKER-USER", *each.split())
        lab.module("firewall", name="edge", state="absent")
        assert chain(lab, "BREAKWATER") == ["-j BWR-other"]
        lab.module("firewall", name="other", state="absent")
        assert everything(lab) == before


def test_without_docker_user(lab: Resident) -> None:
    with undone(lab, RESTART):
        lab.run("iptables", "-D", "FORWARD", "-j", "DOCKER-USER")
        lab.run("iptables", "-F", "DOCKER-USER")
        lab.run("iptables", "-X", "DOCKER-USER")
        before = everything(lab)
        lab.cycle("firewall", lambda: everything(lab), name="edge", rules=ONLY_NEAR)
        assert chain(lab, "FORWARD")[0].endswith(" -j DOCKER-USER") and chain(lab, "DOCKER-USER") == ["-j BREAKWATER"]
        assert reach(lab, "near", f"{NEAR}.129") == "pass" and reach(lab, "far", f"{FAR}.129") == "drop"
        lab.module("firewall", name="edge", state="absent")
        assert everything(lab) == before


def test_restart_of_the_engine(lab: Resident) -> None:
    """Its chains are made anew and a missing jump is put back; ours stay, and are the first in DOCKER-USER again."""
    lab.run("iptables", "-D", "FORWARD", "-j", "DOCKER-USER")
    lab.module("firewall", name="edge", rules=ONLY_NEAR)
    restart(lab)
    until = time.monotonic() + 10
    while reach(lab, "near", f"{NEAR}.129") != "pass":
        assert time.monotonic() < until
    assert reach(lab, "far", f"{FAR}.129") == "drop"
    lab.cycle("firewall", lambda: everything(lab), name="edge", rules=ONLY_NEAR)
    assert chain(lab, "DOCKER-USER")[0] == "-j BREAKWATER"
    assert [each for each in chain(lab, "FORWARD") if each.endswith("-j DOCKER-USER")] == ["-j DOCKER-USER"]
    lab.docker("network", "create", "another")  # engines before 28 move their jump with each network
    assert reach(lab, "far", f"{FAR}.129") == "drop"
    # What is behind it is not the world any more, which is no change of these rules.
    (subnet,) = (each["Subnet"] for each in lab.inspect("network", "another")["IPAM"]["Config"])
    assert subnet not in members(lab, "world")["BW4"]
    assert not lab.module("firewall", name="edge", rules=ONLY_NEAR)["changed"]
    assert subnet in members(lab, "world")["BW4"]
    assert chain(lab, "FORWARD").count("-j DOCKER-USER") == 1 and chain(lab, "DOCKER-USER")[0] == "-j BREAKWATER"


def test_what_the_kernel_refuses_changes_nothing(lab: Resident) -> None:
    lab.module("firewall", name="edge", rules=ONLY_NEAR)
    before = everything(lab)
    # iptables takes it; the kernel knows no owner of what it forwards.
    odd = {"action": "drop", "match": ["-m", "owner", "--uid-owner", "0"]}
    for wrong, field in (
        ([*ONLY_NEAR, {"action": "drop", "match": ["-m", "nosuchmatch"]}], "rules[2].match"),
        ([{"action": "drop", "match": ["-m", "mark", "--mark", "x"]}], "rules[0].match"),
        ([{"action": "drop", "source": "app"}, {"action": "log", "match": ["--dport", "5"]}], "rules[1].match"),
    ):
        for check in (True, False):
            refusal = lab.refusal("firewall", check=check, name="edge", rules=wrong)
            assert refusal.result["field"] == field, refusal.result
    refusal = lab.refusal("firewall", name="edge", rules=[{"action": "drop", "destination": "app"}, odd])
    assert "iptables refuses '-A BWR-edge " in str(refusal)
    assert everything(lab) == before
    assert reach(lab, "near", f"{NEAR}.129") == "pass" and reach(lab, "far", f"{FAR}.129") == "drop"


def test_the_flavour_that_docker_uses(lab: Resident) -> None:
    """iptables-legacy where Docker's chains are in iptables-nft is refused; where Docker uses it, all is the same."""
    names = ("iptables", "ip6tables")
    back = [("update-alternatives", "--set", each, f"/usr/sbin/{each}-nft") for each in names]
    flush = [
        (f"{each}-legacy", *line.split())
        for each in names
        for line in ("-F", "-X", "-P FORWARD ACCEPT", "-t nat -F", "-t nat -X", "-t raw -F")
    ]
    with undone(lab, *back, *flush, RESTART):
        for each in names:
            lab.run("update-alternatives", "--set", each, f"/usr/sbin/{each}-legacy")
        refusal = lab.refusal("firewall", name="edge", rules=ONLY_NEAR)
        assert "iptables-nft" in str(refusal) and "iptables-legacy" in str(refusal)
        restart(lab)
        for each in names:  # to look at a table of iptables-legacy is to have the kernel make it
            lab.run(each, "-S")
        before = everything(lab)
        lab.cycle("firewall", lambda: everything(lab), name="edge", rules=RICH)
        assert reach(lab, "far", f"{FAR}.129") == "drop"
        lab.module("firewall", name="edge", state="absent")
        assert everything(lab) == before


PASSAGES = {
    "networks": [
        {"name": each, "ipam_config": [{"subnet": f"10.8{n}.0.0/24"}]} for n, each in ((3, "left"), (4, "right"))
    ],
    "connections": [
        {"container": "gw", "networks": [{"name": "left"}, {"name": "right"}], "exclusive": True},
        {"container": "s1", "networks": [{"name": "left"}], "exclusive": True},
    ],
    "routes": [{"container": "s1", "routes": [{"destination": "10.84.0.0/24", "via": "gw"}]}],
}


@pytest.mark.parametrize("first", ["rules", "passages"])
def test_rules_and_passages_share_the_root(lab: Resident, first: str) -> None:
    lab.start("gw", "--sysctl", "net.ipv4.ip_forward=1")
    lab.start("s1")
    before = everything(lab)
    calls = [("firewall", {"name": "edge", "rules": ONLY_NEAR}), ("topology", {"name": "gate", **PASSAGES})]
    for module, args in calls if first == "rules" else calls[::-1]:
        lab.module(module, **args)
    wanted = ["-j BW-gate", "-j BWR-edge"] if lab.version >= (28, 2) else ["-j BWR-edge"]
    assert chain(lab, "BREAKWATER") == wanted and chain(lab, "DOCKER-USER").count("-j BREAKWATER") == 1
    for module, args in calls:
        lab.module(module, **args)
        assert not lab.module(module, **args)["changed"]
    assert chain(lab, "BREAKWATER") == wanted
    lab.docker("rm", "-f", "gw", "s1")
    for module, args in calls if first == "rules" else calls[::-1]:
        lab.module(module, name=args["name"], state="absent")
    if lab.version < (28, 2):
        assert everything(lab) == before
    assert "BREAKWATER" not in everything(lab) and "BW" not in everything(lab)


def test_in_a_topology(lab: Resident) -> None:
    lab.start("db", "--network", "none")
    lab.docker("rm", "-f", "db")
    topology: dict[str, Any] = {
        "name": "shop",
        "networks": [{"name": "data", "ipam_config": [{"subnet": "10.85.0.0/24"}]}, {"name": "drawn"}],
        "connections": [
            {"container": "app", "networks": [{"name": "data"}, {"name": "drawn"}]},
            {"container": "web", "networks": [{"name": "data", "ipv4_address": "10.85.0.20"}]},
        ],
        "rules": [
            {"action": "drop", "source": "app", "destination": "web", "protocol": "tcp", "ports": [9000]},
            {"action": "drop", "source": {"network": "drawn"}, "destination": "late"},
        ],
    }
    result = lab.cycle("topology", lambda: everything(lab), **topology)
    titles = [f"{each['verb']} {each['resource']}" for each in result["steps"]]
    assert titles[2] == "set ruleset shop" and titles[-1] == "change ruleset shop", titles
    assert result["pending"] == ["rules[1].destination: container 'late' does not exist"]
    assert members(lab, "web")["BW4"] == {WEB, "10.85.0.20"} and len(members(lab, "app")["BW4"]) == 3
    drawn = lab.inspect("network", "drawn")["IPAM"]["Config"][0]["Subnet"]
    assert members(lab, "drawn")["BW4"] == {drawn}
    assert reach(lab, "app", "10.85.0.20", 9000) == "drop" and reach(lab, "app", "10.85.0.20", 8080) == "pass"
    # Left out, they are left alone; an empty list is none.
    rest = {key: value for key, value in topology.items() if key != "rules"}
    assert not lab.module("topology", **rest)["changed"]
    lab.cycle("topology", lambda: everything(lab), **{**topology, "rules": []})
    assert "BW" not in everything(lab)
    lab.module("topology", **topology)
    lab.cycle("topology", lambda: everything(lab), **rest, prune=True)
    assert "BW" not in everything(lab)
    lab.module("topology", **topology)
    lab.cycle("topology", lambda: everything(lab), name="shop", state="absent")
    assert "BW" not in everything(lab)


def test_no_gap(lab: Resident) -> None:
    """Under a ping every few milliseconds, no change lets a denied one through, nor stops an allowed one."""
    denied = {"action": "drop", "source": "app", "destination": "web", "protocol": "icmpv6"}
    lab.module("firewall", name="edge", rules=[denied])
    pid = lab.docker("inspect", "-f", "{{.State.Pid}}", "app")
    for address, log in ((WEB, "allowed"), (WEB6, "denied")):
        ping = f"ping -q -i 0.005 -w 200 {address} > /run/{log} 2>&1 & echo $! > /run/{log}.pid"
        lab.run("nsenter", f"--net=/proc/{pid}/ns/net", "setsid", "sh", "-c", ping)
    for turn in range(30):
        more = {
            "action": "drop",
            "source": f"192.0.2.{turn}",
            "destination": "web" if turn % 2 else {"network": "front"},
        }
        free = {"action": "drop", "match": ["-m", "mark", "--mark", str(turn)]}
        lab.module("firewall", name="edge", rules=[more, denied, free] if turn % 3 else [denied])
        lab.module("firewall", name="other", rules=[more] if turn % 2 else [])
    lab.run("sh", "-c", "kill -INT $(cat /run/allowed.pid /run/denied.pid); sleep 0.3")
    sent, received = map(int, re.findall(r"(\d+) (?:packets transmitted|received)", lab.run("cat", "/run/allowed")))
    assert sent > 100 and received >= sent - 1, "the last one may be on its way"
    sent, received = map(int, re.findall(r"(\d+) (?:packets transmitted|received)", lab.run("cat", "/run/denied")))
    assert sent > 100 and received == 0


def test_names_need_ipset(bare: Resident) -> None:
    rules = [{"action": "drop", "source": f"{FAR}.128/25"}, {"action": "drop", "source": {"network": "bridge"}}]
    tools = ("/usr/sbin/ipset", "/sbin/ipset")
    with undone(bare, ("mv", "/root/ipset", "/usr/sbin/ipset")):
        bare.run("mv", "/usr/sbin/ipset", "/root/ipset")
        refusal = bare.refusal("firewall", check=True, name="edge", rules=rules)
        assert refusal.result["field"] == "rules[1].source" and "install its package ipset" in str(refusal), tools
        bare.module("firewall", name="edge", rules=rules[:1])
        bare.module("firewall", name="edge", state="absent")


def test_a_thousand_rules(bare: Resident) -> None:
    """Nothing is done once per rule: it takes about as long as for one."""
    few = [{"action": "drop", "source": "192.0.2.1/32"}]
    many = [
        {
            "action": "drop",
            "source": f"10.{n // 250}.{n % 250}.0/24",
            "destination": {"network": "bridge"},
            "protocol": "tcp",
            "ports": [n + 1],
        }
        for n in range(1000)
    ]
    took = {}
    for name, rules in (("few", few), ("many", many)):
        for turn in ("first", "again"):
            start = time.monotonic()
            assert bare.module("firewall", name="edge", rules=rules)["changed"] == (turn == "first")
            took[name, turn] = time.monotonic() - start
    print(json.dumps({" ".join(key): round(value, 2) for key, value in took.items()}))
    assert took["many", "again"] < took["few", "again"] + 1.0, took
    assert took["many", "first"] < took["few", "first"] + 2.0, took
    assert len(chain(bare, "BWR-edge")) == 1000
