# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tunnel between two hosts costs their containers, beside plain routes between the same two in the same run.

WireGuard in user space runs between lab hosts, the kernel's between virtual machines. The figures are ratios, for what
is emulated is slow by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from .scene import IMAGE

ROOT = Path(__file__).resolve().parents[2]
_LAB = [sys.executable, str(ROOT / "molecule/lab/lab.py")]
_FLEET, _INDEX = "bench-pair", "10"
_NETS = ("10.80.1", "10.80.2")
_BACKENDS = ("direct", "wireguard")
_ROUNDS = 2

Host = Callable[..., list[str]]
"""The command that runs words on a host, as root."""


def measure(say: Callable[[str], None]) -> str:
    """The table: throughput, requests and echoes of each way as ratios to plain routes, the median of some rounds."""
    lines = [("between", "driver", "backend", "throughput", "requests", "echoes")]
    for between, standing in (("lab hosts", _lab_hosts), ("virtual machines", _machines)):
        with standing() as (inventory, names, hosts), tempfile.TemporaryDirectory() as folder:
            found: dict[str, list[dict[str, float]]] = {each: [] for each in _BACKENDS}
            driver = ""
            for round_ in range(_ROUNDS):
                for backend in _BACKENDS:
                    _join(inventory, names, backend, Path(folder, "fleet.json"))
                    if backend == "wireguard":
                        shown = subprocess.run(hosts[0]("ip", "-d", "link", "show", "fleet1"), stdout=subprocess.PIPE)
                        driver = "kernel" if b" wireguard " in shown.stdout else "wireguard-go"
                    if not round_ and backend == _BACKENDS[0]:
                        _start(hosts)
                    found[backend].append(_datapath(hosts))
                    say(f"{between}, {backend}: {found[backend][-1]}")
            for backend in _BACKENDS:
                ratios = (
                    median(now[key] / floor[key] for now, floor in zip(found[backend], found["direct"], strict=True))
                    for key in ("throughput", "requests", "echoes")
                )
                how = driver if backend == "wireguard" else "kernel"
                lines.append((between, how, backend, *(f"{each:.2f}" for each in ratios)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(each.rjust(width) for each, width in zip(line, widths, strict=True)) for line in lines)


def _join(inventory: str, names: tuple[str, str], backend: str, path: Path) -> None:
    variables = {
        name: {
            "breakwater_wireguard_endpoint": "{{ lab_address | default(ansible_host) }}",
            "breakwater_wireguard_subnets": [f"{net}.0/24"],
        }
        for name, net in zip(names, _NETS, strict=True)
    }
    # An emulated machine takes its time for a connection.
    shared = {"breakwater_wireguard_backend": backend, "breakwater_wireguard_confirm_within": 600}
    path.write_text(json.dumps({"docker_hosts": {"hosts": variables, "vars": shared}}))
    argv = ["ansible-playbook", "-i", inventory, "-i", str(path), "--limit", ",".join(names), "playbooks/wireguard.yml"]
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"), **os.environ}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout[-4000:] + done.stderr[-2000:])


def _start(hosts: tuple[Host, Host]) -> None:
    for host, net in zip(hosts, _NETS, strict=True):
        start = ("docker", "run", "-d", "--init", "--name", "app", "--network", "fleet", "--ip", f"{net}.10", IMAGE)
        subprocess.run(host(*start, "sleep", "infinity"), check=True, stdout=subprocess.DEVNULL)


def _datapath(hosts: tuple[Host, Host]) -> dict[str, float]:
    """From the first host's container to the second's: per second, bytes of a stream, requests, echoes."""
    script = Path(__file__).with_name("datapath.py").read_text()
    look = ("docker", "inspect", "--format", "{{.State.Pid}}", "app")
    pids = [subprocess.run(each(*look), check=True, stdout=subprocess.PIPE, text=True).stdout.strip() for each in hosts]
    orders = (hosts[1]("python3", "-", "-", pids[1], "-"), hosts[0]("python3", "-", pids[0], "-", f"{_NETS[1]}.10"))
    server, client = (
        subprocess.Popen(each, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for each in orders
    )
    for each in (server, client):
        if each.stdin:
            each.stdin.write(script)
            each.stdin.close()
            time.sleep(1)
    told = client.stdout.read() if client.stdout else ""
    server.wait(60)
    found: dict[str, float] = json.loads(told)
    return found


@contextmanager
def _lab_hosts() -> Iterator[tuple[str, tuple[str, str], tuple[Host, Host]]]:
    up = [*_LAB, "up", "--fleet", _FLEET, "--subnet-index", _INDEX, "trixie", "forky"]
    try:
        shown = subprocess.run(up, stdout=subprocess.PIPE, check=True, text=True).stdout
        names = ("trixie", "forky")
        first, second = ([*_LAB, "exec", "--fleet", _FLEET, each, "--"] for each in names)
        yield shown.split()[-1], names, (lambda *argv: [*first, *argv], lambda *argv: [*second, *argv])
    finally:
        subprocess.run([*_LAB, "down", "--fleet", _FLEET], check=True)


@contextmanager
def _machines() -> Iterator[tuple[str, tuple[str, str], tuple[Host, Host]]]:
    try:
        up = [*_LAB, "vm-up", "--machines", "2"]
        shown = subprocess.run(up, stdout=subprocess.PIPE, check=True, text=True).stdout
        names = ("machine", "machine2")
        first, second = ([*_LAB, "vm-exec", "--machine", each, "--"] for each in names)
        yield shown.split()[-1], names, (lambda *argv: [*first, *argv], lambda *argv: [*second, *argv])
    finally:
        subprocess.run([*_LAB, "vm-down"], check=True)
