# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The expectations that a probe has not found met, to be measured again."""

from __future__ import annotations

DOCUMENTATION = r"""
name: differing
short_description: The expectations that a probe has not found met
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Takes what M(breakwater.docker.probe) has measured, with a loop or without, and returns the expectations whose cells
    differ, as O(breakwater.docker.probe#module:expectations).
positional: unheard
options:
  _input:
    description: The registered result of M(breakwater.docker.probe).
    type: dict
    required: true
  unheard:
    description:
      - Whether nobody listens at the targets for the sake of the probe. A refusal tells then that packets arrive.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Measure once more what differs
  breakwater.docker.probe:
    expectations: "{{ proof | breakwater.docker.differing }}"
  when: proof | breakwater.docker.differing | length > 0
"""

RETURN = r"""
_value:
  description: The expectations, in the order in which they were measured.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet import differing


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"differing": differing}
