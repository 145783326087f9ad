# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters of a host and of containers without privileges; judged by ``/proc/sys`` and the files at boot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lab_host import LabHost
from resident import Resident, resident

DROP_IN = "/etc/sysctl.d/60-breakwater.conf"
KEPT = "/var/lib/breakwater/sysctl"
FOUND = {"net.ipv4.tcp_keepalive_time": "7100", "net.core.somaxconn": "700", "net.ipv4.tcp_rmem": "4096 65536 4194304"}
"""What the host has before a test."""


@pytest.fixture
def plain(host: LabHost) -> Iterator[Resident]:
    """The host as FOUND says."""
    found = resident(host)

    def reset() -> None:
        found.run("sh", "-c", f"rm -f {DROP_IN} /etc/sysctl.d/7*-test.conf")
        found.run("sysctl", "-qw", *(f"{key}={value}" for key, value in FOUND.items()))

    reset()
    yield found
    reset()


@pytest.fixture
def lab(plain: Resident) -> Resident:
    """The same with ``gateway`` on ``front`` and ``back``."""
    plain.docker("network", "create", "--subnet", "10.70.1.0/24", "front")
    plain.docker("network", "create", "--subnet", "10.70.2.0/24", "back")
    plain.start("gateway", "--network", "front", "--sysctl", "net.ipv4.ip_forward=0")
    plain.docker("network", "connect", "back", "gateway")
    return plain


def values(lab: LabHost, *keys: str, container: str = "") -> list[str]:
    """What the kernel shows, with single blanks; in the namespaces of a container the host's own tool is run."""
    inside = []
    if container:
        inside = ["nsenter", "-t", lab.docker("inspect", "-f", "{{.State.Pid}}", container), "-n", "-i", "-u"]
    return [" ".join(line.split()) for line in lab.run(*inside, "sysctl", "-n", *keys).splitlines()]


def value(lab: LabHost, key: str, container: str = "") -> str:
    """One of them."""
    (found,) = values(lab, key, container=container)
    return found


def interface(lab: LabHost, container: str, subnet: str) -> str:
    """The name that the interface in a subnet has right now."""
    lines = lab.inside(container, "ip", "-o", "-4", "addr").splitlines()
    return next(line.split()[1] for line in lines if f" {subnet}" in line)


def at_boot(lab: LabHost) -> dict[str, str]:
    """What our drop-in sets."""
    lines = lab.run("sh", "-c", f"cat {DROP_IN} 2> /dev/null || true").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {key.strip(): found.strip() for key, found in pairs}


def look(lab: LabHost, *keys: str) -> Any:
    """The keys as they are, live and at boot."""
    return values(lab, *keys), at_boot(lab)


def test_host(plain: Resident) -> None:
    keys = ("net.ipv4.tcp_keepalive_time", "net.core.somaxconn", "net.ipv4.tcp_rmem")
    wanted = {keys[0]: 600, "net/core/somaxconn": "4096", keys[2]: "4096\t131072  6291456"}
    result = plain.cycle("sysctl", lambda: look(plain, *keys), values=wanted)
    there = {keys[0]: "600", keys[1]: "4096", keys[2]: "4096 131072 6291456"}
    assert look(plain, *keys) == (list(there.values()), there)
    assert result["values"] == there
    assert plain.run("stat", "-c", "%a %U", DROP_IN).split() == ["644", "root"]
    assert plain.run("sh", "-c", f"stat -c '%a %U' {KEPT} {KEPT}/host.json").split() == ["700", "root", "600", "root"]
    # The drop-in is what the host's own tool takes, too.
    plain.run("sysctl", "-qw", f"{keys[0]}=1", f"{keys[1]}=1")
    plain.run("sysctl", "-qp", DROP_IN)
    assert look(plain, *keys)[0] == list(there.values())
    # What somebody has changed, live or in the file, is set again.
    plain.run("sysctl", "-qw", f"{keys[1]}=1")
    plain.run("sed", "-i", "/keepalive/d", DROP_IN)
    assert len(plain.cycle("sysctl", lambda: look(plain, *keys), values=wanted)["steps"]) == 2
    assert look(plain, *keys) == (list(there.values()), there)
    plain.cycle("sysctl", lambda: look(plain, *keys), values={keys[1]: None}, state="absent")
    assert look(plain, *keys) == (
        ["600", FOUND[keys[1]], "4096 131072 6291456"],
        {k: there[k] for k in there if k != keys[1]},
    )
    plain.cycle("sysctl", lambda: look(plain, *keys), values=dict.fromkeys(keys), state="absent")
    assert look(plain, *keys) == ([FOUND[each] for each in keys], {})
    assert plain.run("sh", "-c", f"ls {DROP_IN} {KEPT}/*; true") == ""


