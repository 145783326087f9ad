# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a lab host with a keeper: how soon after the start event a container's route and policy are back.

``latency.py NAME DESTINATION RESTARTS SECONDS``: restarts the container and asks the kernel, not the keeper, every few
milliseconds; then leaves the keeper alone for so long. Prints JSON: ``latencies`` in milliseconds, ``idle_cpu`` in
seconds per hour, ``resident`` in MB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import docker

_EVERY = 0.003
_PATIENCE = 20.0


def main() -> None:
    """Measure, and print."""
    name, destination, restarts, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    api = docker.APIClient()
    events = api.events(decode=True, filters={"type": "container", "event": "start", "container": name})
    latencies = []
    for _restart in range(restarts):
        api.restart(name, timeout=0)
        started = next(events)["timeNano"] / 1e9
        found = api.inspect_container(name)
        (endpoint,) = found["NetworkSettings"]["Networks"].values()
        until = time.time() + _PATIENCE
        while not is_whole(found["State"]["Pid"], endpoint["IPAddress"], destination):
            if time.time() > until:
                raise SystemExit(f"{name} is not as declared after {_PATIENCE} s")
            time.sleep(_EVERY)
        latencies.append(round((time.time() - started) * 1000, 1))
    time.sleep(2)
    pid = subprocess.run(
        ["systemctl", "show", "-P", "MainPID", "breakwater-keeper"], capture_output=True, text=True, check=True
    ).stdout.strip()
    before = cpu(pid)
    time.sleep(seconds)
    idle = (cpu(pid) - before) / seconds * 3600
    print(json.dumps({"latencies": latencies, "idle_cpu": round(idle, 1), "resident": round(resident(pid), 1)}))


def is_whole(pid: int, address: str, destination: str) -> bool:
    """Whether the route is in the namespace, and the address in the policy's sets."""
    routes: list[dict[str, Any]] = json.loads(
        subprocess.run(
            ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-json", "route"], capture_output=True, text=True, check=True
        ).stdout
        or "[]"
    )
    if not any(each["dst"] == destination for each in routes):
        return False
    listed = subprocess.run(
        ["nft", "list", "set", "inet", "breakwater-bench", "pairs4"], capture_output=True, text=True, check=True
    ).stdout
    return f" {address} ." in listed


def cpu(pid: str) -> float:
    """The seconds that a process and what it has waited for have computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(each) for each in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def resident(pid: str) -> float:
    """The resident memory of a process in MB."""
    (line,) = (each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


main()
