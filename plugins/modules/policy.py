#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: policy
short_description: Declare who may talk to whom
description:
  - Governs the traffic of the containers on the named networks. By default nothing passes but what O(allow) says,
    between containers of one network as well, between a container and the host, and from and to the outside.
  - It is a table of its own in nftables, C(inet breakwater-<name>), whose rules stand still. What is allowed is in
    sets, whose elements come and go, so a packet costs the same with ten entries and with a thousand, for IPv4 and
    IPv6 alike.
  - What stays on one bridge is judged by a second table, C(bridge breakwater-<name>), if the kernel has
    C(nf_conntrack_bridge). If not, C(br_netfilter) is switched on, which is for the whole host. That is a step of its
    own, it lasts through a reboot, and the removal of the last policy takes it back. RV(bridged_by) says which it is.
  - The networks are closed, not a list of containers. A container that nobody has looked at yet is closed, too.
  - Every packet is judged, not the first of a flow alone. What is allowed no longer is cut with the next packet, and
    replies pass as long as their flow is allowed.
  - A policy closes and never opens. Docker's own isolation, rules in C(DOCKER-USER) and other policies hold beside it.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
options:
  name:
    description:
      - The name of the policy; up to 24 letters, digits, C(_), C(.) and C(-).
      - The O(breakwater.docker.topology#module:policy) of a topology has the topology's name.
    type: str
    required: true
  state:
    description:
      - With V(absent), the table is removed, and all that it closed is open as it was before.
    type: str
    choices:
      - present
      - absent
    default: present
  default:
    description:
      - What becomes of traffic that no entry allows.
    type: str
    choices:
      deny: It is dropped.
      audit: It passes. It is logged and counted, as V(deny) would drop it.
      allow: It passes, and there is no table.
    default: deny
  networks:
    description:
      - The networks to govern, by name or ID. They must be bridge networks. The packets of the other drivers do not
        pass the host's packet filter.
      - If left out, the networks of the topology of this name.
    type: list
    elements: str
  allow:
    description:
      - What is allowed. The order says nothing.
    type: list
    elements: dict
    default: []
    suboptions:
      from:
        description:
          - Who may begin to talk; one end or a list of ends.
          - A string is the name of a container, a CIDR or an address, C(host) or C(world).
          - A dictionary has one of the keys C(container), C(labels), C(network) and C(cidr), with a string. C(except)
            beside C(cidr) lists CIDRs to leave out.
          - C(labels) is an expression as in C(app=web), C(app!=web), C(tier in (web, api\\)), C(tier notin (db\\)),
            C(debug) and C(!debug), joined by commas that mean "and". It selects running containers on a governed
            network.
          - A container is meant with all of its addresses, a network with its subnets.
          - C(host) is the host itself, by whichever address. A CIDR never means the host.
          - C(world) is every address that is on no network of this engine and is not the host's.
        type: raw
        required: true
      to:
        description:
          - Whom they may talk to, in the same words as O(allow[].from).
        type: raw
        required: true
      ports:
        description:
          - Ports and protocols, as in V(443), V(8080/tcp), V(8000-8010/udp), V(udp) (all of its ports) or V(icmp).
          - The ports are the container's, also where they are published under another number.
          - If left out, everything.
        type: list
        elements: str
        default: []
  log:
    description:
      - Whether to log what is dropped. With O(default=audit) it is always logged.
    type: bool
    default: false
  log_prefix:
    description:
      - What each line of the log begins with. If left out, C(breakwater), the name and a colon.
    type: str
  log_rate:
    description:
      - How many lines are logged at most, as a number per C(second), C(minute), C(hour) or C(day).
    type: str
    default: 10/minute
notes:
  - The managed host needs nftables, iproute2, util-linux and iptables, and the task C(become).
  - An entry whose container does not exist, or does not run, waits for it. RV(pending) tells so. Run the task again
    once it has started, and also when a container has another address.
  - A published port that docker-proxy serves reaches its container from the host. That is so for clients on the host,
    for containers on the same network, and for IPv6 clients of a container without IPv6. Such clients need an entry
    from C(host).
  - The default of the policy is refused if it would cut an ssh session that somebody has with the host right now from
    a governed network. From elsewhere, ssh to the host is never judged.
seealso:
  - module: breakwater.docker.topology
    description: Has a policy beside its networks, connections and routes.
  - module: breakwater.docker.explain
    description: Says which entry decides about a flow.
  - module: breakwater.docker.firewall
    description: Ordered rules in C(DOCKER-USER), for what is not about who may talk to whom.
"""

EXAMPLES = r"""
- name: Two tiers, and nothing else
  breakwater.docker.policy:
    name: shop
    networks: [frontend, backend]
    allow:
      - from: world
        to: web
        ports: [443]
      - from: web
        to:
          labels: tier=api,!debug
        ports: [8080]
      - from:
          labels: tier in (api, worker)
        to: db
        ports: [5432]
      - from:
          network: backend
        to:
          cidr: 10.20.0.0/16
          except: [10.20.9.0/24]
        ports: [53/udp, 53]
      - from: [web, host]
        to: [db, web]
        ports: [icmp]

- name: See what a default deny would drop, and drop nothing
  breakwater.docker.policy:
    name: shop
    networks: [frontend, backend]
    default: audit

- name: Remove the policy
  breakwater.docker.policy:
    name: shop
    state: absent
"""

RETURN = r"""
bridged_by:
  description:
    - By which part of the kernel the policy judges what stays on one bridge, V(nf_conntrack_bridge) or V(br_netfilter).
    - Empty without a table.
  returned: success
  type: str
  sample: nf_conntrack_bridge
refused:
  description:
    - What the policy has refused since its tables were made, or would have with O(default=audit).
    - With O(default=audit) both tables may count the same packet, if something else has switched C(br_netfilter) on.
  returned: success
  type: dict
  contains:
    packets:
      description: The number of packets.
      type: int
      sample: 12
    bytes:
      description: Their size in bytes.
      type: int
      sample: 720
steps:
  description:
    - What was changed, or would be in check mode, in order. RV(breakwater.docker.topology#module:steps) tells what a
      step holds.
  returned: success
  type: list
  elements: dict
  sample:
    - resource: policy shop
      verb: set
      before: {}
      after:
        default: deny
        networks: [backend, frontend]
        allow: ["web -> db: 5432/tcp", "world -> web: 443/tcp"]
        bridged_by: nf_conntrack_bridge
      cuts: []
pending:
  description: The entries that wait for a container, with the reason.
  returned: success
  type: list
  elements: str
  sample: ["allow[1]: container 'api' does not exist"]
volatile:
  description:
    - What would be gone after a restart, a flush or a reboot, with the reason.
    - A keeper brings back what a topology declares, and not this.
  returned: success
  type: list
  elements: str
  sample: ["policy shop: gone when the host reboots, or somebody flushes nftables"]
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: allow[2].to.labels
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.policy import SPEC, Policy
from ansible_collections.breakwater.docker.plugins.module_utils._plan import policy, volatile
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(Kind(SPEC, Policy.read, policy.plan, policy.report, volatile=volatile.of_policy, local=True))


if __name__ == "__main__":
    main()
