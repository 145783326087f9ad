# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two environments behind one balancer come to: a topology, and what the balancer knows of them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: blue_green
short_description: What two environments behind one balancer come to, as a topology
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Turns the variables of the role P(breakwater.docker.blue_green#role) into a topology. Each environment has an
    internal network of its own, and the balancer is on both of them and on one to the outside.
  - Users reach the balancer, the balancer reaches the containers of both environments on the port of the application,
    and nothing else passes.
positional: prefix
options:
  _input:
    description:
      - The variables C(name), C(environments), C(balancer), C(networks), C(port), C(app_port) and C(clients) of the
        role, without their prefix.
    type: dict
    required: true
  prefix:
    description: What the variables begin with, so that an error names them as the user wrote them.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the topology
  ansible.builtin.debug:
    msg: "{{ (shop | breakwater.docker.blue_green).topology }}"
  vars:
    shop:
      name: shop
      environments:
        - {name: blue, containers: [blue-1, blue-2], start: {image: "example.com/shop:1"}}
        - {name: green, containers: [green-1, green-2], start: {image: "example.com/shop:2"}}
"""

RETURN = r"""
_value:
  description:
    - C(topology) is one with the keys of the role P(breakwater.docker.topology#role) without their prefix, C(balancer)
      the container among its own that is the balancer, and C(environments) what M(breakwater.docker.blue_green) takes
      under that name.
  type: dict
  sample:
    environments:
      - {name: blue, servers: ["blue-1:8080", "blue-2:8080"]}
      - {name: green, servers: ["green-1:8080", "green-2:8080"]}
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError


def blue_green(given: Any, prefix: str = "") -> dict[str, Any]:
    """What ``given`` comes to; AnsibleFilterError names the variable and the entry that is wrong."""
    # Here: to find one filter of a collection a worker loads them all, and that for each host anew.
    from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
    from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import read
    from ansible_collections.breakwater.docker.plugins.plugin_utils._patterns import blue_green as compiled

    try:
        return compiled.blue_green(read(compiled.SPEC, given))
    except DeclarationError as error:
        raise AnsibleFilterError(f"{prefix}{error}") from error


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"blue_green": blue_green}
