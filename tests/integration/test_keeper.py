# SPDX-License-Identifier: GPL-3.0-or-later
"""What befalls a Docker host, and what its keeper makes of it; probes run before, during and after each fault."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest
from faults.scene import TOPOLOGY, Scene
from lab_host import IMAGE, LAB, ROOT, Failed, LabHost

FLEET = os.environ.get("BREAKWATER_FLEET", "test")
METRICS = "/var/lib/prometheus/node-exporter"
HOME = "--ip 10.81.1.10 --ip6 fd00:81:1::a"
SEED = 4
CROWD = 40
EVERY = 5
"""Seconds between two looks of the keeper that nothing has called for."""
TOLD = 4.0
"""Seconds within which what a fault has opened is closed again, on however busy a machine: it was told, and looked."""


@pytest.fixture(scope="module")
def kept(host: LabHost) -> Iterator[LabHost]:
    """A host with the keeper on it, installed by its role; afterwards there is no trace of it."""
    host.run("mkdir", "-p", METRICS)
    host.play("keeper", interval=EVERY)
    yield host
    host.play("keeper", state="absent")
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
    with scene.fault("a container starts with the address of one that went", window=TOLD):
        scene.sh(f"docker rm -f web; docker start thief; sleep {EVERY}; docker rm -f thief; " + scene.start("web"))
    with scene.fault("a container is connected with the address of one that went", window=TOLD):
        scene.sh(f"docker network disconnect front web; docker network connect {HOME} front mole; sleep {EVERY}")
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
        # Not its own subnet's: what the kernel made of the address, nobody has declared.
        scene.host.inside("db", "ip", "route", "flush", "scope", "global")
    scene.sh(
        f"seq {CROWD} | xargs -P 8 -I@ docker run -d --restart=always --stop-signal=KILL --name=crowd-@ --network=front"
        f" --label=tier=crowd {IMAGE} sleep infinity >/dev/null"
    )
    with scene.fault("a container makes its hosts file its own"):
        own = "chown 7 /etc/hosts; chmod 0 /etc/hosts; echo 127.0.0.1 localhost > /etc/hosts"
        scene.sh(f"nsenter -m -t $(docker inspect -f '{{{{.State.Pid}}}}' db) sh -c '{own}'")
    with scene.fault(f"{CROWD} containers restart at once"):
        scene.sh("docker ps -q -f label=tier=crowd | xargs -P 20 -n 3 docker restart -t 0 >/dev/null")
        # The engine's own restarts by policy may come between, and leave one of them down.
        scene.sh("docker ps -aq -f label=tier=crowd | xargs -P 20 -n 3 docker start >/dev/null")
    scene.is_whole()
    where = "docker inspect -f '{{.NetworkSettings.Networks.front.IPAddress}}' $(docker ps -q -f label=tier=crowd)"

    def unknown() -> list[str]:
        crowd = scene.sh(where).split()
        if len(crowd) < CROWD:
            return [f"{CROWD - len(crowd)} are between two lives"]
        allowed = scene.host.run("nft", "list", "set", "inet", "breakwater-shop", "pairs4")
        return [each for each in crowd if not re.search(rf"\b{re.escape(each)} \. 10\.81\.1\.11 ", allowed)]

    # The engine lets whom it starts by policy wait, up to a minute.
    scene.until("each of the crowd is allowed", lambda: unknown() == [], seconds=90)
    scene.sh("docker ps -q -f label=tier=crowd | xargs -P 20 -n 3 docker rm -f >/dev/null")


def tables(host: LabHost) -> str:
    """What the policy allows from container to container, as `app > db`."""
    named = {"10.81.1.11 . 10.81.2.12": "app > db"}
    listed = host.run("nft", "list", "set", "inet", "breakwater-shop", "pairs4")
    return " ".join(name for each, name in named.items() if each in listed)


def test_what_befalls_the_packet_filter(scene: Scene) -> None:
    # Docker's own chains come back with Docker alone; until then nothing but what is ours stands between containers.
    scene.sh("iptables -P FORWARD ACCEPT; ip6tables -P FORWARD ACCEPT")
    with scene.fault("iptables -F and -X", ruled=TOLD):
        scene.sh("for tool in iptables ip6tables; do $tool -F; $tool -X; done")
    with scene.fault("firewalld reloads", ruled=TOLD):
        scene.sh(
            "for tool in iptables ip6tables; do for table in raw mangle nat filter; do"
            " $tool -t $table -F; $tool -t $table -X; done; done"
        )
    with scene.fault("nft flush ruleset", window=TOLD):
        scene.sh("nft flush ruleset")
    with scene.fault("nft flush ruleset, twice", window=TOLD):
        scene.sh("nft flush ruleset; sleep 0.2; nft flush ruleset")
    with scene.fault("docker restarts on an empty packet filter", window=TOLD):
        scene.sh("nft flush ruleset; systemctl restart docker")
    scene.is_whole()


def test_what_befalls_the_engine(scene: Scene) -> None:
    with scene.fault("systemctl restart docker"):
        scene.sh("systemctl reset-failed docker; systemctl restart docker")
    with scene.fault("kill -9 of dockerd"):
        scene.sh(KILLED)
    with live_restore(scene):
        # An engine that starts puts its chains in order, ours by DOCKER-USER among them, under running containers.
        with scene.fault("systemctl restart docker, with live-restore", ruled=TOLD):
            scene.sh("systemctl reset-failed docker; systemctl restart docker")
        with scene.fault("kill -9 of dockerd, with live-restore", ruled=TOLD):
            scene.sh(KILLED)
    with scene.fault("the host reboots"):
        subprocess.run([sys.executable, str(LAB), "reboot", "--fleet", FLEET, scene.host.name], check=True, timeout=200)
    scene.is_whole()


# systemd starts it anew, though not for ever.
KILLED = """
systemctl reset-failed docker; kill -9 $(systemctl show -p MainPID --value docker); sleep 0.5
for n in $(seq 300); do docker info >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1
"""


@contextmanager
def live_restore(scene: Scene) -> Iterator[None]:
    """The engine's containers outlive it, meanwhile."""
    path = "/etc/docker/daemon.json"
    former = scene.host.run("cat", path)

    def turn(on: bool) -> None:
        given = json.dumps({**json.loads(former), "live-restore": on})
        scene.host.run("sh", "-c", f"cat > {path}; systemctl reload docker", given=given)
        now = json.dumps(on)
        scene.until(f"live-restore is {now}", lambda: scene.host.docker("info", "-f", "{{.LiveRestoreEnabled}}") == now)

    turn(True)
    try:
        yield
    finally:
        turn(False)
        scene.host.run("sh", "-c", f"cat > {path}", given=former)


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
    with scene.fault("a keeper that only reports, and then one that heals"):
        scene.sh("systemctl stop breakwater-keeper")
        scene.sh("systemd-run -q --unit=reporter breakwater keep --mode report --every 1")
        host.inside("app", "ip", "route", "del", "10.81.2.0/24")
        scene.until(
            "a route is told to be gone", lambda: "not as declared: add route 10.81.2.0/24 in app" in scene.status()
        )
        assert "shop: DOES NOT HOLD" in scene.status() and not scene.is_well()
        assert "10.81.2.0/24" not in host.inside("app", "ip", "route"), "who only reports has healed"
        scene.sh("systemctl stop reporter; systemctl start breakwater-keeper")
    told_as_declared(scene)
    scene.is_whole()


