# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is as declared, in one sentence."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_verdict
short_description: Whether a host is as declared, in one sentence
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Sums up what the role P(breakwater.docker.verify#role) has measured of one host.
options:
  _input:
    description: The host, as P(breakwater.docker.fleet_host#filter) returns it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say what was found
  ansible.builtin.debug:
    msg: "{{ (measured | breakwater.docker.fleet_verdict).message }}"
"""

RETURN = r"""
_value:
  description: C(holds), whether every cell is as declared, and C(message), the sentence.
  type: dict
  sample:
    holds: true
    message: 2977 cells, all as declared
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet import unpack, verdict


def fleet_verdict(packed: str) -> dict[str, Any]:
    """Whether the host is as declared."""
    return verdict(unpack("", packed))


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"fleet_verdict": fleet_verdict}
