# SPDX-License-Identifier: GPL-3.0-or-later
"""What befalls a Docker host, and what its keeper makes of it; probes run before, during and after each fault."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.scene import TOPOLOGY, Scene
from lab_host import LAB, ROOT, LabHost

FLEET = os.environ.get("BREAKWATER_FLEET", "test")
PLAYBOOK = Path(__file__).with_name("faults") / "keeper.yml"
METRICS = "/var/lib/prometheus/node-exporter"
HOME = "--ip 10.81.1.10 --ip6 fd00:81:1::a"
SEED = 4
TAKEN = 1.0
"""Seconds within which an address that another container has taken is closed to it."""
FLUSHED = 2.0
"""Seconds within which what a flush has opened is closed again."""


def role(host: LabHost, **variables: object) -> dict[str, int]:
    """Run the keeper's role on one host of the fleet; its counters."""
    told = json.dumps({f"breakwater_keeper_{name}": value for name, value in variables.items()})
    argv = [
        "ansible-playbook",
        f"--inventory=.lab/{FLEET}/inventory.yml",
        f"--limit={host.name}",
        "-e",
        told,
        str(PLAYBOOK),
    ]
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"),
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    ran = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr
    stats: dict[str, int] = json.loads(ran.stdout)["stats"][host.name]
    return stats


@pytest.fixture(scope="module")
def kept(host: LabHost) -> Iterator[LabHost]:
    """A host with the keeper on it, installed by its role; afterwards there is no trace of it."""
    host.run("mkdir", "-p", METRICS)
    role(host, interval=5)
    yield host
    role(host, state="absent")
    left = host.run(
        "sh",
        "-c",
        "find /etc /usr/local /run /var/lib/breakwater /var/lib/prometheus -iname '*breakwater*' -not -type d; true",
    )
    assert left == ""
    assert "breakwater" not in host.run("systemctl", "list-units", "--all", "--plain", "--no-legend")
    assert "sbin/breakwater" not in host.run("ps", "-eo", "args")
    host.run("rm", "-rf", METRICS)


@pytest.fixture
def scene(kept: LabHost) -> Iterator[Scene]:
    found = Scene(kept)
    try:
        found.build()
        yield found
    finally:
        found.leave()


def test_what_befalls_containers(scene: Scene) -> None:
    with scene.fault("containers restart"):
        scene.sh("docker restart -t 0 web & docker restart -t 0 app & docker restart -t 0 db gw & wait")
    with scene.fault("kill -9 of their processes"):
        scene.sh("kill -9 $(docker inspect -f '{{.State.Pid}}' gw db)")
    with scene.fault("recreated with another address"):
        scene.sh("docker rm -f web; " + scene.start("web", at=20))
    scene.sh(scene.start("thief", at=20, verb="create"))
    with scene.fault("a container starts with the address of one that went", window=TAKEN):
        scene.sh("docker rm -f web; docker start thief; sleep 1; docker rm -f thief; " + scene.start("web"))
    with scene.fault("a container is connected with the address of one that went", window=TAKEN):
        scene.sh(f"docker network disconnect front web; docker network connect {HOME} front mole; sleep 1")
        scene.sh(f"docker network disconnect front mole; docker network connect {HOME} front web")
    with scene.fault("disconnected by hand"):
        scene.sh("docker network disconnect front app; docker network disconnect back gw")
    with scene.fault("disconnected and connected by hand"):
        scene.sh("docker network disconnect front app; docker network connect front app || true")
    with scene.fault("renamed, and back"):
        scene.sh("docker rename db other")
        scene.until("nobody is called db", lambda: "app > db" not in tables(scene.host))
        scene.sh("docker rename other db")
    with scene.fault("ip route flush inside a container"):
        scene.host.inside("app", "ip", "route", "flush", "root", "10.81.2.0/24")
        scene.host.inside("db", "ip", "route", "flush", "table", "main")
    scene.is_whole()


