# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pattern blue-green: two environments that never meet, and a balancer that is on the networks of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import (
    CONFIGURATION,
    FOLDER,
    SOCKETS,
    check_environment,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.name import check_name

from .parts import add_options, container

ENVIRONMENT_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "containers": {"type": "list", "elements": "raw", "required": True},
    "start": {"type": "dict", "default": {}},
    "port": {"type": "int"},
}
SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "environments": {"type": "list", "elements": "dict", "options": ENVIRONMENT_SPEC, "required": True},
    "balancer": {"type": "dict", "default": {}},
    "networks": {"type": "dict", "default": {}},
    "port": {"type": "int", "default": 80},
    "app_port": {"type": "int", "default": 8080},
    "clients": {"type": "list", "elements": "raw", "default": ["world"]},
}
FRONT = "front"
"""The balancer's network to the outside, among those of the environments."""
_COMMAND = [
    *("haproxy", "-W", "-db", "-S", f"{SOCKETS}/master.sock,mode,600"),
    *("-f", f"{CONFIGURATION}/haproxy.cfg"),
]


@dataclass(frozen=True)
class _Environment:
    name: str
    containers: Sequence[Mapping[str, Any]]
    port: int

    @property
    def members(self) -> list[str]:
        return [each["name"] for each in self.containers]


def blue_green(args: Mapping[str, Any]) -> dict[str, Any]:
    """The topology, its balancer and the balancer's environments, of ``args`` which SPEC has accepted.

    DeclarationError names the field that is wrong.
    """
    name = check_name(args["name"], "name", "balancer")
    _check_port(args["port"], "port")
    environments = _environments(args)
    balancer = _balancer(name, args["balancer"], args["port"])
    for each in environments:
        if balancer["name"] in each.members:
            raise DeclarationError("balancer.name", f"'{balancer['name']}' is in environment '{each.name}' as well")
    networks = _networks(name, environments, args["networks"])
    toward = [{"from": balancer["name"], "to": each.members, "ports": [each.port]} for each in environments]
    topology = {
        "name": name,
        "networks": list(networks.values()),
        "containers": [*(each for one in environments for each in one.containers if "image" in each), balancer],
        "connections": [
            {"container": balancer["name"], "networks": [{"name": each["name"]} for each in networks.values()]},
            *(
                {"container": each, "networks": [{"name": networks[one.name]["name"]}]}
                for one in environments
                for each in one.members
            ),
        ],
        "policy": {"allow": [{"from": args["clients"], "to": balancer["name"], "ports": [args["port"]]}, *toward]},
        "prune": True,
    }
    servers = [{"name": one.name, "servers": [f"{each}:{one.port}" for each in one.members]} for one in environments]
    return {"topology": topology, "balancer": balancer, "environments": servers}


def _environments(args: Mapping[str, Any]) -> list[_Environment]:
    if len(args["environments"]) != 2:
        raise DeclarationError("environments", f"expected two of them, found {len(args['environments'])}")
    found: list[_Environment] = []
    owners: dict[str, str] = {}
    for index, each in enumerate(args["environments"]):
        path = f"environments[{index}]"
        name = check_environment(each["name"], f"{path}.name")
        if name == FRONT or name in [other.name for other in found]:
            raise DeclarationError(f"{path}.name", f"'{name}' is taken; call it otherwise")
        if not each["containers"]:
            raise DeclarationError(f"{path}.containers", "lists none; an environment without containers serves nobody")
        containers = [
            container(one, each["start"], f"{path}.containers[{n}]") for n, one in enumerate(each["containers"])
        ]
        for n, one in enumerate(containers):
            where = f"{path}.containers[{n}]"
            owner = owners.setdefault(one["name"], where)
            if owner != where:
                raise DeclarationError(where, f"container '{one['name']}' is declared already, as {owner}")
        port = args["app_port"] if each["port"] is None else each["port"]
        _check_port(port, "app_port" if each["port"] is None else f"{path}.port")
        found.append(_Environment(name, containers, port))
    return found


def _balancer(name: str, given: Mapping[str, Any], port: int) -> dict[str, Any]:
    ours = {
        "command": _COMMAND,
        "user": "0",
        "published_ports": [f"{port}:{port}"],
        "volumes": [f"{FOLDER}/{name}/etc:{CONFIGURATION}:ro", f"{FOLDER}/{name}/run:{SOCKETS}"],
    }
    for key in given:
        if key in ours:
            raise DeclarationError(f"balancer.{key}", f"is not yours to say; it is {ours[key]!r}")
    return {"name": f"{name}-balancer", "image": "haproxy:lts", "restart_policy": "unless-stopped", **given, **ours}


def _networks(name: str, environments: Sequence[_Environment], given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {FRONT: {"name": f"{name}-{FRONT}"}}
    for each in environments:
        made[each.name] = {"name": f"{name}-{each.name}", "internal": True}
    add_options(made, given)
    owners: dict[str, str] = {}
    for key, network in made.items():
        owner = owners.setdefault(network["name"], key)
        if owner != key:
            raise DeclarationError(
                f"networks.{key}.name", f"'{network['name']}' is that of {owner}; they must not meet"
            )
    return made


def _check_port(port: int, path: str) -> None:
    if not 1 <= port <= 65535:
        raise DeclarationError(path, f"expected a port from 1 to 65535, found {port}")
