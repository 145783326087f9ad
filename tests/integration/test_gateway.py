# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway scenario: three networks meet in one container, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from resident import Resident

SUBNETS = {"backend": "10.0.0.0/24", "frontend": "10.0.1.0/24", "loadbalancer": "10.0.2.0/24"}
ADDRESS = {"s1": "10.0.0.11", "s2": "10.0.1.11", "lb1": "10.0.2.11"}
HOME = {"s1": "backend", "s2": "frontend", "lb1": "loadbalancer"}
HOP = {"s1": "10.0.0.3", "s2": "10.0.1.3", "lb1": "10.0.2.3"}
TOPOLOGY: dict[str, Any] = {
    "name": "gateway-scenario",
    "networks": [{"name": name, "ipam_config": [{"subnet": subnet}]} for name, subnet in SUBNETS.items()],
    "connections": [
        {
            "container": "gateway",
            "networks": [{"name": name, "ipv4_address": HOP[each]} for each, name in HOME.items()],
            "exclusive": True,
        },
        *(
            {"container": each, "networks": [{"name": name, "ipv4_address": ADDRESS[each]}], "exclusive": True}
            for each, name in HOME.items()
        ),
    ],
    "routes": [
        {
            "container": each,
            "routes": [{"destination": SUBNETS[other], "via": "gateway"} for other in SUBNETS if other != HOME[each]],
        }
        for each in HOME
    ],
}


@pytest.fixture
def scenario(lab: Resident) -> Resident:
    lab.start("gateway", "--sysctl", "net.ipv4.ip_forward=1")
    for each in HOME:
        lab.start(each, command=("echo-service",))
    result = lab.module("topology", **TOPOLOGY)
    assert result["changed"] and not result["pending"]
    return lab


def reaches(lab: Resident, source: str, target: str) -> bool:
    done = lab.inside(source, "ping", "-c", "1", "-W", "1", ADDRESS[target], check=False)
    return "1 received" in done


PAIRS = [(one, other) for one in HOME for other in HOME if one != other]


@pytest.mark.parametrize("bridge_filter", ["0", "1"])
def test_only_through_the_gateway(scenario: Resident, bridge_filter: str) -> None:
    lab = scenario
    lab.run("sysctl", "-qw", f"net.bridge.bridge-nf-call-iptables={bridge_filter}")
    for one, other in PAIRS:
        assert reaches(lab, one, other), f"{one} to {other}"
        hop = lab.inside(one, "ping", "-c", "1", "-W", "1", "-t", "1", ADDRESS[other], check=False)
        assert f"From {HOP[one]}" in hop and "Time to live exceeded" in hop, hop
    fetch = f"import urllib.request as u; print(u.urlopen('http://{ADDRESS['s2']}:8080/', timeout=2).status)"
    page = lab.inside("s1", "python3", "-c", fetch)
    assert page.strip() == "200"
    lab.docker("stop", "-t", "0", "gateway")
    for one, other in PAIRS:
        assert not reaches(lab, one, other), f"{one} to {other} without the gateway"


@pytest.mark.parametrize("bridge_filter", ["0", "1"])
def test_the_host_is_no_way(scenario: Resident, bridge_filter: str) -> None:
    """Without its route a container asks the host, and the host forwards nothing, whatever passages stand."""
    lab = scenario
    lab.run("sysctl", "-qw", f"net.bridge.bridge-nf-call-iptables={bridge_filter}")
    for one, other in PAIRS:
        lab.inside(one, "ip", "route", "del", SUBNETS[HOME[other]])
    for one, other in PAIRS:
        assert not reaches(lab, one, other), f"{one} to {other} by the host"


def test_our_own_drop_stands_where_isolation_is_gone(scenario: Resident) -> None:
    """Engine 29 has no isolation chains: what passages open must be closed by us."""
    lab = scenario
    if lab.version < (28, 2):
        pytest.skip("engines before 28.2 need no passages")
    lab.inside("s1", "ip", "route", "del", SUBNETS["frontend"])
    lab.run("iptables", "-F", "DOCKER-ISOLATION-STAGE-1", check=False)
    lab.run("iptables", "-I", "DOCKER-FORWARD", "1", "-j", "ACCEPT")
    try:
        assert not reaches(lab, "s1", "s2")
        rules = lab.run("iptables-save", "-t", "filter")
        assert "-A BW-gateway-scenario" in rules
        lab.run("iptables", "-D", "DOCKER-USER", "-j", "BREAKWATER")
        assert reaches(lab, "s1", "s2"), "the drop under test is not what closes the way"
    finally:
        lab.run("systemctl", "restart", "docker")


def test_second_run_and_removal(scenario: Resident) -> None:
    lab = scenario
    for check in (True, False):
        assert not lab.module("topology", check=check, **TOPOLOGY)["changed"]
    lab.docker("rm", "-f", "s1", "s2", "lb1", "gateway")
    foreseen = lab.module("topology", check=True, name=TOPOLOGY["name"], state="absent")
    result = lab.module("topology", name=TOPOLOGY["name"], state="absent")
    assert foreseen["steps"] == result["steps"] and result["changed"]
    assert not lab.module("topology", name=TOPOLOGY["name"], state="absent")["changed"]
    names = lab.docker("network", "ls", "--format", "{{.Name}}").split()
    assert not set(names) & set(SUBNETS)
    for tool in ("iptables-save", "ip6tables-save"):
        assert "BW-" not in lab.run(tool) and "BREAKWATER" not in lab.run(tool)
    assert lab.run("ls", "/etc/breakwater").strip() == ""
