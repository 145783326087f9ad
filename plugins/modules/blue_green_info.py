#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: blue_green_info
short_description: Read which environment of a balancer is live
description:
  - Tells who is live and since when, the weights, the health and the sessions of both environments, and whether a
    switch was cut off.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.attributes.info
  - breakwater.docker.attributes
options:
  name:
    description:
      - The name of the balancer, as M(breakwater.docker.blue_green) has it.
    type: str
    required: true
notes:
  - The task needs C(become).
seealso:
  - module: breakwater.docker.blue_green
"""

EXAMPLES = r"""
- name: Look
  breakwater.docker.blue_green_info:
    name: shop
  register: found

- name: Tell
  ansible.builtin.debug:
    msg: "{{ found.live }} is live since {{ found.since }}"
"""

RETURN = r"""
name:
  description: The name of the balancer.
  returned: success
  type: str
  sample: shop
live:
  description: The environment that is live; empty where none has been yet.
  returned: success
  type: str
  sample: green
since:
  description: Since when, in UTC.
  returned: success
  type: str
  sample: "2026-11-21T14:03:22Z"
answers:
  description: Whether the balancer runs.
  returned: success
  type: bool
  sample: true
shares:
  description: The percentage of the users that each environment has.
  returned: where the balancer runs
  type: dict
  sample: {blue: 0, green: 100}
sessions:
  description: How many requests and upgraded connections each environment has at this moment.
  returned: where the balancer runs
  type: dict
  sample: {blue: 0, green: 12}
servers:
  description: What the balancer finds of each container, by environment.
  returned: where the balancer runs
  type: dict
  sample: {blue: {blue-app-1_8080: UP}, green: {green-app-1_8080: UP}}
switch:
  description: The switch that was cut off and waits for its next run; empty where there is none.
  returned: success
  type: dict
  sample: {target: green, phase: canary, share: 10, reason: ""}
last:
  description: How the last switch ended, and how many sessions its drain has cut.
  returned: success
  type: dict
  sample: {target: green, outcome: switched, reason: "", ended: "2026-11-21T14:03:24Z", cut: 0}
"""

from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import INFO_SPEC
from ansible_collections.breakwater.docker.plugins.module_utils._run import run_alone
from ansible_collections.breakwater.docker.plugins.module_utils._switch import info


def main() -> None:
    run_alone(INFO_SPEC, info)


if __name__ == "__main__":
    main()
