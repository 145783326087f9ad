# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom each host of a fleet is to ask on others."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_remote
short_description: Whom each host of a fleet is to ask on other hosts
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Finds the containers that tunnels of topologies join across hosts, in what M(breakwater.docker.survey) has returned
    of each.
  - Where they are too many, each host asks those that come next to it in the order of their names, on both sides.
positional: cells
options:
  _input:
    description: What the module has returned as C(survey), by host. Of one that was not reached it is empty.
    type: dict
    required: true
  cells:
    description: How many cells one host measures at most. It asks its neighbours in any case.
    type: int
    default: 20000
"""

EXAMPLES = r"""
- name: Find who is joined to whom
  ansible.builtin.set_fact:
    remote: "{{ dict(ansible_play_hosts_all | zip(surveys)) | breakwater.docker.fleet_remote }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - By host, as text in JSON, C(remote) and C(remote_ports) for M(breakwater.docker.survey). A host that is not joined
      to another one is missing.
    - C(ambiguous) are addresses that several hosts have, C(left_out) is how many joined hosts are not asked.
  type: dict
"""

import json
from collections.abc import Callable, Mapping
from typing import Any


def fleet_remote(surveys: Mapping[str, Any], cells: int = 20000) -> dict[str, str]:
    """Whom each host is to ask."""
    # Here: to find one filter of a collection a worker loads them all, and that for each host anew.
    from ansible_collections.breakwater.docker.plugins.plugin_utils._across import remote

    return {name: json.dumps(each) for name, each in remote(surveys, cells).items()}


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"fleet_remote": fleet_remote}
