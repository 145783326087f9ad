# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a fleet whose container networks are joined, computed once for all of its hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: wireguard_fleet
short_description: The plan of a fleet whose container networks are joined
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Computes, once for the whole fleet, who speaks to whom, which subnets are behind whom, and with which keys.
    P(breakwater.docker.wireguard_end#filter) cuts the end of one host from it.
  - Members are the hosts of the group, in the play or not. What is known of a host is its own fact
    C(breakwater_wireguard_seen), fresh or from a fact cache, or else its variables, or else what the tunnels of others
    remember of it. A peer that is remembered and in neither the group nor O(settings) stays until C(absent) names it.
  - Fails where subnets overlap each other, a route or a Docker network of any host, or a pool from which Docker takes
    subnets; the message names both owners.
positional: group, settings
options:
  _input:
    description:
      - The variables of the hosts by name, as C(hostvars).
      - Of each host these are read, with their prefix C(breakwater_wireguard_), V(endpoint), V(subnets), V(nat),
        V(hub), V(site), V(leader), V(networks), V(names), V(state), V(public_keys) and V(seen), and C(ansible_host) for
        want of an endpoint.
    type: dict
    required: true
  group:
    description: The names of the members, as C(groups) has them.
    type: list
    elements: str
    required: true
  settings:
    description:
      - The variables of the fleet without their prefix C(breakwater_wireguard_).
      - V(name), V(backend), V(layout), V(port), V(pool), V(prefix), V(network), V(mtu), V(preshared), V(generation),
        V(peers), V(absent) and V(policy), all of which may be missing.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Plan the fleet once
  ansible.builtin.set_fact:
    fleet: "{{ hostvars | breakwater.docker.wireguard_fleet(groups['docker_hosts'], settings) }}"
  vars:
    settings:
      layout: mesh
      pool: 10.80.0.0/16
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - C(warnings) are sentences for a person, C(settled) says that no rotation of keys waits for another pass, and
      C(mtu) is that of tunnels and container networks.
    - C(subnets) are the subnets of each member and peer, by name.
    - C(configurations) holds, by the name of each peer that nobody manages, the file for its wg-quick.
    - C(plan) is all of it as text, for P(breakwater.docker.wireguard_end#filter).
  type: dict
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def wireguard_fleet(hostvars: Mapping[str, Any], group: Iterable[str], settings: Any) -> dict[str, Any]:
    """The plan of the fleet; AnsibleFilterError names the variable and the entry that is wrong."""
    # Here: to find one filter of a collection a worker loads them all, and that for each host anew.
    from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
    from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet_plan.fleet import plan

    try:
        found = plan(hostvars, group, settings)
    except DeclarationError as error:
        raise AnsibleFilterError(str(error)) from error
    return {
        "warnings": found["warnings"],
        "settled": found["settled"],
        "mtu": found["mtu"],
        "subnets": {name: node["subnets"] for name, node in found["nodes"].items() if node["subnets"]},
        "configurations": found["configurations"],
        # As text: a variable that holds thousands of values is looked through for templates by every host of the play.
        "plan": json.dumps(found),
    }


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"wireguard_fleet": wireguard_fleet}
