# SPDX-License-Identifier: GPL-3.0-or-later
"""What the source documents do by the docker command, the modules do to the same ``docker inspect``."""

from __future__ import annotations

import json
import re
import time
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from lab_host import IMAGE
from resident import Resident
from seeds import SCENES, VXLAN, Scene

DRAWN = ("Id", "Created", "EndpointID", "NetworkID", "MacAddress")
"""What an engine draws anew each time; a swarm draws the overlay's ID, too, where none is declared."""


_ADDRESS = re.compile(r"(\d+\.\d+\.\d+\.\d+)(/\d+)?")


def without_drawn(found: Any) -> Any:
    """What ``docker inspect`` says, without what is drawn; containers by name."""
    if isinstance(found, list):
        return [without_drawn(each) for each in found]
    if not isinstance(found, dict):
        return found
    if found.get("Containers"):
        found = {**found, "Containers": {each["Name"]: each for each in found["Containers"].values()}}
    return {key: without_drawn(value) for key, value in found.items() if key not in DRAWN}


def placed(found: Any, subnet: str) -> Any:
    """``found`` with each address of ``subnet``, which an engine took because it was free, told by its place."""
    pool = ip_network(subnet)

    def place(match: re.Match[str]) -> str:
        inside = ip_address(match[1]) in pool
        return f"drawn+{int(ip_address(match[1])) - int(pool[0])}" if inside else match[0]

    if isinstance(found, dict):
        told = {key: placed(value, subnet) for key, value in found.items()}
        return {**told, "IPPrefixLen": "drawn"} if found.get("IPPrefixLen") == pool.prefixlen else told
    if isinstance(found, list):
        return [placed(each, subnet) for each in found]
    return _ADDRESS.sub(place, found) if isinstance(found, str) else found


def picture(lab: Resident, scene: Scene) -> dict[str, Any]:
    """All that the engine tells of the networks and endpoints of a scene."""
    found: dict[str, Any] = {}
    drawn: dict[str, str] = {"bridge": lab.inspect("network", "bridge")["IPAM"]["Config"][0]["Subnet"]}
    declared = {each.declared["name"]: each.declared for each in scene.creates}
    for name in (*scene.needs, *declared):
        told = without_drawn(allocated(lab, name))
        options = declared.get(name, {})
        if VXLAN not in options.get("driver_options", {}):
            (told["Options"] or {}).pop(VXLAN, None)
        if "ipam_config" not in options and told["IPAM"]["Config"]:
            drawn[name] = told["IPAM"]["Config"][0]["Subnet"]
            told = placed(told, drawn[name])
        found[f"network {name}"] = told
    for name, _first in scene.runs:
        raw = lab.inspect(name)
        endpoints = json.dumps(without_drawn(raw["NetworkSettings"]["Networks"])).replace(raw["Id"][:12], "<short ID>")
        for network, each in json.loads(endpoints).items():
            found[f"{name} on {network}"] = placed(each, drawn[network]) if network in drawn else each
    return found


def allocated(lab: Resident, name: str) -> dict[str, Any]:
    """The network, once a swarm has given it its driver: a moment after the command's end."""
    until = time.monotonic() + 10
    while not (found := lab.inspect("network", name))["Driver"]:
        assert time.monotonic() < until, f"{name} was never allocated"
    return found


def play(lab: Resident, scene: Scene, declared: bool) -> dict[str, Any]:
    """Carry out a scene by commands or by modules; the picture that it leaves, and a clean host."""
    # What has a subnet of its own comes first: an engine would draw it for another one.
    for create in sorted(scene.creates, key=lambda each: "ipam_config" not in each.declared):
        if declared:
            assert lab.module("network", **create.declared)["changed"], create
        else:
            lab.docker("network", "create", *create.words.split())
    for need in scene.needs:
        lab.docker("network", "create", need)
    for name, first in scene.runs:
        lab.docker("run", "-d", "--name", name, "--network", first, IMAGE, "sleep", "infinity")
    for connect in scene.connects:
        if declared:
            assert lab.module("connection", **connect.declared)["changed"], connect
        else:
            lab.docker("network", "connect", *connect.words.split())
    found = picture(lab, scene)
    if declared:
        for create in scene.creates:
            assert not lab.module("network", **create.declared)["changed"], create
        for connect in scene.connects:
            assert not lab.module("connection", **connect.declared)["changed"], connect
    if scene.runs:
        lab.docker("rm", "-f", *(name for name, _first in scene.runs))
    lab.docker("network", "rm", *scene.needs, *(each.declared["name"] for each in scene.creates))
    return found


@pytest.mark.parametrize("swarm", [False, True], ids=["alone", "in a swarm"])
def test_same_as_the_command(lab: Resident, swarm: bool) -> None:
    if swarm:
        lab.swarm()
    differing = {}
    for scene in (each for each in SCENES if each.swarm == swarm):
        by_command = play(lab, scene, declared=False)
        by_module = play(lab, scene, declared=True)
        for what, told in by_command.items():
            if by_module[what] != told:
                differing[f"{scene.title}: {what}"] = {"by command": told, "by module": by_module[what]}
    assert not differing, json.dumps(differing, indent=2)