def told_as_declared(scene: Scene) -> None:
    """What an operator sees: the status, the metrics, the journal."""
    lines = scene.status().splitlines()
    assert lines[0].startswith("keeper: heals, looks after each event and every 5 s, since 20"), lines
    assert lines[1] == "engine: answers" and "shop: holds" in lines
    assert "  declared: 2 networks, 3 connections, 2 routes, 1 rules, 1 hosts files, a policy" in lines
    assert any(re.fullmatch(r"  healed: 20\S+ \S+ add route 10.81.2.0/24 in app \(.+\)", each) for each in lines), lines
    exposition = scene.host.run("cat", f"{METRICS}/breakwater.prom").splitlines()
    values = {}
    for line in exposition:
        if not line.startswith("# "):
            key, _, value = line.rpartition(" ")
            values[key] = float(value)
    assert values["breakwater_up"] == values['breakwater_holds{topology="shop"}'] == 1
    assert values['breakwater_healed_total{topology="shop"}'] >= 1
    assert time.time() - values['breakwater_last_look_timestamp_seconds{topology="shop"}'] < 60
    typed = {line.split()[2] for line in exposition if line.startswith("# TYPE ")}
    assert {key.partition("{")[0] for key in values} == typed
    assert scene.host.run("stat", "-c", "%a", f"{METRICS}/breakwater.prom").strip() == "644"
    journal = scene.host.run("journalctl", "-u", "breakwater-keeper", "-o", "cat", "--since", "-5min")
    assert "Traceback" not in journal
    assert "shop: healed, add route 10.81.2.0/24 in app (" in journal


