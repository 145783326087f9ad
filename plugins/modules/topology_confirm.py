#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: topology_confirm
short_description: Confirm that a Docker host is still reached after a change of its network
description:
  - Keeps what M(breakwater.docker.topology) has changed with O(breakwater.docker.topology#module:confirm_within).
    Without it, the host takes the change back by itself.
  - Run it over a new connection, for one that was open before the change proves nothing.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.attributes
options:
  name:
    description:
      - The name of the topology.
    type: str
    required: true
notes:
  - The managed host needs systemd, and the task C(become).
seealso:
  - module: breakwater.docker.topology
"""

EXAMPLES = r"""
- name: Change what could cut this host off
  breakwater.docker.topology:
    name: fleet
    tunnels: "{{ tunnels }}"
    confirm_within: 60
  register: applied

- name: Come by a new connection
  ansible.builtin.meta: reset_connection

- name: Keep the change
  breakwater.docker.topology_confirm:
    name: fleet
  when: applied.unconfirmed
"""

RETURN = r"""
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: name
"""

from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._host import rollback
from ansible_collections.breakwater.docker.plugins.module_utils._model.name import check_name
from ansible_collections.breakwater.docker.plugins.module_utils._run import run_alone

SPEC: dict[str, dict[str, Any]] = {"name": {"type": "str", "required": True}}


def main() -> None:
    run_alone(SPEC, lambda args, check: rollback.confirm(check_name(args["name"], "name", "topology"), check))


if __name__ == "__main__":
    main()
