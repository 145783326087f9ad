# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pattern comes to: a topology."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pattern
short_description: What a pattern comes to, as a topology
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Turns the few variables of a pattern into the topology that they mean, with its networks, containers, connections,
    rules and policy. That is what the roles P(breakwater.docker.multi_tier#role) and P(breakwater.docker.dmz#role)
    apply, and what the playbook C(breakwater.docker.site) makes of an item of C(breakwater_topologies) that has a
    C(pattern).
  - The same variables always come to the same topology.
positional: prefix
options:
  _input:
    description:
      - C(pattern) is V(multi_tier) or V(dmz); without it this is a topology already, and comes back as it is.
      - The other keys are the variables of the role of that name, without their prefix.
      - C(state), C(keeper), C(missing_containers) and C(expectations) are handed on.
    type: dict
    required: true
  prefix:
    description: What the variables begin with, so that an error names them as the user wrote them.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the topology of a shop in three tiers
  ansible.builtin.debug:
    msg: "{{ shop | breakwater.docker.pattern }}"
  vars:
    shop:
      pattern: multi_tier
      name: shop
      tiers:
        - {name: web, containers: [nginx], exposes: [80], calls: {app: [8080]}}
        - {name: app, containers: [app1, app2], calls: {db: [5432]}}
        - {name: db, containers: [postgres]}
"""

RETURN = r"""
_value:
  description: The topology, with the keys of the role P(breakwater.docker.topology#role) without their prefix.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

HANDED_ON = ("state", "keeper", "missing_containers", "expectations")
"""What is of the topology whatever the pattern."""


def pattern(given: Any, prefix: str = "") -> dict[str, Any]:
    """The topology that ``given`` comes to; AnsibleFilterError names the variable and the entry that is wrong."""
    # Here: to find one filter of a collection a worker loads them all, and that for each host anew.
    from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
    from ansible_collections.breakwater.docker.plugins.module_utils._model.name import check_name
    from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import near, read
    from ansible_collections.breakwater.docker.plugins.plugin_utils._patterns.catalogue import PATTERNS

    if not isinstance(given, Mapping):
        raise AnsibleFilterError(f"expected a dictionary with a pattern or a topology, found {given!r}")
    if "pattern" not in given:
        return dict(given)
    if given["pattern"] not in PATTERNS:
        raise AnsibleFilterError(
            f"{prefix}pattern: there is no pattern '{given['pattern']}'; {near(str(given['pattern']), PATTERNS)}"
        )
    spec, compiled = PATTERNS[given["pattern"]]
    try:
        args = read(spec, {key: each for key, each in given.items() if key not in ("pattern", *HANDED_ON)})
        check_name(args["name"], "name", "topology")
        topology = compiled(args)
    except DeclarationError as error:
        raise AnsibleFilterError(f"{prefix}{error}") from error
    return {**topology, **{key: given[key] for key in HANDED_ON if key in given}}


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"pattern": pattern}