def test_container(lab: Resident) -> None:
    keys = ("net.ipv4.ip_forward", "net.core.somaxconn", "kernel.shmmax", "fs.mqueue.msg_max", "kernel.domainname")
    wanted = dict(zip(keys, (1, 2222, 1048576, 64, "shop.example"), strict=True))
    found, of_host = values(lab, *keys, container="gateway"), values(lab, *keys)
    front = interface(lab, "gateway", "10.70.1.")
    back = interface(lab, "gateway", "10.70.2.")
    filters = [f"net.ipv4.conf.{each}.rp_filter" for each in (front, back)]

    def seen() -> list[str]:
        return values(lab, *keys, *filters, container="gateway")

    before = seen()
    loose = {"front": {"net.ipv4.conf.IFNAME.rp_filter": 2}}
    result = lab.cycle("sysctl", seen, container="gateway", values=wanted, networks=loose)
    assert seen() == [*map(str, wanted.values()), "2", before[-1]]
    assert result["networks"] == {"front": {"net.ipv4.conf.IFNAME.rp_filter": "2"}}
    assert values(lab, *keys) == of_host and at_boot(lab) == {}

    # A reconnect gives another interface, a restart another namespace: what was set is told to be gone, and set again.
    lab.docker("network", "disconnect", "front", "gateway")
    lab.docker("network", "connect", "front", "gateway")
    filters[0] = f"net.ipv4.conf.{interface(lab, 'gateway', '10.70.1.')}.rp_filter"
    assert len(lab.cycle("sysctl", seen, container="gateway", values=wanted, networks=loose)["steps"]) == 1
    lab.docker("restart", "-t", "0", "gateway")
    filters = [f"net.ipv4.conf.{interface(lab, 'gateway', each)}.rp_filter" for each in ("10.70.1.", "10.70.2.")]
    assert seen()[:-2] == found
    lab.cycle("sysctl", seen, container="gateway", values=wanted, networks=loose)
    assert seen()[:-1] == [*map(str, wanted.values()), "2"]

    lab.cycle("sysctl", seen, container="gateway", values=wanted, networks=loose, state="absent")
    assert seen() == before
    assert lab.run("ls", KEPT) == ""


def test_raise_only(plain: Resident) -> None:
    key, vector = "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_rmem"

    def seen() -> Any:
        return look(plain, key, vector)

    def raised(number: int) -> None:
        plain.cycle("sysctl", seen, values={key: number, vector: "8192 65536 6291456"}, raise_only=True)

    raised(7000)
    assert seen() == ([FOUND[key], "8192 65536 6291456"], {vector: "8192 65536 6291456"})
    raised(7300)
    assert seen() == (["7300", "8192 65536 6291456"], {key: "7300", vector: "8192 65536 6291456"})
    raised(7200)  # it is ours
    assert seen()[0][0] == seen()[1][key] == "7200"
    plain.run("sysctl", "-qw", f"{key}=7500")  # and now it is not
    raised(7100)
    assert seen() == (["7500", "8192 65536 6291456"], {vector: "8192 65536 6291456"})
    plain.run("sysctl", "-qw", f"{key}={FOUND[key]}")
    raised(7200)
    raised(7000)  # what was found is high enough
    assert seen() == ([FOUND[key], "8192 65536 6291456"], {vector: "8192 65536 6291456"})


