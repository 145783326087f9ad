# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper through a true reboot under Debian's own kernel: closed before the engine starts, and whole soon after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from lab_host import IMAGE, PATIENCE, Machine, comes_true

SHOP: dict[str, Any] = {
    "name": "shop",
    "networks": [
        {"name": each, "ipam_config": [{"subnet": f"10.7{n}.0.0/24"}]} for n, each in ((1, "front"), (2, "back"))
    ],
    "connections": [
        {"container": "gw", "exclusive": True, "networks": [{"name": "front"}, {"name": "back"}]},
        *(
            {"container": each, "exclusive": True, "networks": [{"name": network}]}
            for each, network in (("web", "front"), ("stranger", "front"), ("db", "front"), ("far", "back"))
        ),
    ],
    "routes": [
        {"container": "web", "routes": [{"destination": "10.72.0.0/24", "via": "gw"}]},
        {"container": "far", "routes": [{"destination": "10.71.0.0/24", "via": "gw"}]},
    ],
    "policy": {
        "allow": [
            {"from": "web", "to": "db", "ports": [8080]},
            {"from": "web", "to": "far", "ports": [8080]},
        ]
    },
    "rules": [{"action": "drop", "source": "db", "destination": "world"}],
}
# Asks all its neighbours from its first moment on, whatever addresses they have, and leaves word of whom it reaches.
STRANGER = """
import pathlib, socket
reached, rounds = pathlib.Path("/log/reached"), 0
while True:
    for last in range(2, 8):
        with socket.socket() as asks:
            asks.settimeout(0.02)
            if asks.connect_ex((f"10.71.0.{last}", 8080)) == 0:
                with reached.open("a") as log:
                    log.write(f"{rounds} {last}\\\\n")
    rounds += 1
    pathlib.Path("/log/rounds").write_text(str(rounds))
"""
REACHES = "import socket; print(socket.create_connection(({!r}, 8080), 5).getpeername())"


@pytest.fixture(scope="module")
def shop(machine: Machine) -> Iterator[Machine]:
    """shop with its keeper, its containers such as come back by themselves, with whatever addresses there are."""
    machine.play("keeper")
    again = ("--restart", "always")
    for each in ("web", "db", "far"):
        machine.start(each, *again, command=("echo-service",))
    machine.start("gw", *again, "--sysctl", "net.ipv4.ip_forward=1")
    machine.run("mkdir", "-p", "/srv/log")
    machine.docker("create", *again, "--name", "stranger", "-v", "/srv/log:/log", IMAGE, "python3", "-c", STRANGER)
    machine.module("topology", **SHOP)
    machine.docker("start", "stranger")
    yield machine
    # The keeper stays, with nothing to keep: to remove it takes such a machine a minute, and lab hosts show that.
    machine.docker("rm", "-f", "stranger")  # who writes there
    machine.run("rm", "-rf", "/srv/log")


def wait_until_whole(machine: Machine) -> dict[str, Any]:
    """The keeper's status, once all holds and nothing waits."""
    told: dict[str, Any] = {}

    def is_whole() -> bool:
        told.update(json.loads(machine.run("/usr/local/sbin/breakwater", "status", "--json", check=False)))
        shop = told["topologies"]["shop"]
        return told["running"] and shop["holds"] and not shop["pending"]

    assert comes_true(is_whole, PATIENCE), told
    return told


def address(machine: Machine, container: str, network: str) -> str:
    found: str = machine.inspect("container", container)["NetworkSettings"]["Networks"][network]["IPAddress"]
    return found


def check(machine: Machine) -> None:
    """What is allowed passes, through the gateway too; the stranger has asked many times, and reached nobody."""
    for name, network in (("db", "front"), ("far", "back")):
        asks = REACHES.format(address(machine, name, network))
        assert comes_true(lambda asks=asks: machine.inside("web", "python3", "-c", asks), PATIENCE), f"web to {name}"
    assert comes_true(lambda: int(machine.run("cat", "/srv/log/rounds")) > 3, PATIENCE)
    assert not machine.run("sh", "-c", "cat /srv/log/reached || true"), "the stranger has reached somebody"


def test_a_reboot(shop: Machine) -> None:
    wait_until_whole(shop)
    check(shop)
    shop.run("sh", "-c", "rm /srv/log/rounds")
    shop.reboot()
    told = wait_until_whole(shop)
    check(shop)
    assert told["topologies"]["shop"]["healed"][0]["why"] == "the engine answers"
    order = shop.run(
        "journalctl", "-b", "-o", "cat", "-u", "breakwater-restore", "-u", "docker", "-u", "breakwater-keeper"
    )
    restored = order.index("shop: set policy shop")
    assert restored < order.index("Starting docker.service") < order.index("the engine answers")
    assert not shop.module("topology", **SHOP)["changed"]
