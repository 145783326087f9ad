# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topology of two environments behind one balancer."""

from __future__ import annotations

DOCUMENTATION = r"""
name: blue_green
short_description: The topology of two environments behind one balancer
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Turns the variables of the role P(breakwater.docker.blue_green#role) into a topology. Each environment has an
    internal network of its own, and the balancer is on both of them and on one to the outside.
  - Users reach the balancer, the balancer reaches the containers of both environments on the ports of the application,
    and nothing else passes.
positional: environments
options:
  _input:
    description: The name of the topology and of the balancer.
    type: str
    required: true
  environments:
    description: As O(breakwater.docker.blue_green#role:breakwater_blue_green_environments) has them.
    type: list
    elements: dict
    required: true
  balancer:
    description: Options of M(community.docker.docker_container) for the balancer, beside what the role gives it.
    type: dict
    default: {}
  network:
    description: The balancer's network to the outside, with the options of M(breakwater.docker.network).
    type: dict
    default: {}
  port:
    description: The port that the balancer is published on.
    type: int
    default: 80
  app_port:
    description: The port of the containers of an environment that names no other.
    type: int
    default: 8080
  clients:
    description: Who reaches the balancer, each as in C(from) of M(breakwater.docker.policy).
    type: list
    elements: raw
    default: [world]
"""

EXAMPLES = r"""
- name: Show the topology
  ansible.builtin.debug:
    msg: "{{ ('shop' | breakwater.docker.blue_green(environments)).topology }}"
  vars:
    environments:
      - {name: blue, image: "example.com/shop:1", containers: [blue-1, blue-2]}
      - {name: green, image: "example.com/shop:2", containers: [green-1, green-2]}
"""

RETURN = r"""
_value:
  description:
    - C(topology) is an item of C(breakwater_topologies), C(balancer) the container among its own that is the balancer,
      and C(environments) what M(breakwater.docker.blue_green) takes under that name.
  type: dict
  sample:
    environments:
      - {name: blue, servers: ["blue-1:8080", "blue-2:8080"]}
      - {name: green, servers: ["green-1:8080", "green-2:8080"]}
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import (
    CONFIGURATION,
    FOLDER,
    SOCKETS,
    check_environment,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.name import check_name
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import near

Options = Mapping[str, Any]

_PREFIX = "breakwater_blue_green_"
_KEYS = ("name", "network", "image", "options", "containers", "port")
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
_COMMAND = [
    *("haproxy", "-W", "-db", "-S", f"{SOCKETS}/master.sock,mode,600"),
    *("-f", f"{CONFIGURATION}/haproxy.cfg"),
]


def blue_green(
    name: str,
    environments: Sequence[Options],
    balancer: Options | None = None,
    network: Options | None = None,
    port: int = 80,
    app_port: int = 8080,
    clients: Iterable[Any] = ("world",),
) -> dict[str, Any]:
    """The topology, its balancer and the balancer's environments; AnsibleFilterError names the wrong variable."""
    try:
        check_name(name, f"{_PREFIX}name", "balancer")
        read = _environments(name, environments, _port(app_port, f"{_PREFIX}app_port"))
    except DeclarationError as error:
        raise AnsibleFilterError(str(error)) from error
    return _declared(name, read, balancer or {}, network or {}, _port(port, f"{_PREFIX}port"), list(clients))


def _environments(name: str, given: Any, app_port: int) -> list[dict[str, Any]]:
    where = f"{_PREFIX}environments"
    if not isinstance(given, list) or len(given) != 2:
        raise AnsibleFilterError(f"{where}: expected a list of two environments, found {given!r}")
    owners: dict[str, str] = {}
    return [_environment(name, each, f"{where}[{index}]", app_port, owners) for index, each in enumerate(given)]