STATE = "/etc/breakwater/shop.json"
COPY = "/var/lib/breakwater/topologies/shop.json"
REFUSED = f"{STATE} is not what the collection wrote; restore it, or move it away to start afresh"


def test_what_befalls_its_state(scene: Scene) -> None:
    host = scene.host
    for garble in (
        f"truncate -s 100 {STATE}",
        f"head -c 300 /dev/urandom > {STATE}; systemctl restart breakwater-keeper",
    ):
        with scene.fault("its state is garbled", well=False):
            scene.sh(f"{garble}; docker restart -t 0 app")
        scene.until("it says so", lambda: f"DOES NOT HOLD: {REFUSED}; until then {COPY}" in scene.status())
        assert not scene.is_well()
        with pytest.raises(Failed, match=REFUSED):
            host.module("topology", **TOPOLOGY)
        assert host.run("cat", COPY) != host.run("sh", "-c", f"base64 {STATE}")
        assert REFUSED in host.run(
            "journalctl", "-u", "breakwater-keeper", "-o", "cat", "-p", "err", "--since", "-1min"
        )
        with scene.fault("its state is given back"):
            scene.sh(f"cp {COPY} {STATE}")
    for folder in ("/var/lib/breakwater", "/etc/breakwater"):
        with full(scene, folder):
            with scene.fault(f"{folder} is full"):
                scene.sh(
                    "systemctl start breakwater-keeper; docker restart -t 0 app; docker network disconnect back gw"
                )
            with pytest.raises(Failed, match="could not be written: No space left on device"):
                host.module("topology", **{**TOPOLOGY, "rules": []})
        with scene.fault(f"{folder} has room again"):
            scene.sh("systemctl start breakwater-keeper; docker restart -t 0 app")
    scene.is_whole()


@contextmanager
def full(scene: Scene, folder: str) -> Iterator[None]:
    """A disk of its own in the place of a folder, and no room on it; the keeper is stopped around it."""
    scene.sh(
        f"systemctl stop breakwater-keeper; cp -a {folder} /run/former;"
        f" mount -t tmpfs -o size=64k,mode=700 full {folder}; cp -a /run/former/. {folder}/; rm -rf /run/former;"
        f" dd if=/dev/zero of={folder}/.filler bs=1k 2>/dev/null || true"
    )
    try:
        yield
    finally:
        scene.sh(f"systemctl stop breakwater-keeper; umount {folder}")


def test_the_program_is_the_collection(kept: LabHost) -> None:
    archive = ZipFile(io.BytesIO(base64.b64decode(kept.run("base64", "/usr/local/sbin/breakwater"))))
    packages = ROOT / "plugins" / "module_utils"
    here = {str(Path("breakwater") / each.relative_to(packages)): each for each in packages.rglob("*.py")}
    there = set(archive.namelist()) - {"__main__.py", "breakwater/__init__.py"}
    # A module brings what it imports; the rest of the packages is other modules'.
    assert {"breakwater/_keeper/command.py", "breakwater/_loop.py"} <= there <= here.keys() - {"breakwater/_run.py"}
    assert [name for name in sorted(there) if archive.read(name) != here[name].read_bytes()] == []
    assert kept.run("stat", "-c", "%U %G %a", "/usr/local/sbin/breakwater").split() == ["root", "root", "755"]
