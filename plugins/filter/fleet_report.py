# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a fleet, in the format asked for."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_report
short_description: The report of a fleet, as a page or for other programs
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Writes what the role P(breakwater.docker.verify#role) has surveyed and measured on the hosts of a play.
  - The same input gives the same text, and what differs from one run to the next, as latencies, is not in it. So a diff
    of two reports shows what has changed.
positional: format, title
options:
  _input:
    description:
      - The hosts by their names, each as P(breakwater.docker.fleet_host#filter) returns it. One of which nothing is
        known is empty.
    type: dict
    required: true
  format:
    description:
      - V(html) is one page that needs no network. V(json) holds all cells. V(junit) has a case for each pair.
      - V(mermaid) and V(dot) draw who gets through to whom.
    type: str
    choices: [html, json, junit, mermaid, dot]
    required: true
  title:
    description: What the report calls the fleet.
    type: str
    default: Breakwater
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: "{{ fleet | breakwater.docker.fleet_report('html', 'Shop') }}"
    dest: report.html
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The report.
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def fleet_report(packed: Mapping[str, str], format: str, title: str = "Breakwater") -> str:
    """The report of a fleet."""
    # Here: to find one filter of a collection a worker loads them all, and that for each host anew.
    from ansible_collections.breakwater.docker.plugins.plugin_utils import _exports as exports
    from ansible_collections.breakwater.docker.plugins.plugin_utils._fleet import Fleet, read
    from ansible_collections.breakwater.docker.plugins.plugin_utils._page import as_html

    formats: dict[str, Callable[[Fleet], str]] = {
        "html": as_html,
        "json": exports.as_json,
        "junit": exports.as_junit,
        "mermaid": exports.as_mermaid,
        "dot": exports.as_dot,
    }
    if format not in formats:
        raise AnsibleFilterError(f"fleet_report: format {format!r} is not one of {', '.join(formats)}")
    return formats[format](read(packed, title))


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"fleet_report": fleet_report}
