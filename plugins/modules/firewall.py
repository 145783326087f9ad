#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: firewall
short_description: Declare an ordered ruleset for what a Docker host forwards
description:
  - Brings an ordered list of rules into C(DOCKER-USER), the place that Docker leaves to the administrator. They decide
    on packets to and from containers before Docker's own rules do, IPv4 and IPv6.
  - A ruleset is one chain, C(BWR-<name>), reached from C(BREAKWATER), the first that C(DOCKER-USER) jumps to. It is
    swapped in one transaction of C(iptables-restore) and one of C(ip6tables-restore). If the kernel refuses one, the
    rules from before stay in force in that family.
  - The addresses of containers and networks are in sets of C(ipset). A container's new address is an element, not a
    rule.
  - The list is the whole ruleset. A rule that is not in it any more is gone, and a rule of it that somebody changed or
    deleted by hand is put back. Rules and chains of others stay as they are.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
options:
  name:
    description:
      - The name of the ruleset; up to 24 letters, digits, C(_), C(.) and C(-).
      - The O(breakwater.docker.topology#module:rules) of a topology are a ruleset apart, even under the same name.
    type: str
    required: true
  rules:
    description:
      - The rules. The first one that a packet matches decides, except that V(log) goes on to the next.
      - A rule that ties itself to no family, by a subnet, a protocol or a network without IPv6, holds in both.
      - Required with O(state=present).
    type: list
    elements: dict
    suboptions:
      action:
        description:
          - What becomes of a packet.
        type: str
        required: true
        choices:
          allow:
            - No later rule of this ruleset applies. Other rulesets and Docker's own rules still do, so this opens
              nothing that Docker keeps closed.
          drop: It is gone without an answer, whatever any other ruleset says.
          reject: It is answered as O(rules[].reject_with) says.
          log: It is noted in the kernel's log, and the next rule applies.
          return: Another word for V(allow).
      reject_with:
        description:
          - The answer with O(rules[].action=reject). Each has its ICMP or ICMPv6 type in each family.
          - If left out, V(port-unreachable).
        type: str
        choices:
          port-unreachable: The port is closed.
          host-unreachable: The host cannot be reached.
          net-unreachable: There is no route.
          admin-prohibited: Somebody has forbidden it.
          tcp-reset: The connection is reset. This needs O(rules[].protocol=tcp).
      source:
        description:
          - Where a packet comes from. If left out, from anywhere.
          - A subnet or an address.
          - The name or ID of a container; all of its addresses on all of its networks are meant.
          - V(world) for every address outside the subnets of the host's bridge networks.
          - A dictionary with one of the keys C(cidr), C(container) and C(network) to be explicit. A network is
            written no other way.
        type: raw
      destination:
        description:
          - Where a packet goes to, after the translation of published ports, that is, a container's address. If left
            out, to anywhere.
          - It takes what O(rules[].source) takes. V(host) is what was sent to the host and reached a container by a
            published port.
        type: raw
      protocol:
        description:
          - V(tcp), V(udp), V(sctp), V(dccp), V(udplite), V(icmp), V(icmpv6), V(esp), V(ah), or a number. If left out,
            all.
        type: str
      ports:
        description:
          - The destination ports, V(80) or V(8000-8010), after the translation of published ports. These are the
            container's own, not those of the host.
          - They need a O(rules[].protocol) that has ports.
        type: list
        elements: str
      published_port:
        description:
          - The port, or the range, that the packet was sent to before translation. For a published port it is the one
            on the host.
        type: str
      in_interface:
        description:
          - The host's interface that the packet came in by. A C(+) at the end stands for any that begins so.
        type: str
      out_interface:
        description:
          - The host's interface that the packet leaves by.
        type: str
      state:
        description:
          - The states of the connection that the packet belongs to, as the kernel tracks it.
        type: list
        elements: str
        choices:
          - INVALID
          - NEW
          - RELATED
          - ESTABLISHED
          - UNTRACKED
      limit:
        description:
          - The rule matches up to this rate, and no packet beyond it.
        type: dict
        suboptions:
          rate:
            description:
              - A number per V(second), V(minute), V(hour) or V(day), as in V(10/second).
            type: str
            required: true
          burst:
            description:
              - How many may come at once before the rate counts.
            type: int
            default: 5
          per:
            description:
              - With V(source), each address that packets come from has the rate for itself. If left out, they share it.
            type: str
            choices: [source]
      log_prefix:
        description:
          - What the line in the log begins with; up to 29 characters.
          - With another action than V(log), the packet is logged first.
        type: str
      log_limit:
        description:
          - Up to which rate packets are logged. The action itself has no limit by it.
        type: dict
        suboptions:
          rate:
            description:
              - A number per V(second), V(minute), V(hour) or V(day), as in V(10/minute).
            type: str
            required: true
          burst:
            description:
              - How many may come at once before the rate counts.
            type: int
            default: 5
          per:
            description:
              - With V(source), each address that packets come from has the rate for itself. If left out, they share it.
            type: str
            choices: [source]
      comment:
        description:
          - A remark that C(iptables-save) shows; up to 200 characters.
        type: str
      match:
        description:
          - Further arguments of C(iptables) that say what to match, each an item of its own, as they are. They are
            for what the other options lack.
          - C(iptables-restore --test) is asked before anything is changed. What is no match, as C(-j), is refused.
        type: list
        elements: str
  state:
    description:
      - With V(absent), the chain and the sets of the ruleset are removed, and C(BREAKWATER) if nothing else is in it.
    type: str
    choices:
      - present
      - absent
    default: present
notes:
  - The managed host needs iproute2, util-linux and iptables, and the task C(become). A rule that names a container, a
    network or V(world) needs ipset as well.
  - C(DOCKER-USER) sees what the host forwards. It does not see what the host itself sends and receives, which is also
    what passes the userland-proxy, nor packets of macvlan, ipvlan and overlay networks. Packets between containers on
    one bridge pass it only if C(net.bridge.bridge-nf-call-iptables) is 1.
  - Where the engine has no C(DOCKER-USER) for a family (IPv6 before Engine 27, unless configured, and its nftables
    backend), the module makes it, with a jump from the first place in C(FORWARD). The rules hold there just the same,
    and O(state=absent) takes both away.
  - If a container restarts with another address, its sets are wrong until the next run. A fixed address or the
    container's network as the end of a rule has no such gap.
  - The replies to a connection are packets, too. A ruleset that drops what goes to a container begins with a rule that
    allows the states V(ESTABLISHED) and V(RELATED).
seealso:
  - module: breakwater.docker.topology
    description: Takes the same rules, and orders them among networks and connections.
  - name: Docker's own description of DOCKER-USER
    description: What Docker does with packets, and where an administrator's rules go.
    link: https://docs.docker.com/engine/network/packet-filtering-firewalls/
"""

EXAMPLES = r"""
- name: Only one source may reach a published port
  breakwater.docker.firewall:
    name: edge
    rules:
      - action: allow
        source: 203.0.113.0/24
        protocol: tcp
        published_port: 8080
      - action: drop
        source: world
        protocol: tcp
        published_port: 8080

- name: Guard a database container, and say so in the log
  breakwater.docker.firewall:
    name: database
    rules:
      - action: allow
        state: [ESTABLISHED, RELATED]
      - action: allow
        source: {network: backend}
        destination: db
        protocol: tcp
        ports: [5432]
      - action: reject
        reject_with: admin-prohibited
        destination: db
        log_prefix: "db refused: "
        log_limit:
          rate: 10/minute

- name: No more than ten connections of one source, by a match that has no option of its own
  breakwater.docker.firewall:
    name: edge
    rules:
      - action: reject
        reject_with: tcp-reset
        destination: web
        protocol: tcp
        ports: [443]
        match: ["-m", "connlimit", "--connlimit-above", "10"]

- name: Remove a ruleset
  breakwater.docker.firewall:
    name: edge
    state: absent
"""

RETURN = r"""
ruleset:
  description:
    - The ruleset as it is now, in the lines of the tools that print it, by tool. Empty where there is none.
  returned: success
  type: dict
  sample:
    iptables:
      - -A DOCKER-USER -j BREAKWATER
      - -A BREAKWATER -j BWR-edge
      - >-
        -A BWR-edge -s 203.0.113.0/24 -p tcp -m conntrack --ctorigdstport 8080 --ctdir ORIGINAL -j RETURN
steps:
  description:
    - What was changed, or would be in check mode. RV(breakwater.docker.topology#module:steps) tells what a step holds.
      The lines are those of RV(ruleset).
  returned: success
  type: list
  elements: dict
  sample:
    - resource: ruleset edge
      verb: set
      before: {}
      after:
        iptables:
          - -A DOCKER-USER -j BREAKWATER
          - -A BREAKWATER -j BWR-edge
          - -A BWR-edge -s 203.0.113.0/24 -j DROP
      cuts: []
pending:
  description: The containers that are named and have no address, because they do not run.
  returned: success
  type: list
  elements: str
  sample: ["rules[1].destination: container 'db' is not running and has no fixed address"]
volatile:
  description:
    - What would be gone after a restart, a flush or a reboot, with the reason.
    - A keeper brings back what a topology declares, and not this.
  returned: success
  type: list
  elements: str
  sample: ["ruleset edge: gone when the host reboots, or somebody flushes iptables"]
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: rules[3].source
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.firewall import SPEC, Firewall
from ansible_collections.breakwater.docker.plugins.module_utils._plan import firewall, volatile
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(
        Kind(
            SPEC,
            Firewall.read,
            firewall.plan,
            firewall.report,
            volatile=volatile.of_firewall,
            local=True,
        )
    )


if __name__ == "__main__":
    main()
