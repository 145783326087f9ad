# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's end of a fleet whose container networks are joined."""

from __future__ import annotations

DOCUMENTATION = r"""
name: wireguard_end
short_description: One host's end of a fleet whose container networks are joined
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Cuts from the plan of a fleet what one host is to have, as the arguments of M(breakwater.docker.topology).
positional: host
options:
  _input:
    description: The plan, as P(breakwater.docker.wireguard_fleet#filter) returns it.
    type: dict
    required: true
  host:
    description: The name of the host in the inventory.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what this host is to have
  ansible.builtin.debug:
    msg: "{{ fleet | breakwater.docker.wireguard_end(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description:
    - C(name), C(networks), C(tunnels), C(hosts_files) and, where one is declared, C(policy).
    - Of a host that is to leave the fleet, C(name) and C(state=absent).
  type: dict
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def wireguard_end(fleet: Mapping[str, Any], host: str) -> dict[str, Any]:
    """The end of ``host``; AnsibleFilterError where it has none."""
    # Here: to find one filter of a collection a worker loads them all, and that for each host anew.
    from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
    from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet_plan.end import end

    try:
        return end(json.loads(fleet["plan"]), host)
    except DeclarationError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"wireguard_end": wireguard_end}
