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
def lab(host: LabHost) -> Iterator[Resident]:
    """``gateway`` on ``front`` and ``back``, ``hosty`` on the host's network; the host as FOUND says."""
    with resident(host) as found:
        found.run("sh", "-c", f"rm -f {DROP_IN} /etc/sysctl.d/7*-test.conf")
        for key, value in FOUND.items():
            found.run("sysctl", "-qw", f"{key}={value}")
        found.docker("network", "create", "--subnet", "10.70.1.0/24", "front")
        found.docker("network", "create", "--subnet", "10.70.2.0/24", "back")
        found.start("gateway", "--network", "front", "--sysctl", "net.ipv4.ip_forward=0")
        found.docker("network", "connect", "back", "gateway")
        yield found
        for key, value in FOUND.items():
            found.run("sysctl", "-qw", f"{key}={value}")
        found.run("sh", "-c", f"rm -f {DROP_IN} /etc/sysctl.d/7*-test.conf")


def value(lab: LabHost, key: str, container: str = "") -> str:
    """What the kernel shows, with single blanks."""
    argv = ["cat", f"/proc/sys/{key.replace('.', '/')}"]
    if container:
        pid = lab.docker("inspect", "-f", "{{.State.Pid}}", container)
        argv = ["nsenter", "-t", pid, "-n", "-i", "-u", *argv]
    return " ".join(lab.run(*argv).split())


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
    return [value(lab, each) for each in keys], at_boot(lab)


def test_host(lab: Resident) -> None:
    keys = ("net.ipv4.tcp_keepalive_time", "net.core.somaxconn", "net.ipv4.tcp_rmem")
    wanted = {keys[0]: 600, "net/core/somaxconn": "4096", keys[2]: "4096\t131072  6291456"}
    result = lab.cycle("sysctl", lambda: look(lab, *keys), values=wanted)
    there = {keys[0]: "600", keys[1]: "4096", keys[2]: "4096 131072 6291456"}
    assert look(lab, *keys) == (list(there.values()), there)
    assert result["values"] == there
    assert lab.run("stat", "-c", "%a %U", DROP_IN).split() == ["644", "root"]
    assert lab.run("sh", "-c", f"stat -c '%a %U' {KEPT} {KEPT}/host.json").split() == ["700", "root", "600", "root"]
    # The drop-in is what the host's own tool takes, too.
    lab.run("sysctl", "-qw", f"{keys[0]}=1", f"{keys[1]}=1")
    lab.run("sysctl", "-qp", DROP_IN)
    assert look(lab, *keys)[0] == list(there.values())
    # What somebody has changed, live or in the file, is set again.
    lab.run("sysctl", "-qw", f"{keys[1]}=1")
    lab.run("sed", "-i", "/keepalive/d", DROP_IN)
    assert len(lab.cycle("sysctl", lambda: look(lab, *keys), values=wanted)["steps"]) == 2
    assert look(lab, *keys) == (list(there.values()), there)
    lab.cycle("sysctl", lambda: look(lab, *keys), values={keys[1]: None}, state="absent")
    assert look(lab, *keys) == (
        ["600", FOUND[keys[1]], "4096 131072 6291456"],
        {k: there[k] for k in there if k != keys[1]},
    )
    lab.cycle("sysctl", lambda: look(lab, *keys), values=dict.fromkeys(keys), state="absent")
    assert look(lab, *keys) == ([FOUND[each] for each in keys], {})
    assert lab.run("sh", "-c", f"ls {DROP_IN} {KEPT}/*; true") == ""
