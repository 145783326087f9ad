# SPDX-License-Identifier: GPL-3.0-or-later
"""A standing lab host as the tests use it: modules run on it, and independent looks at what they did."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import ansible.release

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "molecule" / "lab" / "lab.py"
THERE = "/opt/breakwater-test"
IMAGE = "breakwater/workload:latest"
ENGINES = ("bookworm", "trixie", "forky")

# A config-only network goes after those that took their configuration from it: hence the second round.
_WIPE = r"""
systemctl stop 'breakwater-*.timer' breakwater-keeper
for tunnel in /run/breakwater/tunnels/*.json; do
    name=$(basename "$tunnel" .json)
    systemctl stop "breakwater-$name"
    ip link delete dev "$name"
    python3 -c 'import json, sys; print(*json.load(open(sys.argv[1]))["wanted"]["routes"], sep="\n")' "$tunnel" |
        xargs -rL1 ip route delete
done
docker ps -aq | xargs -r docker rm -f
for round in 1 2; do docker network ls -q -f type=custom -f scope=local | xargs -r docker network rm; done
docker swarm leave --force
rm -rf /etc/breakwater /var/lib/breakwater /run/breakwater/blue-green-* /run/breakwater/tunnels
nft list tables | grep -E 'breakwater-|BWX-' | xargs -rL1 nft delete
for tool in iptables ip6tables; do
    $tool-save > /run/saved
    if grep -qE 'BREAKWATER|BW[RTX]?-' /run/saved; then
        ours='BREAKWATER|BW[RTX]?-|bw-made'
        if grep -q 'bw-made-the-[ct]' /run/saved; then ours="$ours|DOCKER-USER"; fi
        grep -vE "$ours" /run/saved | $tool-restore
    fi
done
ipset list -n | grep '^BW' | while read -r name; do ipset destroy "$name"; done
"""


class Failed(Exception):
    """A module ended with fail_json; ``result`` is what it said."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


@dataclass(frozen=True)
class LabHost:
    """One host of a fleet, by the name of its suite."""

    name: str
    container: str
    version: tuple[int, int]

    @property
    def turn(self) -> int:
        """0, 1 or 2: which third it takes of a table that the three engines share."""
        return ENGINES.index(self.name) if self.name in ENGINES else 0

    def command(self, *argv: str) -> list[str]:
        """The command that runs ``argv`` on the host, as root."""
        return ["docker", "exec", "-i", self.container, *argv]

    def run(self, *argv: str, given: bytes | str = b"", check: bool = True) -> str:
        """What a command prints on the host, as root."""
        data = given.encode() if isinstance(given, str) else given
        done = subprocess.run(self.command(*argv), input=data, capture_output=True, timeout=300, check=False)
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {' '.join(argv)}: {done.stderr.decode()}{done.stdout.decode()}")
        return done.stdout.decode()

    def docker(self, *argv: str, check: bool = True) -> str:
        """What the docker command prints there."""
        return self.run("docker", *argv, check=check).strip()

    def inspect(self, *what: str) -> dict[str, Any]:
        """The first object of ``docker [network] inspect``."""
        found: dict[str, Any] = json.loads(self.docker(*what[:-1], "inspect", what[-1]))[0]
        return found

    def inside(self, container: str, *argv: str, check: bool = True) -> str:
        """What a command of the host prints in a container's network namespace."""
        pid = self.docker("inspect", "-f", "{{.State.Pid}}", container)
        return self.run("nsenter", f"--net=/proc/{pid}/ns/net", *argv, check=check)

    def routes(self, container: str, family: int = 4) -> list[dict[str, Any]]:
        """A container's routes by ``ip -json``, without those of the kernel."""
        found = json.loads(self.inside(container, "ip", f"-{family}", "-json", "route", "show", "table", "all"))
        return [each for each in found if each.get("protocol") != "kernel" and each.get("table") != "local"]

    def start(self, name: str, *options: str, command: tuple[str, ...] = ("sleep", "infinity")) -> None:
        """Start a container of the workload image."""
        self.docker("run", "-d", "--init", "--name", name, *options, IMAGE, *command)

    def settle(self) -> None:
        """Wait until IPv6 works on its bridges: from the first container on, one asks whether its address is taken."""
        until = time.monotonic() + 10
        while self.run("ip", "-6", "addr", "show", "scope", "global", "tentative"):
            assert time.monotonic() < until, f"{self.name}: the bridges' IPv6 addresses stay tentative"
            time.sleep(0.1)

    def module(
        self,
        module: str,
        check: bool = False,
        kill_after: int | None = None,
        kill_at: tuple[str, str, str, int] | None = None,
        **args: Any,
    ) -> dict[str, Any]:
        """The result of a module; Failed where it failed, an empty one where it was killed."""
        order = {"module": module, "args": args, "check": check, "kill_after": kill_after, "kill_at": kill_at}
        code, stdout, stderr = self._carry_out(order)
        if (kill_after is not None or kill_at) and code in (137, -9):
            return {}
        try:
            result: dict[str, Any] = json.loads(stdout)
        except ValueError:
            raise AssertionError(f"{self.name}: {module} gave no JSON: {stdout}{stderr}") from None
        if result.get("failed"):
            assert "Traceback" not in json.dumps(result), result
            raise Failed(result)
        return result

    def _carry_out(self, order: dict[str, Any]) -> tuple[int, str, str]:
        """The exit status, output and errors of an order to the agent."""
        argv = self.command("env", f"PYTHONPATH={THERE}", "python3", f"{THERE}/agent.py")
        done = subprocess.run(argv, input=json.dumps(order).encode(), capture_output=True, timeout=300, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def play(self, role: str, *options: str, **variables: Any) -> int:
        """Run a role of the collection, its variables without their prefix; how many tasks have changed something."""
        roles = [{"role": f"breakwater.docker.{role}"}]
        play = {"hosts": self.name, "become": True, "gather_facts": False, "roles": roles}
        told = json.dumps({f"breakwater_{role}_{name}": value for name, value in variables.items()})
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"),
            **os.environ,
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as playbook:
            json.dump([play], playbook)
            playbook.flush()
            argv = ["ansible-playbook", f"--inventory={self.inventory}", "--extra-vars", told, *options, playbook.name]
            ran = subprocess.run(
                argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
            )
        assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr
        (counted,) = json.loads(ran.stdout)["stats"].values()
        return int(counted["changed"])

    @property
    def inventory(self) -> Path:
        """What Ansible reaches it by."""
        return ROOT / ".lab" / _fleet() / "inventory.yml"

    def wipe(self) -> None:
        """Back to an empty engine: nothing of a former test is left."""
        self.run("sh", "-c", _WIPE)

    def install(self) -> None:
        """Bring the collection, and what of Ansible its modules import, to the host."""
        stream = io.BytesIO()
        package = Path(ansible.release.__file__).parent
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for each in ("__init__.py", "release.py", "_vendor", "module_utils"):
                archive.add(package / each, f"ansible/{each}", filter=_source)
            for each in ("modules", "module_utils"):
                archive.add(
                    ROOT / "plugins" / each, f"ansible_collections/breakwater/docker/plugins/{each}", filter=_source
                )
            archive.add(Path(__file__).with_name("agent.py"), "agent.py")
        self.run("sh", "-c", f"rm -rf {THERE}; mkdir -p {THERE}; tar -x -C {THERE}", given=stream.getvalue())


def comes_true(holds: Callable[[], object], within: float) -> bool:
    """Whether something holds within some seconds; a look that fails is as one that finds it not so."""
    until = time.monotonic() + within
    while True:
        with suppress(AssertionError):
            if holds():
                return True
        if time.monotonic() > until:
            return False
        time.sleep(0.2)


def pings(host: LabHost, container: str, address: str, *options: str, wait: int = 1) -> bool:
    """Whether an echo comes back to a container within ``wait`` seconds."""
    ping = ("ping", "-n", "-c1", f"-W{wait}", *options, address)
    return "1 received" in host.inside(container, *ping, check=False)


PATIENCE = 120
"""The seconds in which an emulated machine, beside a busy test run, has done whatever it was to do."""


@dataclass(frozen=True)
class Machine(LabHost):
    """One of the lab's virtual machines, with a kernel of its own."""

    def command(self, *argv: str) -> list[str]:
        """The command that runs ``argv`` on the machine, as root."""
        return [sys.executable, str(LAB), "vm-exec", "--machine", self.name, "--", *argv]

    @property
    def inventory(self) -> Path:
        """What Ansible reaches it by."""
        return ROOT / ".lab" / "machine" / "inventory.yml"

    def reboot(self) -> None:
        """Shut down and boot: what is not on its disk is gone."""
        subprocess.run([sys.executable, str(LAB), "vm-reboot", "--machine", self.name], check=True)


def machine(name: str = "machine") -> Machine | None:
    """The virtual machine of this name, if it stands."""
    found = Machine(name, "", (0, 0))
    try:
        version = found.docker("version", "-f", "{{.Server.Version}}").split(".")
    except AssertionError:
        return None
    return replace(found, version=(int(version[0]), int(version[1])))


def _source(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name or member.name.endswith(".pyc") else member


def _fleet() -> str:
    return os.environ.get("BREAKWATER_FLEET", "test")


@cache
def fleet() -> list[LabHost]:
    """The standing hosts of the fleet that BREAKWATER_FLEET names (``test``), or the one of BREAKWATER_HOST."""
    name = _fleet()
    names = subprocess.run(
        ["docker", "ps", "--filter", f"label=breakwater.lab={name}", "--format", "{{.Names}}"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    hosts = []
    for each in sorted(names):
        if each.endswith("-outside"):
            continue
        version = subprocess.run(
            ["docker", "exec", each, "docker", "version", "-f", "{{.Server.Version}}"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split(".")
        hosts.append(LabHost(each.removeprefix(f"breakwater-{name}-"), each, (int(version[0]), int(version[1]))))
    alone = os.environ.get("BREAKWATER_HOST")
    return sorted((each for each in hosts if alone in (None, each.name)), key=lambda host: host.version)
