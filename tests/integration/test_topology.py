# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's network under one name: one call, nothing left to do, nothing foreign touched, and no death hurts it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab_host import LabHost
from resident import Resident, resident

MTU = "com.docker.network.driver.mtu"
STATE = "/etc/breakwater"


@pytest.fixture
def lab(host: LabHost) -> Resident:
    """Three containers that somebody has started on the default bridge."""
    found = resident(host)
    for name in ("gw", "s1", "s2"):
        found.start(name)
    return found


def shop(**changes: Any) -> dict[str, Any]:
    """A topology that has one of everything, as a user would write it: not in the order of its making."""
    return {
        "name": "shop",
        "routes": [
            {"container": "s1", "routes": [{"destination": "10.102.0.0/24", "via": "gw"}]},
            {
                "container": "s2",
                "routes": [
                    {"destination": "10.101.0.0/24", "gateway": "10.102.0.3"},
                    {"destination": "198.18.0.0/15", "type": "blackhole", "table": "100"},
                ],
            },
        ],
        "connections": [
            {"container": "s1", "networks": [{"name": "back", "ipv4_address": "10.101.0.11"}], "exclusive": True},
            {
                "container": "s2",
                "networks": [{"name": "front", "ipv4_address": "10.102.0.11", "aliases": ["www", "shop"]}],
                "exclusive": True,
            },
            {
                "container": "gw",
                "networks": [
                    {"name": "front", "ipv4_address": "10.102.0.3"},
                    {"name": "back", "ipv4_address": "10.101.0.3"},
                    {"name": "cast"},
                ],
            },
        ],
        "networks": [
            {"name": "cast", "config_from": "mould"},
            {"name": "front", "ipam_config": [{"subnet": "10.102.0.0/24"}], "labels": {"tier": "edge"}},
            {"name": "back", "internal": True, "ipam_config": [{"subnet": "10.101.0.0/24"}]},
            {"name": "mould", "config_only": True, "ipam_config": [{"subnet": "10.103.0.0/24"}]},
        ],
        **changes,
    }


LOOK = """
docker network inspect $(docker network ls -q --no-trunc)
docker inspect $(docker ps -q --no-trunc)
for pid in $(docker inspect -f '{{.State.Pid}}' $(docker ps -q --no-trunc)); do
    for family in -4 -6; do nsenter --net=/proc/$pid/ns/net ip $family -json route show table all; done
done
"""


