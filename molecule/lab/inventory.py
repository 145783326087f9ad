"""The Ansible inventory of a fleet: what a playbook needs to reach its nodes, and to test them."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import machine
from access import KEY, SSH_OPTIONS, STATE, USER
from node import OUTSIDE_ADDRESSES, Node

_LOGIN: Mapping[str, Any] = {
    "ansible_user": USER,
    "ansible_ssh_private_key_file": str(KEY),
    "ansible_ssh_common_args": shlex.join(SSH_OPTIONS),
    "ansible_python_interpreter": "/usr/bin/python3",
}


def write(nodes: list[Node]) -> Path:
    """Write the inventory of a fleet's nodes, if it changed, and return its path."""
    return _written(nodes[0].lan.fleet, _inventory(nodes))


def write_machines(machines: list[machine.Machine]) -> Path:
    """Write the inventory of the virtual machines and return its path."""
    login = {**_LOGIN, "ansible_ssh_timeout": machine.CONNECT_SECONDS}
    hosts = {
        one.name: {
            "ansible_host": machine.ADDRESS,
            "ansible_port": one.port,
            "lab_address": one.addresses[0],
            "lab_address6": one.addresses[1],
        }
        for one in machines
    }
    return _written(machine.NAME, {"all": {"vars": login, "children": {"docker_hosts": {"hosts": hosts}}}})


def _written(name: str, inventory: dict[str, Any]) -> Path:
    path = STATE / name / "inventory.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"# Written by the lab.\n{_yaml(inventory)}\n"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path


def remove(fleet: str) -> None:
    """Remove the inventory of a fleet."""
    shutil.rmtree(STATE / fleet, ignore_errors=True)


def _inventory(nodes: list[Node]) -> dict[str, Any]:
    hosts = [node for node in nodes if not node.is_outside]
    suites = sorted({node.suite for node in hosts})
    lan = nodes[0].lan
    variables = {
        **_LOGIN,
        "lab_fleet": lan.fleet,
        "lab_subnets": list(lan.subnets),
        "lab_outside_addresses": [address.split("/")[0] for address in OUTSIDE_ADDRESSES],
    }
    groups = {f"suite_{s}": {"hosts": _hosts(n for n in hosts if n.suite == s)} for s in suites}
    # A group named outside would bear the name of its only host, of which Ansible warns.
    lab = {
        "vars": variables,
        "hosts": _hosts(node for node in nodes if node.is_outside),
        "children": {"docker_hosts": {"children": groups}},
    }
    return {"all": {"children": {"lab": lab}}}


def _hosts(nodes: Iterable[Node]) -> dict[str, dict[str, str]]:
    return {
        node.name: {
            "ansible_host": node.addresses[0],
            "lab_address6": node.addresses[1],
            "lab_container": node.container,
            "lab_suite": node.suite,
        }
        for node in nodes
    }


def _yaml(value: object, indent: str = "") -> str:
    """Return nested mappings of scalars and short lists as YAML; JSON's scalars are YAML's."""
    if not isinstance(value, Mapping):
        return f" {json.dumps(value)}"
    lines = (f"{indent}{key}:{_yaml(inner, indent + '  ')}" for key, inner in value.items())
    return ("\n" if indent else "") + "\n".join(lines)
