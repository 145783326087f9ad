#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: survey
short_description: Read what the topologies of a host declare, what is there, and its whole truth table
description:
  - Returns for all topologies that were applied on a host what they declare and what is there, that is, networks,
    containers, what is published to the outside, and what has drifted from what is declared.
  - With it comes the truth table, as expectations for M(breakwater.docker.probe). Every container, the host and an
    address outside, to every container, the host and that address, on each port that a policy, a rule or a
    published port names, on one that nobody names, and by icmp.
  - The verdicts are computed from the declarations, by code that shares nothing with what makes packet filters of
    them. What cannot be judged is left out, and the result says how many cells that are and why.
  - Changes nothing, and sends no packet. The role P(breakwater.docker.verify#role) measures what it returns.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
  - breakwater.docker.attributes.info
options:
  world:
    description:
      - An address outside, to which containers may get or not, and from which somebody may come.
      - If left out, the truth table has no outside.
    type: str
  world_ports:
    description:
      - The ports on which something answers at O(world), as V(443) or V(53/udp). Other ports would be refused whether
        the way there is open or not, and are not expected.
    type: list
    elements: str
    default: []
  address:
    description:
      - The host's own address by which who is outside comes to it.
      - If left out, published ports are not among RV(outside).
    type: str
  cells:
    description:
      - How many cells are expected at most, on the host and from outside each.
      - Where there are more, those that must pass come first, then those by icmp, then the ports that somebody names.
    type: int
    default: 20000
  remote:
    description:
      - Containers of other hosts, to which tunnels of a topology lead. P(breakwater.docker.fleet_remote#filter) finds
        them in what other hosts' surveys have returned.
      - With them the result is RV(leaving) and RV(arriving), and nothing on the host itself.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What it is called in the result.
        type: str
        required: true
      address:
        description: Its address there.
        type: str
        required: true
  remote_ports:
    description:
      - The ports of TCP on which O(remote) are asked, and ask. With them goes icmp.
      - Datagrams are not asked, for nobody at the other end tells whether they arrive.
    type: list
    elements: int
    default: []
notes:
  - The managed host needs iproute2, util-linux and iptables, and the task C(become).
seealso:
  - module: breakwater.docker.probe
    description: Measures what is expected here.
  - module: breakwater.docker.explain
    description: Says which entry of a policy decides.
"""

EXAMPLES = r"""
- name: Read what is declared and what is there
  breakwater.docker.survey:
    world: 198.51.100.10
    world_ports: [8080]
    address: "{{ ansible_host }}"
  register: found

- name: Measure the truth table
  breakwater.docker.probe:
    expectations: "{{ item }}"
  loop: "{{ found.expectations | batch(4000) }}"
  loop_control:
    label: "{{ item | length }} cells"
"""

RETURN = r"""
survey:
  description: What is declared, and what is there. The same host gives the same result, in the same order.
  returned: without O(remote)
  type: dict
  contains:
    engine:
      description: The version of the engine.
      type: str
      sample: 26.1.5
    keeper:
      description: Whether a keeper runs on the host.
      type: bool
      sample: true
    networks:
      description: The networks of the topologies, and those that their containers are on beside.
      type: list
      elements: dict
      sample:
        - name: backend
          driver: bridge
          internal: true
          subnets: [10.0.0.0/24]
          gateways: [10.0.0.1]
          topology: shop
    containers:
      description: The containers of the truth table, with their addresses and what they publish.
      type: list
      elements: dict
      sample:
        - name: web
          labels: {tier: edge}
          networks: {frontend: [10.0.1.10]}
          published:
            - port: 8443/tcp
              host: 0.0.0.0
              host_port: 443
    left_out:
      description: The containers that are not in the truth table, with the reason.
      type: list
      elements: dict
      sample:
        - container: agent
          reason: lives in the network of the host
    topologies:
      description:
        - Each topology, with its networks and containers, what its policy allows (C(flows)), and what is not as
          declared (C(drift)). C(policy) is V(deny), V(audit), V(allow) or V(none).
        - C(pending) is what waits for a container. C(failure) says why drift could not be told.
      type: list
      elements: dict
      sample:
        - name: shop
          networks: [backend, frontend]
          containers: [db, web]
          policy: deny
          rules: 0
          flows:
            - from:
                - kind: container
                  name: web
              to:
                - kind: container
                  name: db
              ports: [5432/tcp]
          drift: []
          pending: []
          failure: ""
    exposed:
      description:
        - The ports that the host publishes on other addresses than the loopback, and to whom they are open by what is
          declared. V(anyone) where no policy closes them, V(world) where one allows it, or the subnets that it allows.
          V(not judged) where that cannot be told.
      type: list
      elements: dict
      sample:
        - container: web
          port: 8443/tcp
          host: 0.0.0.0
          host_port: 443
          open_to: [world]
    joined:
      description: The ways to other hosts that topologies declare, from subnets of this one to those behind them.
      type: list
      elements: dict
      sample:
        - local: [10.80.1.0/24]
          remote: [10.80.2.0/24, 10.80.3.0/24]
    ports:
      description: The ports of TCP that somebody on this host names, and one that nobody does.
      type: list
      elements: int
      sample: [7, 443, 5432]
    cells:
      description: How many cells the truth table has, judged or not.
      type: int
      sample: 1250
    passed_over:
      description: How many judged cells are more than O(cells), and not expected.
      type: int
      sample: 0
    unjudged:
      description: Why cells cannot be judged, how many they are, and one of them.
      type: list
      elements: dict
      sample:
        - reason: the port is published, and leads on to container 'web'
          cells: 2
          example: db to host on backend tcp/443
expectations:
  description: The truth table as O(breakwater.docker.probe#module:expectations), for the host itself.
  returned: without O(remote)
  type: list
  elements: dict
  sample:
    - from: web
      to: db
      protocol: tcp
      port: 5432
      network: backend
      expect: pass
outside:
  description:
    - The same for whoever is at O(world), to be measured there. The targets are what is published on O(address), and
      the containers' own addresses.
  returned: without O(remote)
  type: list
  elements: dict
  sample:
    - from: 198.51.100.10
      to: 192.0.2.10
      protocol: tcp
      port: 443
      expect: pass
leaving:
  description:
    - For each container of the host, each of O(remote) and each port, whether the host lets it out. An empty C(expect)
      is a cell that cannot be judged, for C(reason).
    - It passes where the other host lets it in as well. P(breakwater.docker.fleet_across#filter) puts the two together.
  returned: with O(remote)
  type: list
  elements: dict
  sample:
    - from: web
      source: 10.80.1.10
      to: forky/db
      address: 10.80.3.20
      protocol: tcp
      port: 5432
      expect: pass
      reason: ""
arriving:
  description: The same for what comes from O(remote), and whether the host lets it in.
  returned: with O(remote)
  type: list
  elements: dict
  sample:
    - from: forky/db
      source: 10.80.3.20
      to: web
      address: 10.80.1.10
      protocol: tcp
      port: 5432
      expect: drop
      reason: ""
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: world_ports[0]
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.survey import SPEC, Survey
from ansible_collections.breakwater.docker.plugins.module_utils._plan import survey
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(Kind(SPEC, Survey.read, report=survey.report, scope=survey.scope, local=True))


if __name__ == "__main__":
    main()