def documents(text: str) -> list[list[dict[str, Any]]]:
    """The JSON documents of a text."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


def everything(lab: Resident) -> dict[str, Any]:
    """What the engine, the namespaces and the packet filter tell, to the byte; routes without those of the kernel."""
    networks, containers, *routes = documents(lab.run("sh", "-c", LOOK))
    names = [each["Name"].lstrip("/") for each in containers]
    told = [[one for one in each if one.get("protocol") != "kernel" and one.get("table") != "local"] for each in routes]
    return {
        "networks": networks,
        "containers": dict(zip(names, containers, strict=True)),
        "routes": dict(zip(names, zip(told[::2], told[1::2], strict=True), strict=True)),
        "rules": [line for line in lab.run("iptables-save").splitlines() if line.startswith("-A")],
    }


def portrait(lab: Resident) -> dict[str, Any]:
    """What matters of it, without all that is drawn anew: to be compared from one making to the next."""
    found = everything(lab)
    bridges = {f"br-{each['Id'][:12]}": each["Name"] for each in found["networks"]}
    networks = {
        each["Name"]: {
            "config": each["IPAM"]["Config"],
            "members": sorted(member["Name"] for member in each["Containers"].values()),
            **{key: each[key] for key in ("Driver", "Options", "Labels", "Internal", "ConfigOnly", "ConfigFrom")},
        }
        for each in found["networks"]
    }
    endpoints = {
        name: {
            network: (each["IPAMConfig"], sorted(set(each["Aliases"] or ()) - {raw["Id"][:12]}))
            for network, each in raw["NetworkSettings"]["Networks"].items()
        }
        for name, raw in found["containers"].items()
    }
    routes = {
        name: sorted(
            (each.get("type", ""), each["dst"], each.get("gateway", ""), each.get("metric", 0), each.get("table", ""))
            for family in both
            for each in family
        )
        for name, both in found["routes"].items()
    }
    rules = [line for line in found["rules"] if "BW-" in line or "BREAKWATER" in line]
    for bridge, name in bridges.items():
        rules = [line.replace(bridge, name) for line in rules]
    state = {
        each: json.loads(lab.run("cat", each))
        for each in lab.run("sh", "-c", f"ls -d {STATE}/* 2>/dev/null; true").split()
    }
    return {"networks": networks, "endpoints": endpoints, "routes": routes, "rules": sorted(rules), "state": state}


def resting(lab: Resident, topology: dict[str, Any]) -> None:
    """Nothing is left to do, in check mode and for real."""
    before = everything(lab)
    for check in (True, False):
        result = lab.module("topology", check=check, **topology)
        assert not result["changed"], result["steps"]
        assert not result["pending"], result["pending"]
    assert everything(lab) == before


def test_one_call(lab: Resident) -> None:
    result = lab.cycle("topology", lambda: everything(lab), **shop())
    steps = [(step["verb"], step["resource"]) for step in result["steps"]]
    assert len(steps) == len(set(steps))
    made = [resource for verb, resource in steps if verb == "create"]
    assert made == ["network mould", *(f"network {name}" for name in ("cast", "front", "back"))]
    kinds = [resource.split()[0] for _verb, resource in steps]
    assert kinds == sorted(kinds, key=["network", "connection", "route", "passages"].index)
    found = portrait(lab)
    assert set(found["endpoints"]["s1"]) == {"back"} and set(found["endpoints"]["s2"]) == {"front"}
    assert set(found["endpoints"]["gw"]) == {"bridge", "back", "front", "cast"}
    assert found["networks"]["cast"]["config"][0]["Subnet"] == "10.103.0.0/24"
    assert found["networks"]["front"]["Labels"] == {"tier": "edge", "breakwater.topology": "shop"}
    assert ("", "10.102.0.0/24", "10.101.0.3", 0, "") in found["routes"]["s1"]
    assert ("", "10.101.0.0/24", "10.102.0.3", 0, "") in found["routes"]["s2"]
    assert ("blackhole", "198.18.0.0/15", "", 0, "100") in found["routes"]["s2"]
    assert lab.run("stat", "-c", "%a %U %F", STATE, f"{STATE}/shop.json").splitlines() == [
        "700 root directory",
        "600 root regular file",
    ]
    # Neither the order of lists nor the spelling of names says anything.
    other = {key: value[::-1] if isinstance(value, list) else value for key, value in shop().items()}
    other["connections"][1]["networks"][0]["aliases"] = ["shop", "www"]
    resting(lab, other)
    for each in other["connections"]:
        each["container"] = lab.inspect(each["container"])["Id"][:12]
    result = lab.module("topology", **other)
    assert not result["changed"], result["steps"]
    assert portrait(lab)["endpoints"] == found["endpoints"]


def test_prune_and_absent(lab: Resident) -> None:
    """Exactly what the topology made and declares no more goes; nobody else's network, endpoint or route does."""
    rules = [["-t", "filter", "-I", "DOCKER-USER"], ["-t", "raw", "-I", "PREROUTING"]]
    for rule in rules:
        lab.run("iptables", *rule, "-s", "203.0.113.9/32", "-j", "DROP")
    lab.docker("network", "create", "--subnet", "10.104.0.0/24", "--label", "mine=1", "hand")
    lab.start("alien", "--network", "hand", "--ip", "10.104.0.9")
    lab.docker("network", "connect", "--ip", "10.104.0.11", "--alias", "old", "hand", "s1")
    lab.inside("s1", "ip", "route", "add", "192.0.2.0/24", "via", "10.104.0.9")
    lab.inside("alien", "ip", "route", "add", "192.0.2.0/24", "via", "10.104.0.11")
    by_hand = {
        "container": "s1",
        "networks": [{"name": "hand", "aliases": ["old"]}, {"name": "back", "ipv4_address": "10.101.0.11"}],
    }
    whole = shop()
    whole["connections"][0] = by_hand
    whole["networks"].append({"name": "form", "config_only": True, "driver_options": {MTU: 1400}})
    whole["routes"][0]["routes"][0]["network"] = "back"
    whole["routes"][0]["routes"].append({"destination": "192.0.2.0/24", "gateway": "10.104.0.9"})

    def foreign() -> list[Any]:
        endpoint = lab.inspect("s1")["NetworkSettings"]["Networks"]["hand"]
        by_person = [each for each in lab.routes("s1") if each["dst"] == "192.0.2.0/24"]
        dropped = [line for line in lab.run("iptables-save").splitlines() if "-s 203.0.113.9/32 -j DROP" in line]
        assert len(dropped) == 2, dropped
        return [lab.inspect("network", "hand"), lab.inspect("alien"), lab.routes("alien"), endpoint, by_person]

    before, empty = foreign(), portrait_of_the_engine(lab)
    lab.module("topology", **whole)
    assert foreign() == before

    lab.docker("network", "create", "--config-from", "form", "foundling")
    less = shop(
        networks=[each for each in whole["networks"] if each["name"] == "back"],
        connections=[{"container": "gw", "networks": [{"name": "back"}]}],
        routes=[{"container": "s2", "routes": [{"destination": "198.18.0.0/15", "type": "blackhole", "table": "100"}]}],
    )
    # Without prune what is declared no more stays, and is remembered.
    lab.module("topology", **less)
    assert {"front", "cast", "mould", "back"} <= {each["Name"] for each in everything(lab)["networks"]}
    lab.docker("network", "connect", "front", "alien")
    refused = lab.refusal("topology", **less, prune=True)
    assert "network 'front' is declared no more, and alien was attached to it by somebody else" in str(refused)
    assert refused.result["cuts"] == ["alien"]
    lab.docker("network", "disconnect", "front", "alien")
    assert "foundling, made by somebody else, takes its configuration from it" in str(
        lab.refusal("topology", **less, prune=True)
    )
    lab.docker("network", "rm", "foundling")
    before = foreign()
    lab.cycle("topology", lambda: everything(lab), **less, prune=True)
    assert foreign() == before
    found = portrait(lab)
    assert {"front", "cast", "mould", "form"}.isdisjoint(found["networks"]) and "back" in found["networks"]
    assert set(found["endpoints"]["gw"]) == {"bridge", "back"} and set(found["endpoints"]["s1"]) == {"bridge", "hand"}
    assert found["endpoints"]["s2"] == {}
    assert [each[1] for each in found["routes"]["s2"] if each[1] != "default"] == ["198.18.0.0/15"]
    assert not [each for each in found["routes"]["s1"] if each[1].startswith("10.")]

    lab.cycle("topology", lambda: everything(lab), name="shop", state="absent")
    assert foreign() == before
    assert lab.run("ls", STATE).strip() == ""
    assert portrait_of_the_engine(lab) == empty
    for table, name, _insert, chain in rules:
        lab.run("iptables", table, name, "-D", chain, "-s", "203.0.113.9/32", "-j", "DROP")