def test_another_file_comes_later(plain: Resident) -> None:
    key = "net.core.somaxconn"
    other = "/etc/sysctl.d/70-test.conf"
    plain.run("sh", "-c", f"echo '{key}=512' > {other}")
    for check in (True, False):
        warnings = str(plain.module("sysctl", check=check, values={key: 4096})["warnings"])
        assert other in warnings and "512" in warnings
    plain.run("sh", "-c", f"echo '{key}=4096' > {other}")
    assert not plain.module("sysctl", values={key: 4096}).get("warnings")


REFUSED: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"values": {"net.ipv4.ip_forwrd": 1}}, "values.net.ipv4.ip_forwrd", "the kernel knows no net.ipv4.ip_forwrd"),
    ({"values": {"net.ipv4.ip_forwrd": 1}}, "values.net.ipv4.ip_forwrd", "did you mean 'net.ipv4.ip_forward'"),
    ({"values": {"net.ipv4.conf": 1}}, "values.net.ipv4.conf", "the kernel knows no net.ipv4.conf"),
    ({"values": {"kernel.osrelease": "7.0"}}, "values.kernel.osrelease", "is read-only"),
    ({"values": {"net.core.rmem_max": 1}}, "values.net.core.rmem_max", "is read-only"),
    ({"values": {"net.ipv4.route.flush": 1}}, "values.net.ipv4.route.flush", "is a command"),
    (
        {"values": {"net.ipv4.tcp_rmem": "4096 65536"}},
        "values.net.ipv4.tcp_rmem",
        "holds 3 numbers, found '4096 65536'",
    ),
    ({"values": {"ip_forward": 1}}, "values.ip_forward", "not a kernel parameter"),
    ({"values": {"net.ipv4.ip_forward": True}}, "values.net.ipv4.ip_forward", "a switch is 1 or 0"),
    ({"values": {"net.ipv4.tcp_rmem": [1, 2, 3]}}, "values.net.ipv4.tcp_rmem", "expected a number or text"),
    (
        {"values": {"net.ipv4.tcp_congestion_control": "bbr"}, "raise_only": True},
        "values.net.ipv4.tcp_congestion_control",
        "raise_only compares numbers",
    ),
    ({"networks": {"front": {}}}, "networks", "goes with a container alone"),
    ({"container": "gateway", "values": {"vm.swappiness": 1}}, "values.vm.swappiness", "is not namespaced"),
    ({"container": "gateway", "values": {"kernel.nosuch": 1}}, "values.kernel.nosuch", "the kernel knows no"),
    (
        {"container": "gateway", "values": {"net.ipv4.conf.eth0.rp_filter": 1}},
        "values.net.ipv4.conf.eth0.rp_filter",
        "give it under networks, by the network's name: net.ipv4.conf.IFNAME.rp_filter",
    ),
    (
        {"container": "gateway", "networks": {"frnt": {"net.ipv4.conf.IFNAME.rp_filter": 1}}},
        "networks.frnt.net.ipv4.conf.IFNAME.rp_filter",
        "container 'gateway' is not on 'frnt' (it is on back, front)",
    ),
    (
        {"container": "gateway", "networks": {"front": {"net.ipv4.conf.IFNAME.rp_filtr": 1}}},
        "networks.front.net.ipv4.conf.IFNAME.rp_filtr",
        "did you mean 'net.ipv4.conf.IFNAME.rp_filter'",
    ),
    (
        {"container": "gateway", "networks": {"front": {"net.ipv4.ip_forward": 1}}},
        "networks.front.net.ipv4.ip_forward",
        "has no IFNAME",
    ),
    ({"container": "hosty", "values": {"net.ipv4.ip_forward": 1}}, "container", "is that of the host"),
    ({"container": "shared-ipc", "values": {"kernel.shmmax": 1}}, "container", "no ipc namespace of its own"),
    ({"container": "idle", "values": {"net.ipv4.ip_forward": 1}}, "container", "is not running"),
    ({"container": "gatewy", "values": {"net.ipv4.ip_forward": 1}}, "container", "did you mean 'gateway'"),
)
"""What is seen before anything is written; check mode sees it, too."""


