# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's playbooks as a user runs them, and what a run says of itself."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import Any

from lab_host import ROOT

FLEET = os.environ.get("BREAKWATER_FLEET", "test")


@dataclass(frozen=True)
class Run:
    """One run of a playbook: what each host reported as done, and its counters."""

    changed: dict[str, int]
    done: dict[str, list[str]] = field(default_factory=dict)


def run(
    inventory: str, playbook: str, *options: str, keeper: bool = False, lab: str = FLEET, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a playbook on a whole ``lab``, with what ``inventory`` declares; it must not fail.

    Without the keeper all that is done is done by the run; with it, the keeper may be quicker.
    """
    report = str(ROOT / ".lab" / lab / "report")
    keeps = json.dumps({"breakwater_topology_keeper": keeper, "breakwater_verify_report": report})
    inventories = [f"--inventory={each}" for each in (f".lab/{lab}/inventory.yml", inventory)]
    argv = ["ansible-playbook", *inventories, "--extra-vars", keeps, *options, f"playbooks/{playbook}.yml"]
    known = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"), **os.environ, **environment}
    ran = subprocess.run(argv, cwd=ROOT, env=known, capture_output=True, text=True, timeout=900, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr
    return ran


def play(inventory: str, playbook: str, *options: str, keeper: bool = False, lab: str = FLEET) -> Run:
    """What such a run has done."""
    callback = "ansible.posix.json"
    ran = run(inventory, playbook, *options, keeper=keeper, lab=lab, ANSIBLE_STDOUT_CALLBACK=callback)
    told = json.loads(ran.stdout)
    done: dict[str, list[str]] = {}
    for task in told["plays"][0]["tasks"]:
        for host, result in task["hosts"].items():
            done.setdefault(host, []).extend(_done(result))
    return Run({host: each["changed"] for host, each in told["stats"].items()}, done)


def _done(result: dict[str, Any]) -> list[str]:
    """The steps of a topology, and the containers that were started or removed."""
    steps = [json.dumps(step, sort_keys=True) for step in result.get("steps", ())]
    changed = [each["invocation"]["module_args"] for each in result.get("results", ()) if each.get("changed")]
    containers = [f"container {each['name']} {each['state']}" for each in changed if "image" in each]
    return steps + containers