def portrait_of_the_engine(lab: Resident) -> tuple[list[str], list[str]]:
    """The networks by name, and every rule of ours."""
    found = everything(lab)
    rules = [line for line in found["rules"] if "BW-" in line or "BREAKWATER" in line]
    return sorted(each["Name"] for each in found["networks"]), rules


def test_two_topologies(lab: Resident) -> None:
    """Each has its own networks, endpoints and routes, in the same containers; none touches the other's."""
    one = shop()
    two: dict[str, Any] = {
        "name": "office",
        "networks": [{"name": "desk", "ipam_config": [{"subnet": "10.105.0.0/24"}]}],
        "connections": [{"container": each, "networks": [{"name": "desk"}]} for each in ("gw", "s1")],
        "routes": [{"container": "s1", "routes": [{"destination": "203.0.113.0/24", "via": "gw", "network": "desk"}]}],
        "prune": True,
    }
    # The first is exclusive in what it says of s1: it would take the second's endpoint.
    for each in one["connections"]:
        each["exclusive"] = False
    one["prune"] = True
    for each in one["routes"][0]["routes"]:
        each["network"] = "back"
    lab.module("topology", **one)
    made = portrait(lab)
    lab.cycle("topology", lambda: everything(lab), **two)
    for each in (one, two, one):
        resting(lab, each)
    both = portrait(lab)
    assert both["networks"]["back"] == made["networks"]["back"]
    assert set(made["rules"]) <= set(both["rules"])
    refusal = str(lab.refusal("topology", **{**two, "networks": [*two["networks"], {"name": "front"}]}))
    assert refusal == "networks[1].name: network 'front' was made by topology 'shop'; it is declared there"
    # One shrinks to nothing, the other stays to the byte.
    theirs = lab.inspect("network", "desk"), lab.inspect("s1")["NetworkSettings"]["Networks"]["desk"]
    lab.module("topology", name="shop", prune=True)
    assert (lab.inspect("network", "desk"), lab.inspect("s1")["NetworkSettings"]["Networks"]["desk"]) == theirs
    assert {"destination": "203.0.113.0/24"}["destination"] in {each["dst"] for each in lab.routes("s1")}
    resting(lab, two)
    lab.module("topology", **one)
    lab.module("topology", name="office", state="absent")
    assert portrait(lab) == made
    resting(lab, one)


