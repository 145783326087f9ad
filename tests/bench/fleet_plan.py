# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan of a large fleet costs the controller: simulated hosts, of which every fact is known already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".build"))

from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet_plan.end import end
from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet_plan.fleet import plan

ROOT = Path(__file__).resolve().parents[2]
SIZES = (1000, 2000)
LAYOUTS = ("hub", "sites", "mesh")
_SITE, _HUBS = 20, 2
_SEEN = "breakwater_wireguard_seen"
_POOL = "10.64.0.0/10"
_DEFAULT_POOLS = [*(f"172.{n}.0.0/16" for n in range(17, 32)), *(f"192.168.{n}.0/20" for n in range(0, 256, 16))]
_FILTER = "breakwater.docker.wireguard_fleet(groups['all'], settings)"
_END = "breakwater.docker.wireguard_end(inventory_hostname)"
_PLANNING = [
    {"ansible.builtin.set_fact": {"bench_fleet": f"{{{{ hostvars | {_FILTER} }}}}"}, "run_once": True},
    {"ansible.builtin.set_fact": {"bench_end": f"{{{{ (bench_fleet | {_END}).tunnels | length }}}}"}},
]
_IDLE = [
    {"ansible.builtin.set_fact": {"bench_fleet": "x"}, "run_once": True},
    {"ansible.builtin.set_fact": {"bench_end": "x"}},
]
"""The same tasks with nothing in them: what any two tasks cost."""


def measure(say: Callable[[str], None]) -> str:
    """The table: seconds of each part by layout and size, and how they grow with the fleet."""
    lines = [("layout", "hosts", "plan", "all ends", "in a play", "same play, empty")]
    for layout in LAYOUTS:
        found = []
        for size in SIZES:
            say(f"{layout}, {size} hosts")
            found.append(_measured(layout, size))
            lines.append((layout, str(size), *(f"{each:.1f}" for each in found[-1])))
            say("  ".join(lines[-1]))
        ratios = [later / earlier for earlier, later in zip(found[0], found[-1], strict=True)]
        lines.append((layout, "ratio", *(f"{each:.2f}" for each in ratios)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(each.rjust(width) for each, width in zip(line, widths, strict=True)) for line in lines)


def _measured(layout: str, size: int) -> tuple[float, float, float, float]:
    """Seconds of the plan and of all ends in pure Python; of a play that does both, and of one that does nothing."""
    settings = {"layout": layout, "pool": _POOL}
    hostvars = simulated(layout, size)
    start = time.perf_counter()
    found = plan(hostvars, hostvars, settings)
    planned = time.perf_counter() - start
    start = time.perf_counter()
    for name in hostvars:
        end(found, name)
    cut = time.perf_counter() - start
    return planned, cut, _play(hostvars, settings, _PLANNING), _play(hostvars, settings, _IDLE)


def simulated(layout: str, size: int) -> dict[str, dict[str, Any]]:
    """The variables of hosts that have been in the fleet for long; of a mesh, of hosts that are new to it.

    Each host of a mesh remembers all others, so that its facts alone grow with the square of the fleet.
    """
    hosts = {f"host{n:05}": _variables(n) for n in range(size)}
    if layout != "mesh":
        found = plan(hosts, hosts, {"layout": layout, "pool": _POOL})
        for name, variables in hosts.items():
            its_end = end(found, name)
            seen = variables[_SEEN]
            seen["tunnels"] = its_end["tunnels"]
            network = its_end["networks"][0]
            subnets = [each["subnet"] for each in network["ipam_config"]]
            seen["networks"].append({**network, "subnets": subnets})
            seen["handshakes"] = {
                each["name"]: {one["name"]: 60 for one in each["peers"]} for each in its_end["tunnels"]
            }
    return hosts


def _variables(number: int) -> dict[str, Any]:
    address = f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}"
    key = b64encode(sha256(str(number).encode()).digest()).decode()
    seen = {
        "engine": "28.5.2",
        "public_keys": {"fleet-1": key},
        "path_mtu": 1500,
        "networks": [
            {"name": name, "subnets": [subnet], "driver_options": {}}
            for name, subnet in (
                ("bridge", "172.17.0.0/16"),
                ("shop_default", "172.18.0.0/16"),
                ("db", "172.19.0.0/16"),
            )
        ],
        "prefixes": [
            {"subnet": f"{address}/32", "interface": "eth0", "what": "an address"},
            {"subnet": "172.17.0.0/16", "interface": "docker0", "what": "a route"},
            {"subnet": f"100.64.{number % 256}.0/24", "interface": "eth1", "what": "a route"},
            {"subnet": "169.254.169.254/32", "interface": "eth0", "what": "a route"},
        ],
        "pools": _DEFAULT_POOLS,
        "tunnels": [],
        "handshakes": {},
    }
    return {
        "ansible_host": address,
        "breakwater_wireguard_hub": number < _HUBS,
        "breakwater_wireguard_site": f"site{number // _SITE}",
        "breakwater_wireguard_nat": False,
        _SEEN: seen,
    }


def _play(hostvars: dict[str, Any], settings: dict[str, Any], tasks: list[dict[str, Any]]) -> float:
    """Seconds of a whole ansible-playbook process over all hosts."""
    with tempfile.TemporaryDirectory() as folder:
        inventory, playbook = Path(folder, "inventory.json"), Path(folder, "play.yml")
        shared = {"ansible_connection": "local", "settings": settings}
        # The fact as text, which is how a play is quick with it.
        hosts = {name: {**each, _SEEN: json.dumps(each[_SEEN])} for name, each in hostvars.items()}
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": shared}}))
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        start = time.perf_counter()
        done = subprocess.run(
            ["ansible-playbook", "-i", str(inventory), str(playbook)],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return time.perf_counter() - start
