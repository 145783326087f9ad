#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: blue_green
short_description: Switch the users of a balancer from one environment to the other
description:
  - Keeps the configuration of an HAProxy that stands before two environments of containers, and switches its users
    from one to the other while both go on. The role P(breakwater.docker.blue_green#role) starts the balancer, on the
    networks of both.
  - A switch has a health gate, which no user passes, canary steps, each with a limit of failed requests, and a drain
    of the sessions that the former environment still has. Whatever does not pass is taken back by itself, and the task
    fails with the reason.
  - Weights change by HAProxy's runtime API, and are written to its configuration and its server-state file, so that a
    reload or a restart of the balancer finds them, in the middle of a canary as well.
  - A switch is written down on the host step by step. A run that was cut off is finished by the next one with the same
    O(target), and taken back by one with the other environment as O(target).
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.attributes
attributes:
  check_mode:
    details:
      - The steps that are predicted are those of a switch in which nothing goes wrong.
options:
  name:
    description:
      - What the balancer is known by on the host.
    type: str
    required: true
  state:
    description:
      - With V(absent), the configuration and the record of switches go. The balancer's container is not touched.
    type: str
    choices:
      - present
      - absent
    default: present
  environments:
    description:
      - The two environments. Required with O(state=present).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Such as V(blue) and V(green).
        type: str
        required: true
      servers:
        description:
          - Where its containers answer, each V(container:port). The balancer looks names up again and again, so a
            container that was recreated is found.
        type: list
        elements: str
        required: true
  port:
    description:
      - The port that the balancer listens on in its container.
    type: int
    default: 80
  health_path:
    description:
      - What the balancer and the gate ask for; an answer from 200 to 399 is healthy.
    type: str
    default: /
  request_timeout:
    description:
      - Seconds for which a request or its client may be silent. Upgraded connections, such as WebSockets, may be so
        for an hour.
    type: int
    default: 60
  initial:
    description:
      - The environment that is live when none has been yet. If left out, the first one.
      - Later runs do not look at it, since switches decide then.
    type: str
  target:
    description:
      - The environment that is to be live. If left out, none is switched.
    type: str
  canary:
    description:
      - The percentages of the users that O(target) has, one after the other. V(100) follows in any case.
      - An empty list switches all of them at once.
    type: list
    elements: int
    default: [10, 50]
  canary_seconds:
    description:
      - How long each step of O(canary), and V(100), is watched.
    type: int
    default: 10
  max_error_percent:
    description:
      - The switch is rolled back when more of the requests to O(target) have failed during a step. A failed request is
        one that was answered with a status from 500 on, or not at all.
    type: float
    default: 1.0
  min_requests:
    description:
      - With fewer requests than these, a step is judged at its end only.
    type: int
    default: 20
  gate_passes:
    description:
      - How many requests for O(health_path), by the balancer's own way to O(target), must succeed one after the other
        before it gets a user. All of its containers must be up as well.
    type: int
    default: 5
  gate_timeout:
    description:
      - Seconds within which the gate must be passed.
    type: int
    default: 60
  drain_timeout:
    description:
      - Seconds for which the sessions of the environment that was left may go on; then they are cut.
    type: int
    default: 60
  wait:
    description:
      - Seconds to wait for a balancer that is just about to start. With V(0), one that does not run only has its files
        written, for when it starts.
    type: int
    default: 0
notes:
  - The task needs C(become). No tool and no Python package is needed on the managed host.
  - The balancer must be HAProxy 2.4 or newer.
  - During a canary, a GET, HEAD or OPTIONS that one environment answers with 500, 502, 503 or 504 is asked again of the
    other one. The user sees that answer; the failure counts for the limit.
seealso:
  - module: breakwater.docker.blue_green_info
  - module: breakwater.docker.topology
"""

EXAMPLES = r"""
- name: Switch to green by way of 10 and 50 percent
  breakwater.docker.blue_green:
    name: shop
    environments:
      - name: blue
        servers: [blue-app-1:8080, blue-app-2:8080]
      - name: green
        servers: [green-app-1:8080, green-app-2:8080]
    health_path: /health
    target: green
    canary: [10, 50, 100]
    canary_seconds: 60
    drain_timeout: 120
"""

RETURN = r"""
live:
  description: The environment that is live.
  returned: success, and where a switch was rolled back
  type: str
  sample: green
since:
  description: Since when, in UTC.
  returned: success, and where a switch was rolled back
  type: str
  sample: "2026-11-21T14:03:22Z"
shares:
  description: The percentage of the users that each environment has.
  returned: success, and where a switch was rolled back
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
answers:
  description: Whether the balancer runs.
  returned: success, and where a switch was rolled back
  type: bool
  sample: true
switch:
  description:
    - The switch that was cut off and waits for its next run; empty where there is none.
  returned: success, and where a switch was rolled back
  type: dict
  sample: {}
last:
  description: How the last switch ended, and how many sessions its drain has cut.
  returned: success, and where a switch was rolled back
  type: dict
  sample: {target: green, outcome: switched, reason: "", ended: "2026-11-21T14:03:24Z", cut: 0}
steps:
  description:
    - What was done, or would be in check mode, in order.
    - A C(hold) has the C(requests) and C(errors) of its environment, a C(drain) how many sessions it has C(cut).
  returned: success, and where a switch was rolled back
  type: list
  elements: dict
  sample:
    - {step: "judge green by its answers at 10 %", verb: hold, environment: green, share: 10, requests: 812, errors: 0}
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: target
done:
  description: The steps that were carried out before the one that failed.
  returned: on failure, where a step failed
  type: list
  elements: str
  sample: [begin a switch to green]
"""

from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import SPEC
from ansible_collections.breakwater.docker.plugins.module_utils._run import run_alone
from ansible_collections.breakwater.docker.plugins.module_utils._switch import switch


def main() -> None:
    run_alone(SPEC, switch)


if __name__ == "__main__":
    main()
