# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet that is joined: an app on each host's network, a stranger on one beside it, and who of them reaches whom."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import playbook
from lab_host import LabHost, fleet, pings
from playbook import Run

NETS = {"bookworm": "10.80.1", "trixie": "10.80.2", "forky": "10.80.3"}
NETS6 = {"bookworm": "fd80:0:0:1::", "trixie": "fd80:0:0:2::", "forky": "fd80:0:0:3::"}
RING = (("bookworm", "trixie"), ("trixie", "forky"), ("forky", "bookworm"))
POLICY = {
    "default": "deny",
    "allow": [
        {"from": {"network": "fleet"}, "to": {"network": "fleet"}},
        {"from": {"remote": "bookworm"}, "to": {"network": "fleet"}, "ports": ["8080/tcp", "9000/tcp", "icmp"]},
        {"from": {"remote": "trixie"}, "to": {"network": "fleet"}, "ports": ["8080/tcp", "9000/tcp", "icmp"]},
        {"from": {"remote": "forky"}, "to": {"network": "fleet"}, "ports": ["8080/tcp", "9000/tcp", "icmp"]},
        {"from": {"network": "fleet"}, "to": {"cidr": "10.80.0.0/16"}},
        {"from": {"network": "fleet"}, "to": {"cidr": "fd80::/48"}},
    ],
}
FETCH = "import urllib.request as u; print(u.urlopen('http://{}:8080/', timeout=5).read().decode())"


@dataclass(frozen=True)
class Joined:
    """The fleet as it stands, with an app on each host's network and another one on a network beside it."""

    hosts: dict[str, LabHost]
    inventory: Path
    foreseen: Run
    first: Run

    def play(self, *options: str, **variables: Any) -> Run:
        return playbook.play(str(self.inventory), "wireguard", *_told(variables), *options, keeper=True)

    def verbose(self, *options: str, **variables: Any) -> str:
        """All that such a run prints."""
        ran = playbook.run(str(self.inventory), "wireguard", *_told(variables), *options, keeper=True)
        return ran.stdout + ran.stderr

    def seen(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.hosts[name].module("tunnel_info")["seen"]
        return found


def _told(variables: Mapping[str, Any]) -> tuple[str, str]:
    return "--extra-vars", json.dumps({f"breakwater_wireguard_{key}": each for key, each in variables.items()})


def inventory(path: Path, **more: Any) -> Path:
    """The variables of the fleet, those of ``more`` hosts among them."""
    addresses = {each.name: json.loads(each.run("ip", "-j", "-4", "address", "show", "eth0"))[0] for each in fleet()}
    hosts = {
        name: {
            "breakwater_wireguard_endpoint": addresses[name]["addr_info"][0]["local"],
            "breakwater_wireguard_subnets": [f"{net}.0/24", f"{NETS6[name]}/64"],
            "breakwater_wireguard_names": {f"app-{name}": f"{net}.10"},
            **more.get(name, {}),
        }
        for name, net in NETS.items()
    }
    shared = {"breakwater_wireguard_policy": POLICY}
    path.write_text(json.dumps({"docker_hosts": {"hosts": hosts, "vars": shared}}), encoding="utf-8")
    return path


def start(host: LabHost) -> None:
    """The app of a host."""
    addresses = ("--ip", f"{NETS[host.name]}.10", "--ip6", f"{NETS6[host.name]}10")
    host.start("app", "--network", "fleet", *addresses, "--restart=always", command=("echo-service",))
    host.settle()


def connects(host: LabHost, container: str, address: str, port: int) -> bool:
    ask = f"import socket; socket.create_connection(({address!r}, {port}), 1)"
    try:
        host.inside(container, "python3", "-c", ask)
    except AssertionError:
        return False
    return True


def reaches(host: LabHost, container: str, other: str, size: int = 84) -> tuple[bool, bool]:
    """Whether packets of ``size`` bytes, which nobody may cut, go to another host's app and back, by IPv4 and IPv6."""
    four = pings(host, container, f"{NETS[other]}.10", "-M", "do", "-s", str(size - 28))
    return four, pings(host, container, f"{NETS6[other]}10", "-M", "do", "-s", str(size - 48))


def all_reach_all(joined: Joined, size: int = 84) -> None:
    for one, other in permutations(NETS, 2):
        assert reaches(joined.hosts[one], "app", other, size) == (True, True), f"{one} to {other}"


def no_stranger_passes(joined: Joined) -> None:
    """A network beside the fleet's own does not use its ways."""
    for one, other in RING:
        assert reaches(joined.hosts[one], "stranger", other) == (False, False), f"{one}'s stranger reaches {other}"


@contextmanager
def under_load(joined: Joined, *pairs: tuple[str, str]) -> Iterator[dict[tuple[str, str], float]]:
    """Pings and a stream between pairs meanwhile; how many seconds each was without an answer is known at the end."""
    load = Path(__file__).with_name("load").joinpath("stream.py").read_text()
    lost: dict[tuple[str, str], float] = {}
    running = {}
    for one, other in pairs:
        pid = joined.hosts[one].docker("inspect", "-f", "{{.State.Pid}}", "app")
        stream = ("nsenter", f"--net=/proc/{pid}/ns/net", "python3", "-c", load, f"{NETS[other]}.10")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        running[one, other] = subprocess.Popen(joined.hosts[one].command(*stream), text=True, **pipes)
    try:
        yield lost
    finally:
        told = {pair: each.communicate(timeout=60)[0] for pair, each in running.items()}
    for pair, each in told.items():
        assert running[pair].returncode == 0, each
        sent, received = map(int, re.findall(r"(\d+) packets transmitted, (\d+) received", each)[0])
        count, longest = each.partition("stream")[2].split()
        lost[pair] = (sent - received) * 0.05
        print(f"{pair[0]} to {pair[1]}: {sent - received} of {sent} pings lost; {count} echoes, {float(longest):.2f} s")


def address6(host: LabHost) -> str:
    """A host's own address of IPv6 on the lab's LAN."""
    shown = json.loads(host.run("ip", "-j", "-6", "address", "show", "eth0", "scope", "global"))
    return str(shown[0]["addr_info"][0]["local"])