def tables(host: LabHost) -> str:
    """What the policy allows from container to container, as `app > db`."""
    named = {"10.81.1.11 . 10.81.2.12": "app > db"}
    listed = host.run("nft", "list", "set", "inet", "breakwater-shop", "pairs4")
    return " ".join(name for each, name in named.items() if each in listed)


def test_what_befalls_the_packet_filter(scene: Scene) -> None:
    # Docker's own chains come back with Docker alone; until then nothing but what is ours stands between containers.
    scene.sh("iptables -P FORWARD ACCEPT; ip6tables -P FORWARD ACCEPT")
    with scene.fault("iptables -F and -X", ruled=FLUSHED):
        scene.sh("for tool in iptables ip6tables; do $tool -F; $tool -X; done")
    with scene.fault("firewalld reloads", ruled=FLUSHED):
        scene.sh(
            "for tool in iptables ip6tables; do for table in raw mangle nat filter; do"
            " $tool -t $table -F; $tool -t $table -X; done; done"
        )
    with scene.fault("nft flush ruleset", window=FLUSHED):
        scene.sh("nft flush ruleset")
    with scene.fault("nft flush ruleset, twice", window=2 * FLUSHED):
        scene.sh("nft flush ruleset; sleep 0.2; nft flush ruleset")
    with scene.fault("docker restarts on an empty packet filter", window=FLUSHED):
        scene.sh("nft flush ruleset; systemctl restart docker")
    scene.is_whole()


def test_what_befalls_the_engine(scene: Scene) -> None:
    with scene.fault("systemctl restart docker"):
        scene.sh("systemctl restart docker")
    with scene.fault("kill -9 of dockerd"):
        scene.sh(f"kill -9 $(systemctl show -p MainPID --value docker); sleep 0.5; {ANSWERS}")
    with live_restore(scene):
        with scene.fault("systemctl restart docker, with live-restore"):
            scene.sh("systemctl restart docker")
        with scene.fault("kill -9 of dockerd, with live-restore"):
            scene.sh(f"kill -9 $(systemctl show -p MainPID --value docker); sleep 0.5; {ANSWERS}")
    with scene.fault("the host reboots"):
        subprocess.run([sys.executable, str(LAB), "reboot", "--fleet", FLEET, scene.host.name], check=True, timeout=200)
    scene.is_whole()


ANSWERS = "for n in $(seq 300); do docker info >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1"


@contextmanager
def live_restore(scene: Scene) -> Iterator[None]:
    """The engine's containers outlive it, meanwhile."""
    path = "/etc/docker/daemon.json"
    former = scene.host.run("cat", path)
    wanted = json.dumps({**json.loads(former), "live-restore": True})
    for text in (wanted, former):
        scene.host.run("sh", "-c", f"cat > {path}; systemctl reload docker", given=text)
        state = json.dumps("live-restore" in text)
        scene.until(
            f"live-restore is {state}",
            lambda state=state: scene.host.docker("info", "-f", "{{.LiveRestoreEnabled}}") == state,
        )
        if text == wanted:
            try:
                yield
            except BaseException:
                scene.host.run("sh", "-c", f"cat > {path}; systemctl reload docker", given=former)
                raise


def test_what_befalls_the_keeper(scene: Scene) -> None:
    host, lot = scene.host, random.Random(SEED)
    with scene.fault("kill -9 of the keeper while it heals"):
        for _time in range(6):
            scene.sh(
                "docker restart -t 0 app >/dev/null & docker restart -t 0 db >/dev/null & wait;"
                f" sleep {lot.uniform(0, 0.3):.3f}; systemctl kill -s KILL breakwater-keeper"
            )
    said = host.run("sh", "-c", "breakwater keep 2>&1; echo $?")
    assert said.splitlines() == ["breakwater: a keeper runs on this host already", "2"]
    with scene.fault("a module runs at the same time"):
        for _time in range(4):
            scene.sh("docker restart -t 0 app")
            assert not host.module("topology", **TOPOLOGY)["pending"]
    assert "failed" not in host.run("journalctl", "-u", "breakwater-keeper", "-o", "cat")
    scene.is_whole()
