# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be measured between the hosts of a fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_across
short_description: What is to be measured between the hosts of a fleet
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Puts together what each host lets out and what each lets in, as M(breakwater.docker.survey) has told it.
  - Packets pass where both ends let them.
positional: told
options:
  _input:
    description: What P(breakwater.docker.fleet_remote#filter) has returned.
    type: dict
    required: true
  told:
    description: The registered results of M(breakwater.docker.survey), by host, which was asked for that.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Put both ends of each way together
  ansible.builtin.set_fact:
    across: "{{ remote | breakwater.docker.fleet_across(surveys) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - By host, as text in JSON, C(expectations) for M(breakwater.docker.probe), the C(names) of those that are asked by
      address, and what is C(unjudged), with the reason.
  type: dict
"""

import json
from collections.abc import Callable, Mapping
from typing import Any


def fleet_across(asked: Mapping[str, str], told: Mapping[str, Any]) -> dict[str, str]:
    """What each host is to measure."""
    # Here: to find one filter of a collection a worker loads them all, and that for each host anew.
    from ansible_collections.breakwater.docker.plugins.plugin_utils._across import across

    read = {name: json.loads(each) for name, each in asked.items()}
    return {name: json.dumps(each) for name, each in across(read, told).items()}


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"fleet_across": fleet_across}
