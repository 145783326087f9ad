# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docker_container is told of a topology's containers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: container_arguments
short_description: What C(docker_container) is told of a topology's containers
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Turns the containers of a topology into the arguments with which M(community.docker.docker_container) starts
    them on the networks that the topology declares for them, instead of on the default bridge.
  - The container is created on all of its networks at once, with its addresses, aliases and links. From then on its
    networks are up to M(breakwater.docker.topology) alone, so C(docker_container) is told to compare them no more.
  - What C(docker_container) of community.docker 4 cannot say of an endpoint (MAC address, driver options, gateway
    priority, link-local addresses) is left to M(breakwater.docker.topology).
positional: connections, planned, state
options:
  _input:
    description:
      - The containers, each a dictionary of options of M(community.docker.docker_container).
      - C(networks) is not among them, since these are declared in O(connections).
    type: list
    elements: dict
    required: true
  connections:
    description: The O(breakwater.docker.topology#module:connections) of the topology.
    type: list
    elements: dict
    default: []
  planned:
    description:
      - The RV(breakwater.docker.topology#module:steps) that have been planned but not done, as in check mode.
      - Networks that they create are left out, for C(docker_container) refuses those that are not there.
    type: list
    elements: dict
    default: []
  state:
    description: The state of every container; without it, what each one says, or else V(started).
    type: str
"""

EXAMPLES = r"""
- name: Start the gateway where it is declared
  community.docker.docker_container:
  module_defaults:
    community.docker.docker_container: "{{ container }}"
  loop: "{{ containers | breakwater.docker.container_arguments(connections) }}"
  loop_control:
    loop_var: container
    label: "{{ container.name }}"
  vars:
    containers:
      - name: gateway
        image: example.com/router:1
        sysctls: {net.ipv4.ip_forward: 1}
    connections:
      - container: gateway
        networks:
          - {name: frontend, ipv4_address: 10.0.1.3}
          - {name: backend, ipv4_address: 10.0.0.3}
"""

RETURN = r"""
_value:
  description: One dictionary of options of M(community.docker.docker_container) for each container.
  type: list
  elements: dict
  sample:
    - name: gateway
      image: example.com/router:1
      state: started
      sysctls: {net.ipv4.ip_forward: 1}
      networks:
        - {name: frontend, ipv4_address: 10.0.1.3}
        - {name: backend, ipv4_address: 10.0.0.3}
      networks_cli_compatible: true
      comparisons: {networks: ignore, network_mode: ignore}
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

Options = Mapping[str, Any]

_ENDPOINT = ("name", "ipv4_address", "ipv6_address", "aliases", "links")
"""What docker_container of community.docker 4 can say of an endpoint on every engine."""


def container_arguments(
    containers: Sequence[Options],
    connections: Iterable[Options] = (),
    planned: Iterable[Options] = (),
    state: str | None = None,
) -> list[dict[str, Any]]:
    """The arguments of docker_container for each of ``containers``; AnsibleFilterError names the wrong field."""
    _check(containers)
    declared = {str(each.get("container")).lstrip("/"): each for each in connections if isinstance(each, Mapping)}
    to_come = _created(planned)
    forced = {"state": state} if state else {}
    return [_arguments({**each, **forced}, declared.get(each["name"], {}), to_come) for each in containers]


def _check(containers: Sequence[Options]) -> None:
    seen: dict[str, int] = {}
    for index, each in enumerate(containers):
        where = f"containers[{index}]"
        if not isinstance(each, Mapping):
            raise AnsibleFilterError(f"{where}: expected a dictionary, found {each!r}")
        for key in ("name", *(() if each.get("state") == "absent" else ("image",))):
            if not each.get(key):
                raise AnsibleFilterError(
                    f"{where}.{key}: is required; a container that somebody else starts is named in connections alone"
                )
        if "networks" in each:
            raise AnsibleFilterError(
                f"{where}.networks: the networks of container '{each['name']}' are declared in connections"
            )
        if each["name"] in seen:
            raise AnsibleFilterError(
                f"{where}.name: container '{each['name']}' is declared already, as containers[{seen[each['name']]}]"
            )
        seen[each["name"]] = index


def _created(planned: Iterable[Options]) -> set[str]:
    """The networks that the steps ``planned`` create and that are not there yet."""
    verbs: dict[str, list[str]] = {}
    for step in planned:
        kind, _space, name = step["resource"].partition(" ")
        if kind == "network":
            verbs.setdefault(name, []).append(step["verb"])
    return {name for name, each in verbs.items() if each[0] == "create"}


def _arguments(container: Options, connection: Options, to_come: set[str]) -> dict[str, Any]:
    arguments = {"state": "started", **container}
    if connection.get("state", "present") == "absent" or arguments["state"] == "absent":
        return arguments
    endpoints = [each for each in connection.get("networks") or () if each["name"] not in to_come]
    if endpoints:
        arguments["networks"] = [{key: each[key] for key in _ENDPOINT if each.get(key)} for each in endpoints]
        arguments["networks_cli_compatible"] = True
    # A change of its networks is the topology's to make, which cuts nothing else.
    ignored = {"networks": "ignore"}
    if "network_mode" not in container:
        ignored["network_mode"] = "ignore"
    arguments["comparisons"] = {**ignored, **container.get("comparisons", {})}
    return arguments


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"container_arguments": container_arguments}