def test_refusals(lab: Resident) -> None:
    lab.start("hosty", "--network", "host")
    lab.start("shared-ipc", "--ipc", "host", "--network", "none")
    lab.docker("create", "--name", "idle", "breakwater/workload:latest")
    before = lab.run("sysctl", "-a", "--pattern", "^net.ipv4.(ip|tcp)_|^kernel.sh|^vm.s")
    for args, field, says in REFUSED:
        for check in (True, False):
            failure = lab.refusal("sysctl", check=check, **args)
            assert says in str(failure) and failure.result["field"] == field, f"{args}: {failure.result}"
    # What the kernel alone knows.
    for args, says in (
        ({"values": {"net.ipv4.ip_local_port_range": "9000 80"}}, "out of range"),
        ({"values": {"net.ipv4.tcp_congestion_control": "nosuch"}}, "No such file"),
        ({"container": "gateway", "values": {"net.ipv4.tcp_syn_retries": 4000}}, "out of range"),
    ):
        failure = lab.refusal("sysctl", **args)
        (key,) = args["values"]
        assert says in str(failure) and failure.result["field"] == f"values.{key}", failure.result
    assert lab.run("sysctl", "-a", "--pattern", "^net.ipv4.(ip|tcp)_|^kernel.sh|^vm.s") == before
    assert at_boot(lab) == {} and lab.run("sh", "-c", f"ls {KEPT}; true") == ""


def test_topology(lab: Resident) -> None:
    keys = ("net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter")

    def seen() -> Any:
        return values(lab, *keys, container="gateway"), look(lab, "net.core.somaxconn")

    before = seen()
    topology: dict[str, Any] = {
        "name": "shop",
        "networks": [{"name": "dmz", "ipam_config": [{"subnet": "10.70.3.0/24"}]}],
        "connections": [{"container": "gateway", "networks": [{"name": "dmz", "ipv4_address": "10.70.3.3"}]}],
        "sysctls": [
            {
                "container": "gateway",
                "values": {keys[0]: 1, keys[1]: 2},
                "networks": {"dmz": {"net.ipv4.conf.IFNAME.accept_local": 1}},
            },
            {"values": {"net.core.somaxconn": 4096}},
            {"container": "later", "values": {keys[0]: 1}},
        ],
    }
    result = lab.cycle("topology", seen, **topology)
    assert seen() == (["1", "2"], (["4096"], {"net.core.somaxconn": "4096"}))
    assert result["pending"] == ["sysctls of later: container 'later' does not exist"]
    dmz = interface(lab, "gateway", "10.70.3.")
    assert value(lab, f"net.ipv4.conf.{dmz}.accept_local", "gateway") == "1"
    lab.start("later", "--network", "front", "--sysctl", "net.ipv4.ip_forward=0")
    lab.cycle("topology", lambda: (seen(), value(lab, keys[0], "later")), **topology)
    assert value(lab, keys[0], "later") == "1"

    # An endpoint that has to be reconnected has it again in the same run.
    moved = {"container": "gateway", "networks": [{"name": "dmz", "ipv4_address": "10.70.3.4"}]}
    lab.cycle("topology", lambda: lab.docker("inspect", "gateway"), **{**topology, "connections": [moved]})
    dmz = interface(lab, "gateway", "10.70.3.")
    assert value(lab, f"net.ipv4.conf.{dmz}.accept_local", "gateway") == "1"

    # Without prune what is declared no more stays; with it, it is as it was found.
    fewer = {**topology, "connections": [moved], "sysctls": [{"container": "gateway", "values": {keys[0]: 1}}]}
    assert not lab.module("topology", **fewer)["changed"]
    lab.cycle("topology", seen, **fewer, prune=True)
    assert seen() == (["1", before[0][1]], before[1])
    assert value(lab, keys[0], "later") == "0"
    assert value(lab, f"net.ipv4.conf.{dmz}.accept_local", "gateway") == "0"
    lab.cycle("topology", seen, name="shop", state="absent")
    assert seen() == before
    assert lab.run("find", KEPT, "/etc/breakwater", "-type", "f") == ""
