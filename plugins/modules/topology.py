#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: topology
short_description: Declare the whole network of a Docker host
description:
  - Brings the networks of a host, the connections of its containers, its and their kernel parameters, the routes
    inside them, the rules for what it forwards, the policy of who may talk to whom and the tunnels to other hosts to
    what is declared, in one task and in the order that they need.
  - All of it is planned before the first change. A wrong option, or a network that would have to be recreated, is an
    error at that point, and nothing has been touched.
  - What is not declared is left alone. With O(prune=true), what this topology has made and no longer declares is
    removed, and never what a person, Compose or another topology has made.
  - A declared container that does not exist yet is not an error, unless O(missing_containers=fail). RV(pending) tells
    what waits for it. Run the task again once the container has started.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
  - breakwater.docker.topology
attributes:
  idempotent:
    support: partial
    details:
      - A network with O(networks[].recreate=always) or O(networks[].force=true) is recreated on every run.
options:
  name:
    description:
      - The name by which the topology is known on its host; up to 24 letters, digits, C(_), C(.) and C(-).
      - Two topologies on one host never touch what the other has made.
    type: str
    required: true
  state:
    description:
      - With V(absent), all that the topology has made on the host is removed, whatever is declared beside it. A
        container that O(connections[].exclusive) took off other networks is not put back on them.
    type: str
    choices:
      - present
      - absent
    default: present
  prune:
    description:
      - Whether to remove what this topology has made and no longer declares. That is the routes and the kernel
        parameters that it has set, the connections that it has made, its networks, its rules, its policy, its tunnels
        and its entries in hosts files.
      - A network to which somebody else has attached a container meanwhile is an error, and stays.
      - A default route that is pruned leaves the container without one until it restarts, for the engine's own is set
        at the start.
    type: bool
    default: false
  confirm_within:
    description:
      - After how many seconds the host takes the change back by itself, unless M(breakwater.docker.topology_confirm)
        has confirmed it over a new connection; from 10 to 3600. With V(0), never.
      - It goes back to what the topology declared before, by a timer of systemd and the program of the role
        P(breakwater.docker.keeper#role). A host that goes down meanwhile takes the change back when it boots.
      - A network that somebody has come to use meanwhile stays. What was declared for the first time loses its tunnels,
        rules and policy, and keeps the rest.
    type: int
    default: 0
  missing_containers:
    description:
      - What to do if a declared container does not exist, or does not run and would have to.
    type: str
    choices:
      report: Do the rest, and return in RV(pending) what waits.
      fail: Fail, and change nothing.
    default: report
  expected_containers:
    description:
      - Containers that the play starts after this task.
      - In check mode they are taken as running, on the networks that O(connections) declares for them, so that the
        plan includes what waits for them. Outside check mode the option has no effect.
    type: list
    elements: str
    default: []
notes:
  - The managed host needs iproute2, util-linux and iptables, and the task C(become).
  - What the topology has made is remembered in C(/etc/breakwater/<name>.json), and what a recreate owes in
    C(/var/lib/breakwater/recreate/). Both are root's alone.
  - Docker Engine 28.2 and newer drop packets for a container that enter the host through another bridge than its own.
    If C(net.bridge.bridge-nf-call-iptables) is 1, this also hits the frames that a container sends to a gateway
    container. For the routes that it declares, the topology lets these frames pass, and keeps the direct way through
    the host closed. It does so in iptables chains of its own, C(BREAKWATER) and C(BW-<name>) in the tables C(raw) and
    C(filter); the steps call it passages.
seealso:
  - module: breakwater.docker.topology_info
    description: Returns what is there as the options of this module, for a host that already runs.
  - module: breakwater.docker.network
  - module: breakwater.docker.connection
  - module: breakwater.docker.sysctl
  - module: breakwater.docker.route
  - module: breakwater.docker.tunnel
  - module: breakwater.docker.topology_confirm
  - module: breakwater.docker.hosts_file
"""

EXAMPLES = r"""
- name: Two networks, and a gateway container between them
  breakwater.docker.topology:
    name: shop
    networks:
      - name: frontend
        ipam_config:
          - subnet: 10.0.1.0/24
      - name: backend
        internal: true
        ipam_config:
          - subnet: 10.0.0.0/24
            gateway: 10.0.0.1
    connections:
      - container: gateway
        networks:
          - name: frontend
            ipv4_address: 10.0.1.3
          - name: backend
            ipv4_address: 10.0.0.3
            aliases: [gw]
        exclusive: true
      - container: s1
        networks:
          - name: backend
        exclusive: true
      - container: s2
        networks:
          - name: frontend
        exclusive: true
    sysctls:
      - container: gateway
        values:
          net.ipv4.ip_forward: 1
    routes:
      - container: s1
        routes:
          - destination: 10.0.1.0/24
            via: gateway
      - container: s2
        routes:
          - destination: 10.0.0.0/24
            via: gateway
    prune: true

- name: Remove all that it has made
  breakwater.docker.topology:
    name: shop
    state: absent
"""

RETURN = r"""
steps:
  description: What was changed, or would be in check mode, in order.
  returned: success
  type: list
  elements: dict
  contains:
    resource:
      description: What the step changes.
      type: str
      sample: connection gateway to backend
    verb:
      description:
        - What it does. V(create) and V(remove) for a network. V(connect), V(disconnect), V(release) (a reference to a
          network that is gone) and V(set) (the MAC address) for a connection. V(add), V(change), V(delete) and
          V(restore) for a route. V(set) and V(restore) for a sysctl. V(create), V(set) and V(remove) for a tunnel.
          V(set) and V(remove) for a hosts file and for passages. V(close) (the
          networks, before anyone is attached), V(set) and V(remove) for a policy. V(set), V(change) and V(remove) for a
          ruleset.
      type: str
      sample: connect
    before:
      description: What was there, in the words of the options. Empty where there was nothing.
      type: dict
      sample: {name: bridge}
    after:
      description: What is there now, in the words of the options. Empty where nothing is left.
      type: dict
      sample:
        name: backend
        ipv4_address: 10.0.0.3
        aliases: [gw]
    cuts:
      description: The running containers that lose this connection, until a later step gives it back.
      type: list
      elements: str
      sample: [gateway]
  sample:
    - resource: connection gateway to backend
      verb: connect
      before: {}
      after:
        name: backend
        ipv4_address: 10.0.0.3
        aliases: [gw]
      cuts: []
    - resource: connection gateway to bridge
      verb: disconnect
      before:
        name: bridge
      after: {}
      cuts: [gateway]
    - resource: route 10.0.1.0/24 in s1
      verb: add
      before: {}
      after:
        destination: 10.0.1.0/24
        gateway: 10.0.0.3
      cuts: []
    - resource: passages of shop
      verb: set
      before: {}
      after:
        backend: [10.0.1.0/24]
        frontend: [10.0.0.0/24]
      cuts: []
pending:
  description: What is declared and waits for a container, with the reason.
  returned: success
  type: list
  elements: str
  sample: ["routes in worker: container 'worker' does not exist"]
volatile:
  description:
    - What would be gone after a restart, a flush or a reboot, with the reason.
    - Empty where a keeper runs on the host.
  returned: success
  type: list
  elements: str
  sample: ["routes in s1: gone when it restarts or is reconnected"]
unconfirmed:
  description: Whether the change is taken back unless M(breakwater.docker.topology_confirm) confirms it.
  returned: success
  type: bool
  sample: false
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: connections[0].networks[1].ipv4_address
cuts:
  description: The running containers that the change would cut.
  returned: on failure, where a change was refused
  type: list
  elements: str
  sample: [gateway, s2]
done:
  description: The steps that were carried out before the one that failed.
  returned: on failure, where a step failed
  type: list
  elements: str
  sample:
    - disconnect connection s1 to edge
    - remove network edge
undone:
  description: The steps that brought a network back to what it was after that.
  returned: on failure, where a step failed
  type: list
  elements: str
  sample:
    - create network edge
    - connect connection s1 to edge
    - set connection s1 to edge
"""

from ansible_collections.breakwater.docker.plugins.module_utils._kinds import TOPOLOGY
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(TOPOLOGY)


if __name__ == "__main__":
    main()
