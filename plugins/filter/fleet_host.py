# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was surveyed and measured of one host, put together."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_host
short_description: What was surveyed and measured of one host, put together
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Puts together what M(breakwater.docker.survey) and M(breakwater.docker.probe) have returned of one host. What was
    measured again counts in place of what was measured first.
options:
  _input:
    description:
      - The registered results, as C(survey), C(inside) and C(again) of the host itself, C(across) and C(across_again)
        of what it sends to other hosts, C(outside) of a host beyond, and C(written) of expectations that a person has
        asked for. All but the first may be missing.
      - C(beyond) is what P(breakwater.docker.fleet_across#filter) has returned of the host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Put together what was measured
  ansible.builtin.set_fact:
    measured: "{{ {'survey': survey, 'inside': proof} | breakwater.docker.fleet_host }}"
"""

RETURN = r"""
_value:
  description: The host, for P(breakwater.docker.fleet_report#filter) and P(breakwater.docker.fleet_verdict#filter).
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet import host, pack


def fleet_host(found: Mapping[str, Any]) -> str:
    """The host of which ``found`` was registered."""
    return pack(host("", found))


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"fleet_host": fleet_host}
