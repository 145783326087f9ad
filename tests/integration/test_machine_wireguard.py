# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's own WireGuard between two machines with Debian's own kernel, through a true reboot of both."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import Any

import lab_host
import playbook
import pytest
from lab_host import PATIENCE, Machine, comes_true
from lab_host import machine as standing

NETS = {"machine": "10.80.1", "machine2": "10.80.2"}
pings = partial(lab_host.pings, wait=3)
OTHER = {"machine": "machine2", "machine2": "machine"}


@pytest.fixture(scope="module")
def pair(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Machine]:
    second = standing("machine2")
    if second is None:
        pytest.exit("the second virtual machine does not stand: python3 molecule/lab/lab.py vm-up --machines 2", 2)
    machines = {"machine": machine, "machine2": second}
    second.install()
    second.wipe()
    path = tmp_path_factory.mktemp("pair") / "pair.json"
    patience = {"breakwater_wireguard_confirm_within": 600}  # an emulated machine takes a minute for a connection
    fleet = {"hosts": {name: of(name) for name in NETS}, "vars": patience}
    path.write_text(json.dumps({"docker_hosts": fleet}), encoding="utf-8")
    play = partial(playbook.play, str(path), "wireguard", keeper=True, lab="machine")
    assert all(play().changed.values())
    for name, each in machines.items():
        each.start(
            "app", "--network", "fleet", "--ip", f"{NETS[name]}.10", "--restart=always", command=("echo-service",)
        )
        each.docker("network", "create", "beside")
        each.start("stranger", "--network", "beside", "--restart=always")
    return machines


def of(name: str) -> dict[str, Any]:
    return {
        "breakwater_wireguard_endpoint": "{{ lab_address }}",
        "breakwater_wireguard_subnets": [f"{NETS[name]}.0/24"],
    }


def reaches_other(one: Machine, *options: str) -> bool:
    return comes_true(lambda: pings(one, "app", f"{NETS[OTHER[one.name]]}.10", *options), PATIENCE)


def test_the_kernel_carries_it(pair: dict[str, Machine]) -> None:
    for name, each in pair.items():
        assert reaches_other(each, "-s", "1392", "-M", "do")
        assert not pings(each, "stranger", f"{NETS[OTHER[name]]}.10")
        (link,) = json.loads(each.run("ip", "-j", "-d", "link", "show", "dev", "fleet1"))
        assert link["linkinfo"]["info_kind"] == "wireguard" and link["mtu"] == 1420
        assert OTHER[name] in each.module("tunnel_info")["seen"]["handshakes"]["fleet1"]


def test_both_reboot(pair: dict[str, Machine]) -> None:
    reboots = [threading.Thread(target=each.reboot) for each in pair.values()]
    for each in reboots:
        each.start()
    for each in reboots:
        each.join()
    for name, machine in pair.items():
        assert reaches_other(machine)
        assert not pings(machine, "stranger", f"{NETS[OTHER[name]]}.10")
        order = machine.run("journalctl", "-b", "-o", "cat", "-u", "breakwater-restore", "-u", "docker")
        assert order.index("create tunnel fleet1") < order.index("Starting docker.service")