def test_pending_containers(lab: Resident) -> None:
    """What waits for a container is told, or is an error; it is done as soon as the container is there."""
    lab.docker("rm", "-f", "s2")
    lab.docker("stop", "-t", "0", "s1")
    before = everything(lab)
    for check in (True, False):
        refusal = str(lab.refusal("topology", check=check, **shop(missing_containers="fail")))
        assert refusal.startswith("connections[1].container: container 's2' does not exist"), refusal
    assert everything(lab) == before
    foreseen = lab.module("topology", check=True, **shop())
    result = lab.module("topology", **shop())
    assert foreseen["steps"] == result["steps"] and foreseen["pending"] == result["pending"]
    assert result["pending"] == [
        "connection of s2: container 's2' does not exist",
        "routes in s1: container 's1' is not running",
        "routes in s2: container 's2' does not exist",
    ]
    again = lab.module("topology", **shop())
    assert not again["changed"] and again["pending"] == result["pending"]
    lab.docker("start", "s1")
    lab.start("s2")
    lab.cycle("topology", lambda: everything(lab), **shop())
    resting(lab, shop())
    found = portrait(lab)
    assert set(found["endpoints"]["s2"]) == {"front"}
    assert ("", "10.102.0.0/24", "10.101.0.3", 0, "") in found["routes"]["s1"]


def changed() -> dict[str, Any]:
    """``shop`` after a day's work: a network to recreate, one to drop, addresses and routes to change."""
    after = shop(prune=True)
    after["networks"] = [
        {**each, "driver_options": {MTU: 1400}, "recreate": "if_needed"} if each["name"] == "front" else each
        for each in after["networks"]
        if each["name"] in ("front", "back")
    ]
    after["connections"][0]["networks"][0]["ipv4_address"] = "10.101.0.12"
    after["connections"][1]["networks"][0]["aliases"] = ["www"]
    after["connections"][2]["networks"].pop()
    after["connections"][2]["exclusive"] = True
    after["routes"][0]["routes"] = [{"destination": "10.102.0.0/24", "via": "gw", "metric": 5}]
    after["routes"][1]["routes"].pop()
    return after


def test_killed_at_each_step(lab: Resident) -> None:
    """Made, changed (a recreate and a prune), changed back, taken away: cut off anywhere, the next run ends it.

    The engines share the steps: each is cut off after every third one, from another one on.
    """
    for name in ("gw", "s1", "s2"):
        lab.docker("network", "disconnect", "bridge", name)
    made = shop(prune=True)
    for each in made["networks"]:
        each["recreate"] = "if_needed"
    made["networks"][1]["driver_options"] = {MTU: "1500"}
    wanted = {"taken away": {"name": "shop", "state": "absent"}, "made": made, "changed": changed()}
    goals: dict[str, Any] = {}
    for goal, topology in wanted.items():
        lab.module("topology", **topology)
        resting(lab, topology)
        goals[goal] = portrait(lab)
    kills = 0
    for one, other in (("changed", "made"), ("made", "taken away")):
        step, ended = lab.turn, set()
        while len(ended) < 2:
            # To and fro: each way is the other one's beginning.
            for goal in (other, one):
                if lab.module("topology", kill_after=step, **wanted[goal]):
                    ended.add(goal)
                else:
                    kills += 1
                    lab.module("topology", **wanted[goal])
                assert portrait(lab) == goals[goal], f"{goal}, after a kill at step {step}"
            step += 3
        lab.module("topology", **wanted[other])
    assert kills > 12


def test_state_file_that_is_no_state(lab: Resident) -> None:
    """What the collection did not write it does not guess at: an error that names the file, and nothing is touched."""
    lab.module("topology", **shop())
    path = f"{STATE}/shop.json"
    good, before = lab.run("cat", path), everything(lab)
    pruned = shop(prune=True, networks=shop()["networks"][1:], connections=[], routes=[])
    for garbage in (
        "",
        "no JSON",
        good[: len(good) // 2],
        "[]",
        "{}",
        "null",
        '{"declared": {}, "made": {"connections": [["s1"]], "routes": []}}',
        '{"declared": {}, "made": {"connections": [], "routes": [["s1", ["10.0.0.0/8"]]]}}',
        '{"declared": {}, "made": []}',
    ):
        lab.run("sh", "-c", f"cat > {path}", given=garbage)
        for given in (shop(), pruned, {"name": "shop", "state": "absent"}):
            refusal = str(lab.refusal("topology", **given))
            assert refusal == f"{path} is not what the collection wrote; restore it, or move it away to start afresh", (
                garbage
            )
        assert everything(lab) == before
        assert lab.run("cat", path) == garbage
    lab.run("sh", "-c", f"cat > {path}", given=good)
    resting(lab, shop())
