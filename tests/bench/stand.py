# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab host that is measured on: brought up, furnished, and played on by the clock."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .scene import IMAGE, Scene, Task

ROOT = Path(__file__).resolve().parents[2]
_LAB = [sys.executable, str(ROOT / "molecule/lab/lab.py")]
_FLEET, _HOST = "bench", "forky"
_AT_ONCE = "4"
_CHANGED = re.compile(r"\bchanged=(\d+)")
_EMPTY = """
systemctl stop breakwater-keeper
docker ps -aq | xargs -r docker rm -f
docker network prune -f
rm -rf /etc/breakwater /var/lib/breakwater
for each in iptables ip6tables; do $each-save | grep -v -e BREAKWATER -e BW | $each-restore; $each -F DOCKER-USER; done
nft list tables inet | grep breakwater- | xargs -rL1 nft delete
"""


class PlayFailed(Exception):
    """A playbook that was to be measured ended in an error."""


@dataclass(frozen=True)
class Sample:
    """One process by the clock: ``cpu`` is what the controlling side computed, in seconds as well."""

    seconds: float
    cpu: float = 0.0
    changed: int = 0


@dataclass(frozen=True)
class Stand:
    """A standing lab host, and a folder for the playbooks that are played on it."""

    inventory: str
    folder: Path

    def play(self, tasks: Iterable[Task]) -> Sample:
        """Run ``tasks`` as a playbook of their own, from the start of its process to the end."""
        playbook = self.folder / "play.yml"
        play = {"hosts": _HOST, "gather_facts": False, "become": True, "tasks": list(tasks)}
        playbook.write_text(json.dumps([play]))
        before, start = _cpu(), time.perf_counter()
        done = subprocess.run(
            ["ansible-playbook", "-i", self.inventory, str(playbook)],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            capture_output=True,
            text=True,
        )
        seconds, cpu = time.perf_counter() - start, _cpu() - before
        if done.returncode:
            raise PlayFailed(done.stdout[-4000:] + done.stderr[-2000:])
        recap = _CHANGED.search(done.stdout.rpartition("PLAY RECAP")[2])
        return Sample(seconds, cpu, int(recap[1]) if recap else 0)

    def bare(self, networks: Iterable[Any] = (), connections: Iterable[Any] = ()) -> Sample:
        """The engine's own time for the same things: bare SDK calls on the host."""
        order = json.dumps({"networks": list(networks), "connections": list(connections)})
        return Sample(float(self.script("bare.py", order)))

    def script(self, name: str, *argv: str) -> Any:
        """What a script beside this file prints on the host, which is JSON."""
        return json.loads(self.run("python3", "-", *argv, given=Path(__file__).with_name(name).read_text()))

    def datapath(self, client: str, server: str, network: str) -> dict[str, float]:
        """Requests, echoes and bytes per second between two containers of a network."""
        look = ["docker", "inspect", "--format", "{{.State.Pid}}"]
        pids = [self.run(*look, each).strip() for each in (client, server)]
        where = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
        address = self.run("docker", "inspect", "--format", where, server).strip()
        found: dict[str, float] = self.script("datapath.py", *pids, address)
        return found

    def furnish(self, scene: Scene, networks: bool = False, on: str = "bridge") -> None:
        """An empty engine, then the scene's networks if they are wanted, and its containers, all on one network."""
        self.run("sh", "-c", _EMPTY)
        if networks:
            self.bare(networks=scene.declared_networks())
        if scene.containers:
            start = ["docker", "run", "-d", "--init", "--name", "{}", "--network", on, IMAGE, "sleep", "infinity"]
            self.run("xargs", "-P", _AT_ONCE, "-I{}", *start, given="\n".join(scene.names))

    def version(self) -> str:
        """The engine's version."""
        return self.run("docker", "version", "--format", "{{.Server.Version}}").strip()

    def run(self, *argv: str, given: str = "") -> str:
        """What a command prints on the host, as root."""
        return subprocess.run(
            [*_LAB, "exec", "--fleet", _FLEET, _HOST, "--", *argv],
            input=given,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout


@contextmanager
def standing(folder: Path, keep: bool) -> Iterator[Stand]:
    """The bench's own fleet of one host, for as long as it is measured on."""
    up = [*_LAB, "up", "--fleet", _FLEET, "--subnet-index", "9", _HOST]
    try:
        shown = subprocess.run(up, stdout=subprocess.PIPE, check=True, text=True).stdout
        yield Stand(shown.split()[-1], folder)
    finally:
        if not keep:
            subprocess.run([*_LAB, "down", "--fleet", _FLEET], check=True)


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
