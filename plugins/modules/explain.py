#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: explain
short_description: Say whether a policy lets a flow pass, and which entry decides
description:
  - Reads a policy on a host and gives a verdict on each flow, by the declaration alone. No packet is sent, and the
    kernel's tables are not asked.
  - What it says is what M(breakwater.docker.policy) would apply now. M(breakwater.docker.probe) measures what is true.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
  - breakwater.docker.attributes.info
  - breakwater.docker.topology.policy
options:
  name:
    description:
      - The name of the topology or policy.
    type: str
    required: true
  flows:
    description:
      - The flows to give a verdict on.
    type: list
    elements: dict
    required: true
    suboptions:
      from:
        description:
          - Who begins to talk, in the words of O(breakwater.docker.policy#module:allow[].from).
        type: raw
        required: true
      to:
        description:
          - Whom they talk to, in the same words.
        type: raw
        required: true
      ports:
        description:
          - Ports and protocols, in the words of O(breakwater.docker.policy#module:allow[].ports).
        type: list
        elements: str
        default: []
notes:
  - The managed host needs the task C(become). A container must run to be asked about, because a policy is about
    addresses.
seealso:
  - module: breakwater.docker.policy
  - module: breakwater.docker.probe
    description: Measures with packets who reaches whom.
"""

EXAMPLES = r"""
- name: Why does the shop not reach its database?
  breakwater.docker.explain:
    name: shop
    flows:
      - from: web
        to: db
        ports: [5432]
      - from: world
        to: db
        ports: [5432]

- name: What would a policy say that is not applied yet?
  breakwater.docker.explain:
    name: shop
    policy:
      networks: [backend]
      allow:
        - from: web
          to: db
          ports: [5432]
    flows:
      - from: web
        to: db
        ports: [5432, icmp]
"""

RETURN = r"""
verdicts:
  description: A verdict on each flow, in the order of O(flows).
  returned: success
  type: list
  elements: dict
  contains:
    from:
      description: Who begins to talk.
      type: str
      sample: web
    to:
      description: Whom they talk to.
      type: str
      sample: db
    ports:
      description: The ports and protocols.
      type: list
      elements: str
      sample: [5432/tcp]
    verdict:
      description:
        - V(allow) passes. V(deny) is dropped. V(audit) passes, and is logged and counted. V(open) is none of the
          policy's business, because neither end is on a governed network.
        - A flow of which only a part is allowed is V(deny), or V(audit).
      type: str
      sample: allow
    entry:
      description: The path of the entry that decides, empty where the policy's default does.
      type: str
      sample: policy.allow[0]
    reason:
      description: The same as a sentence, with what is not allowed if it is a part.
      type: str
      sample: policy.allow[0] allows it
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: flows[0].from
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.policy import EXPLAIN_SPEC, Question
from ansible_collections.breakwater.docker.plugins.module_utils._plan import explain
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(Kind(EXPLAIN_SPEC, Question.read, report=explain.report, local=True))


if __name__ == "__main__":
    main()
