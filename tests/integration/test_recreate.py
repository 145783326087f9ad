# SPDX-License-Identifier: GPL-3.0-or-later
"""A network is recreated and nobody loses anything: judged by docker inspect and by the namespaces themselves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab_host import Failed
from resident import Resident

NET = {"name": "shop", "ipam_config": [{"subnet": "10.60.0.0/24"}]}
WANTED = {**NET, "driver_options": {"com.docker.network.driver.mtu": "1400"}, "recreate": "if_needed"}


def furnish(lab: Resident) -> None:
    """Three running and two stopped containers, with all that an endpoint can have."""
    lab.docker("network", "create", "--subnet", "10.60.0.0/24", "shop")
    lab.docker("network", "create", "--subnet", "10.61.0.0/24", "other")
    lab.start("web", "--network", "shop", "--ip", "10.60.0.10", "--network-alias", "www")
    lab.start("db", "--network", "other")
    lab.docker("network", "connect", "--ip", "10.60.0.20", "--alias", "sql", "--link", "web:site", "shop", "db")
    lab.start("free", "--network", "shop", "--mac-address", "02:11:22:33:44:55")
    lab.start("idle", "--network", "shop", "--ip", "10.60.0.30", "--network-alias", "later")
    lab.docker("stop", "-t", "0", "idle")
    lab.docker(
        "create", "--name", "never", "--network", "shop", "--network-alias", "first", "breakwater/workload:latest"
    )
    lab.inside("web", "ip", "route", "add", "192.0.2.0/24", "via", "10.60.0.20")
    lab.inside("db", "ip", "route", "add", "198.51.100.0/24", "via", "10.60.0.10", "metric", "7")
    lab.inside("db", "ip", "route", "add", "203.0.113.0/24", "via", "10.61.0.1")


NAMES = ("web", "db", "free", "idle", "never")


def picture(lab: Resident) -> dict[str, Any]:
    """What the five containers have, as the engine and their namespaces tell it; IDs and interface names aside."""
    found: dict[str, Any] = {}
    for name in NAMES:
        raw = lab.inspect(name)
        endpoints = {}
        for network, each in raw["NetworkSettings"]["Networks"].items():
            configured = each.get("IPAMConfig") or {}
            endpoints[network] = {
                "ip": each["IPAddress"] or configured.get("IPv4Address"),
                "aliases": sorted(set(each["Aliases"] or ()) - {raw["Id"][:12]}),
                "links": sorted(each["Links"] or ()),
            }
        found[name] = {"endpoints": endpoints, "running": raw["State"]["Running"]}
        if raw["State"]["Running"]:
            links = json.loads(lab.inside(name, "ip", "-json", "addr"))
            found[name]["macs"] = sorted(each["address"] for each in links if each["ifname"] != "lo")
            found[name]["routes"] = sorted(
                (each["dst"], each.get("gateway", ""), each.get("metric", 0)) for each in lab.routes(name)
            )
    return found


def mtu(lab: Resident) -> str | None:
    options: dict[str, str] = lab.inspect("network", "shop")["Options"]
    return options.get("com.docker.network.driver.mtu")


def test_all_is_as_before(lab: Resident) -> None:
    furnish(lab)
    before = picture(lab)
    foreseen = lab.module("network", check=True, **WANTED)
    assert picture(lab) == before and mtu(lab) is None
    result = lab.module("network", **WANTED)
    assert result["changed"] and mtu(lab) == "1400"
    assert foreseen["steps"] == result["steps"]
    assert picture(lab) == before
    for name in ("idle", "never"):
        lab.docker("start", name)
    assert lab.inspect("idle")["NetworkSettings"]["Networks"]["shop"]["IPAddress"] == "10.60.0.30"
    assert not lab.module("network", **WANTED)["changed"]
    assert not lab.module("network", check=True, **WANTED)["changed"]


def test_refused_by_default(lab: Resident) -> None:
    furnish(lab)
    before, network = picture(lab), lab.inspect("network", "shop")
    with pytest.raises(Failed) as refusal:
        lab.module("network", **{**WANTED, "recreate": "never"})
    assert "driver_options" in str(refusal.value) and "would cut db, free, web" in str(refusal.value)
    assert "never" in str(refusal.value) and "idle" in str(refusal.value)
    assert refusal.value.result["cuts"] == ["db", "free", "web"]
    assert picture(lab) == before and lab.inspect("network", "shop") == network


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"ipam_config": [{"subnet": "10.61.0.0/25"}]}, "overlaps 10.61.0.0/24 of network 'other'"),
        ({"ipam_config": [{"subnet": "10.62.0.0/24"}]}, "has the fixed address 10.60.0."),
    ],
)
def test_impossible_is_found_before(lab: Resident, change: dict[str, Any], complaint: str) -> None:
    furnish(lab)
    before, network = picture(lab), lab.inspect("network", "shop")
    with pytest.raises(Failed, match=complaint):
        lab.module("network", **{**WANTED, **change})
    assert picture(lab) == before and lab.inspect("network", "shop") == network


def test_engine_refuses_and_all_is_rolled_back(lab: Resident) -> None:
    """A bridge name that is taken passes every check of ours, and fails at the engine when all is cut already."""
    furnish(lab)
    lab.run("ip", "link", "add", "taken0", "type", "vlan", "id", "7", "link", "eth0", check=False)
    lab.docker("network", "create", "-o", "com.docker.network.bridge.name=taken1", "rival")
    before = picture(lab)
    definition = lab.inspect("network", "shop")
    with pytest.raises(Failed) as failure:
        lab.module("network", **{**WANTED, "driver_options": {"com.docker.network.bridge.name": "taken1"}})
    assert "rolled back" in str(failure.value), failure.value
    assert failure.value.result["done"] and failure.value.result["undone"]
    assert picture(lab) == before
    after = lab.inspect("network", "shop")
    assert {key: after[key] for key in ("IPAM", "Options", "Labels", "Internal")} == {
        key: definition[key] for key in ("IPAM", "Options", "Labels", "Internal")
    }
    for name in ("idle", "never"):
        lab.docker("start", name)


def test_killed_after_each_step(lab: Resident) -> None:
    furnish(lab)
    before = picture(lab)
    steps = len(lab.module("network", check=True, **WANTED)["steps"]) + 3
    killed = 0
    for step in range(steps):
        mark = str(1300 + step)
        wanted = {**WANTED, "driver_options": {"com.docker.network.driver.mtu": mark}}
        killed += lab.module("network", kill_after=step, **wanted) == {}
        lab.module("network", **wanted)
        assert mtu(lab) == mark
        assert picture(lab) == before, f"after a kill at step {step}"
        assert not lab.module("network", **wanted)["changed"]
    assert killed >= steps - 3
    for name in ("idle", "never"):
        lab.docker("start", name)
