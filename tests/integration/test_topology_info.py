# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that somebody furnished by hand is told as a topology, and that topology changes nothing on it."""

from __future__ import annotations

from typing import Any

from lab_host import IMAGE, LabHost
from resident import Resident, resident


def furnish(lab: Resident) -> None:
    """All that a person does with docker and ip."""
    mtu = "com.docker.network.driver.mtu=1400"
    lab.docker("network", "create", "--subnet", "10.80.0.0/24", "--ip-range", "10.80.0.128/25", "--opt", mtu, "front")
    lab.docker(
        *("network", "create", "--internal", "--label", "tier=data", "--subnet", "10.81.0.0/24"),
        *("--gateway", "10.81.0.254", "--aux-address", "printer=10.81.0.9", "back"),
    )
    lab.docker("network", "create", "--ipv6", "--subnet", "10.82.0.0/24", "--subnet", "fd82::/64", "dual")
    lab.docker("network", "create", "drawn")
    lab.docker("network", "create", "--driver", "macvlan", "--subnet", "10.83.0.0/24", "-o", "parent=eth0", "lan")
    lab.docker("network", "create", "--config-only", "--subnet", "10.84.0.0/24", "mould")
    lab.docker("network", "create", "--config-from", "mould", "--internal", "cast")
    lab.start("web", "--network", "front", "--ip", "10.80.0.130", "--network-alias", "www")
    lab.docker("network", "connect", "--ip", "10.81.0.10", "--alias", "inner", "back", "web")
    lab.start("db", "--network", "back")
    lab.docker("network", "connect", "--link", "web:site", "front", "db")
    lab.docker("network", "connect", "--ip6", "fd82::7", "--ip", "10.82.0.7", "dual", "db")
    lab.start("plain", "--network", "front", "--mac-address", "02:11:22:33:44:55")
    priority = ("--gw-priority", "5") if lab.version >= (28, 0) else ()
    lab.docker("network", "connect", "--driver-opt", "lab.example/colour=blue", *priority, "dual", "plain")
    lab.start("default")
    lab.start("hosty", "--network", "host")
    lab.start("lonely", "--network", "none")
    lab.start("leaner", "--network", "container:web")
    lab.docker(
        "create", "--name", "idle", "--network", "drawn", "--network-alias", "later", "breakwater/workload:latest"
    )
    lab.docker("create", "--name", "never", "--network", "back", "--ip", "10.81.0.77", IMAGE)
    lab.start("stale", "--network", "drawn")
    lab.docker("stop", "-t", "0", "stale")
    lab.inside("web", "ip", "route", "add", "192.0.2.0/24", "via", "10.81.0.254")
    lab.inside("web", "ip", "route", "add", "blackhole", "198.18.0.0/15")
    lab.inside("db", "ip", "route", "replace", "default", "via", "10.80.0.130")
    lab.inside("db", "ip", "route", "add", "203.0.113.0/24", "via", "10.81.0.10", "metric", "50", "table", "100")
    lab.inside("db", "ip", "-6", "route", "add", "2001:db8:5::/48", "via", "fd82::99")


def look(lab: Resident, running: tuple[str, ...] = ("web", "db", "plain")) -> dict[str, Any]:
    """What the engine and the namespaces tell."""
    ids = lab.docker("network", "ls", "-q", "--no-trunc").split() + lab.docker("ps", "-aq", "--no-trunc").split()
    return {
        "inspect": lab.docker("inspect", *ids),
        "routes": [lab.routes(each, family) for each in running for family in (4, 6)],
        "rules": sorted(line for line in lab.run("iptables-save").splitlines() if line.startswith("-A")),
    }


def test_what_is_told_changes_nothing(host: LabHost) -> None:
    lab = resident(host)
    furnish(lab)
    before = look(lab)
    told = lab.module("topology_info")["topology"]
    assert {each["name"] for each in told["networks"]} == {"front", "back", "dual", "drawn", "lan", "mould", "cast"}
    names = {"web", "db", "plain", "default", "idle", "never", "stale"}
    assert {each["container"] for each in told["connections"]} == names
    assert {"name": "cast", "config_from": "mould", "internal": True} in told["networks"]
    assert {each["container"] for each in told["routes"]} == {"web", "db"}
    routes = {each["container"]: {r["destination"] for r in each["routes"]} for each in told["routes"]}
    assert routes["web"] == {"192.0.2.0/24", "198.18.0.0/15"}
    assert routes["db"] == {"0.0.0.0/0", "203.0.113.0/24", "2001:db8:5::/48"}
    for prune in (False, True):
        for check in (True, False):
            result = lab.module("topology", check=check, prune=prune, **told)
            assert not result["changed"], result["steps"]
            assert not result["pending"]
    assert look(lab) == before
    assert lab.module("topology_info")["topology"] == told
    # What was there before is nobody's: giving the topology up takes nothing of it away.
    lab.module("topology", name=told["name"], state="absent")
    assert look(lab) == before


def test_some_containers_alone(host: LabHost) -> None:
    lab = resident(host)
    furnish(lab)
    told = lab.module("topology_info", name="part", containers=["web"])["topology"]
    assert told["name"] == "part"
    assert [each["container"] for each in told["connections"]] == ["web"]
    assert {each["name"] for each in told["networks"]} == {"front", "back"}
    refusal = lab.refusal("topology_info", containers=["wbe"])
    assert str(refusal).startswith("containers[0]: ") and "did you mean 'web'?" in str(refusal)


def test_a_host_in_a_swarm(host: LabHost) -> None:
    lab = resident(host)
    lab.swarm()
    lab.docker("network", "create", "--driver", "overlay", "--attachable", "--subnet", "10.85.0.0/24", "wide")
    lab.start("web", "--network", "wide", "--ip", "10.85.0.9", "--network-alias", "www")
    before = look(lab, ("web",))
    told = lab.module("topology_info")["topology"]
    assert [each["name"] for each in told["networks"]] == ["wide"]
    for check in (True, False):
        result = lab.module("topology", check=check, **told)
        assert not result["changed"], result["steps"]
    assert look(lab, ("web",)) == before