def _environment(name: str, given: Options, where: str, app_port: int, owners: dict[str, str]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise AnsibleFilterError(f"{where}: expected a dictionary, found {given!r}")
    for key in given:
        if key not in _KEYS:
            raise AnsibleFilterError(f"{where}.{key}: no such key; {near(str(key), _KEYS)}")
    own = check_environment(str(given.get("name", "")), f"{where}.name")
    _once(own, f"{where}.name", "environment", owners)
    network = _network(given.get("network"), f"{name}-{own}", f"{where}.network")
    _once(network["name"], f"{where}.network", "network", owners)
    listed = given.get("containers")
    if not isinstance(listed, list) or not listed:
        raise AnsibleFilterError(f"{where}.containers: expected a list of at least one container, found {listed!r}")
    containers = []
    for index, each in enumerate(listed):
        options = {"name": each} if isinstance(each, str) else each
        at = f"{where}.containers[{index}]"
        if not isinstance(options, Mapping) or not _CONTAINER.fullmatch(str(options.get("name", ""))):
            raise AnsibleFilterError(
                f"{at}: expected the name of a container, or a dictionary with one, found {each!r}"
            )
        _once(options["name"], at, "container", owners)
        image = {"image": given["image"]} if given.get("image") else {}
        containers.append({"restart_policy": "unless-stopped", **(given.get("options") or {}), **image, **options})
    return {
        "name": own,
        "network": {"internal": True, **network},
        "containers": containers,
        "port": _port(given.get("port", app_port), f"{where}.port"),
    }


def _once(name: str, where: str, kind: str, owners: dict[str, str]) -> None:
    owner = owners.setdefault(f"{kind} {name}", where)
    if owner != where:
        raise AnsibleFilterError(f"{where}: {kind} '{name}' is declared already, as {owner}")


def _network(given: Any, otherwise: str, where: str) -> dict[str, Any]:
    if given is None or isinstance(given, str):
        return {"name": given or otherwise}
    if not isinstance(given, Mapping):
        raise AnsibleFilterError(f"{where}: expected a network's name or a dictionary of its options, found {given!r}")
    return {"name": otherwise, **given}


def _port(given: Any, where: str) -> int:
    try:
        port = int(given)
    except (TypeError, ValueError):
        port = 0
    if not 1 <= port <= 65535:
        raise AnsibleFilterError(f"{where}: expected a port from 1 to 65535, found {given!r}")
    return port


def _declared(
    name: str, environments: list[dict[str, Any]], balancer: Options, network: Options, port: int, clients: list[Any]
) -> dict[str, Any]:
    container = _balancer(name, balancer, port)
    front = {"name": f"{name}-front", **network}
    for each in environments:
        names = [every["name"] for every in each["containers"]]
        if container["name"] in names:
            raise AnsibleFilterError(
                f"{_PREFIX}balancer.name: container '{container['name']}' is in environment '{each['name']}', too"
            )
        if front["name"] == each["network"]["name"]:
            raise AnsibleFilterError(
                f"{_PREFIX}network.name: network '{front['name']}' is that of environment '{each['name']}'"
            )
    networks = [each["network"] for each in environments]
    apps = [(each, every) for each in environments for every in each["containers"]]
    allowed = [
        {
            "from": container["name"],
            "to": [every["name"] for every in each["containers"]],
            "ports": [each["port"]],
        }
        for each in environments
    ]
    topology = {
        "name": name,
        "prune": True,
        "networks": [front, *networks],
        "containers": [*(every for _each, every in apps if "image" in every), container],
        "connections": [
            {"container": container["name"], "networks": [{"name": each["name"]} for each in (front, *networks)]},
            *({"container": every["name"], "networks": [{"name": each["network"]["name"]}]} for each, every in apps),
        ],
        "policy": {"allow": [{"from": clients, "to": container["name"], "ports": [port]}, *allowed]},
    }
    servers = [
        {"name": each["name"], "servers": [f"{every['name']}:{each['port']}" for every in each["containers"]]}
        for each in environments
    ]
    return {"topology": topology, "balancer": container, "environments": servers}


def _balancer(name: str, given: Options, port: int) -> dict[str, Any]:
    own = {
        "command": _COMMAND,
        "user": "0",
        "published_ports": [f"{port}:{port}"],
        "volumes": [f"{FOLDER}/{name}/etc:{CONFIGURATION}:ro", f"{FOLDER}/{name}/run:{SOCKETS}"],
    }
    for key in given:
        if key in own:
            raise AnsibleFilterError(f"{_PREFIX}balancer.{key}: is the role's to say, and is {own[key]!r}")
    return {"name": f"{name}-balancer", "image": "haproxy:lts", "restart_policy": "unless-stopped", **given, **own}


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"blue_green": blue_green}
