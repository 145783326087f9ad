# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With whom a host of a fleet has to share a key yet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: wireguard_partners
short_description: With whom a host of a fleet has to share a key yet
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Cuts from the plan of a fleet the peers of one host with whom it was not seen to share a key yet, as the option
    C(peers) of M(breakwater.docker.wireguard_preshared).
  - Empty where the fleet's C(preshared) is false, and where all is shared.
positional: host, hostvars
options:
  _input:
    description: The plan, as P(breakwater.docker.wireguard_fleet#filter) returns it.
    type: dict
    required: true
  host:
    description: The name of the host in the inventory.
    type: str
    required: true
  hostvars:
    description:
      - The variables of the hosts by name, C(hostvars) as it is. Of each peer C(__breakwater_wireguard_given) is read,
        the result of the module there.
      - With them, those who have given this host a key in this play. Without, those to whom it is to give one.
    type: dict
"""

EXAMPLES = r"""
- name: Draw what this host is to give
  breakwater.docker.wireguard_preshared:
    key: fleet-1
    host: "{{ inventory_hostname }}"
    peers: "{{ fleet | breakwater.docker.wireguard_partners(inventory_hostname) }}"
  register: __breakwater_wireguard_given

- name: Keep what it was given
  breakwater.docker.wireguard_preshared:
    key: fleet-1
    host: "{{ inventory_hostname }}"
    peers: "{{ fleet | breakwater.docker.wireguard_partners(inventory_hostname, hostvars) }}"
"""

RETURN = r"""
_value:
  description: The peers, with C(name), C(public_key) and, with O(hostvars), C(sealed).
  type: list
  elements: dict
"""

import json
from collections.abc import Callable, Mapping
from typing import Any


def wireguard_partners(
    fleet: Mapping[str, Any], host: str, hostvars: Mapping[str, Any] | None = None
) -> list[dict[str, str]]:
    """Those to whom ``host`` is to give a key, or with ``hostvars`` those who have given it one."""
    # Here: to find one filter of a collection a worker loads them all, and that for each host anew.
    from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet_plan.preshared import givers, takers

    plan = json.loads(fleet["plan"])
    return takers(plan, host) if hostvars is None else givers(plan, host, hostvars)


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"wireguard_partners": wireguard_partners}
