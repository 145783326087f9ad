#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Prove with packets who reaches whom on a Docker host
description:
  - Sends packets from where each expectation says to where it says, and fails with the expectations that differ.
  - Packets are sent from inside the network namespaces of the containers, by sockets that the host opens there. The
    images need no tool, no shell and no capability.
  - Where nothing listens at the port of a container or of the host, the module listens there itself until it has
    measured. A firewall is so proven before the service behind it runs.
  - All expectations are measured side by side. Those that pass take no time to speak of, those that are dropped take
    O(reply_timeout) together, for each five hundred of them.
  - Nothing on the host is changed, and what was opened is closed.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes.info
  - breakwater.docker.attributes
attributes:
  check_mode:
    support: full
    details:
      - The module measures in check mode too. It changes nothing.
options:
  expectations:
    description:
      - Who shall reach whom, and who shall not. One call takes 4000 of them.
    type: list
    elements: dict
    required: true
    suboptions:
      from:
        description:
          - Where packets are sent from. The name or ID of a running container, V(host) for the host itself, or an
            address of the host.
          - A container that shares the network of another, or of the host, sends from there.
        type: str
        required: true
      to:
        description:
          - Where packets are sent to. The name or ID of a running container, V(host) for the host itself, or an
            address of anybody.
          - From a container, V(host) is the gateway address of the bridge network that O(expectations[].network) names
            or else of the first one of the container, by name. From V(host) it is the loopback address.
          - A loopback address is that of O(expectations[].from).
        type: str
        required: true
      protocol:
        description:
          - What is sent.
          - V(tcp) is a connection, that passes where it is established. It is closed without a byte sent.
          - V(udp) is a datagram of 16 random bytes, that passes where one comes back. A service that is there already
            need not answer it. Then it passes where the datagram is seen to arrive in the container, and the cell
            says so in RV(matrix[].note).
          - V(icmp) is an echo request, that passes where the reply comes back.
        type: str
        choices:
          - icmp
          - tcp
          - udp
        default: tcp
      port:
        description:
          - The port of O(expectations[].to). Needed for V(tcp) and V(udp), and not for V(icmp).
        type: int
      network:
        description:
          - The network, by name or ID, on which O(expectations[].to) has the address that is meant.
          - If left out, the first by name of the networks that both ends share, or else the first of the target. One
            address is probed, and RV(matrix[].address) says which.
        type: str
      ip_version:
        description:
          - V(4) or V(6).
          - If left out, that of the addresses in O(expectations[].from) and O(expectations[].to), and for names V(4).
        type: int
      expect:
        description:
          - V(pass) where packets shall get through.
          - V(drop) where they shall not. That is so where nothing comes back, and also where somebody refuses it, with
            a TCP reset or an ICMP error. RV(matrix[].outcome) tells one from the other.
        type: str
        choices:
          - pass
          - drop
        default: pass
      through:
        description:
          - The name or ID of a container that the way must lead through, as its router. Goes with
            O(expectations[].expect=pass).
          - It is proven by packets of the same protocol and port whose hop limit ends on the way. The router that drops
            one answers with its address.
          - A kernel answers one sender once in a second, after a first few. Where more than three expectations of one
            sender have this option, each further one takes a second, and one call takes 64 of them.
        type: str
  reply_timeout:
    description:
      - How long silence lasts until it counts as a drop, in seconds, from V(0.1) to V(30).
      - The kernel sends the first packet of a TCP connection again after one second. Below that, one lost packet is
        a drop.
    type: float
    default: 2.0
  tries:
    description:
      - How many times an unanswered V(icmp) or V(udp) packet is sent within O(reply_timeout), from V(1) to V(10).
    type: int
    default: 3
  via:
    description:
      - The address of a router, by which the host that the task runs on reaches the addresses of O(expectations[].to).
        It is for a host outside, as one that attacks the containers of another one by their own addresses.
      - The routes are there for the length of the probe, one for each address. Expectations are from the host itself
        to addresses then, and no Docker Engine is needed there.
    type: str
    version_added: 0.1.0
notes:
  - The managed host needs iproute2, util-linux and iptables, and the task C(become).
  - While it measures, an opened listener takes the port on the one address that is probed. It answers none but the
    probe's own datagrams, and reads nothing of a connection.
  - A service that listens on another address of the container, as on its loopback, does not keep the module from
    listening at the one that is probed. What is proven is the way there, not the service.
  - An address that is neither a container's on this host nor the host's own is probed as it is. Where nothing listens
    there, the outcome may be RV(matrix[].outcome=refused) although packets do get through.
seealso:
  - module: breakwater.docker.topology
    description: Declares what is proven here.
  - plugin: breakwater.docker.proof_table
    plugin_type: filter
    description: Lays out what was measured as a table.
"""

EXAMPLES = r"""
- name: The database is for the application alone
  breakwater.docker.probe:
    expectations:
      - from: app
        to: db
        port: 5432
      - from: web
        to: db
        port: 5432
        expect: drop
      - from: db
        to: 198.51.100.10
        protocol: icmp
        expect: drop

- name: The way from one network to the other leads through the gateway, on IPv4 and IPv6
  breakwater.docker.probe:
    expectations:
      - {from: s1, to: s2, port: 8080, through: gateway}
      - {from: s1, to: s2, port: 8080, through: gateway, ip_version: 6}

- name: From the host and to it
  breakwater.docker.probe:
    expectations:
      - {from: host, to: web, port: 80}
      - {from: 192.0.2.10, to: web, port: 80}
      - {from: web, to: host, port: 22, network: frontend, expect: drop}
      - {from: web, to: 192.0.2.10, port: 53, protocol: udp}

- name: Measure, and show the table whatever the outcome
  block:
    - name: Measure
      breakwater.docker.probe:
        expectations: "{{ expectations }}"
      register: proof
  always:
    - name: Show the table
      ansible.builtin.debug:
        msg: "{{ proof | breakwater.docker.proof_table }}"
"""

RETURN = r"""
matrix:
  description:
    - Every expectation with what was measured, in the order of O(expectations).
  returned: when it was measured, as expected or not
  type: list
  elements: dict
  contains:
    index:
      description: The place of the expectation in O(expectations), from 0 on.
      type: int
      sample: 0
    from:
      description: As in O(expectations[].from).
      type: str
      sample: app
    to:
      description: As in O(expectations[].to).
      type: str
      sample: db
    protocol:
      description: As in O(expectations[].protocol).
      type: str
      sample: tcp
    port:
      description: As in O(expectations[].port). V(null) for V(icmp).
      type: int
      sample: 5432
    ip_version:
      description: The version of IP that was used, V(4) or V(6).
      type: int
      sample: 4
    expect:
      description: As in O(expectations[].expect).
      type: str
      sample: pass
    through:
      description: As in O(expectations[].through).
      type: str
      sample: null
    network:
      description: The network that RV(matrix[].address) was taken from. V(null) where it was given, or is the loopback.
      type: str
      sample: backend
    address:
      description: The address that packets were sent to.
      type: str
      sample: 10.0.0.3
    outcome:
      description:
        - V(pass) where packets got through.
        - V(drop) where nothing came back within O(reply_timeout), or where no packet got away, as without a route.
        - V(refused) where somebody answered with a TCP reset or an ICMP error.
      type: str
      sample: pass
    differs:
      description: Whether that is not what was expected.
      type: bool
      sample: false
    latency_ms:
      description:
        - How long the answer took, in milliseconds, from the last packet sent. V(null) where none came.
      type: float
      sample: 0.19
    listener:
      description:
        - V(opened) where the module itself listened, V(existing) where a service does.
        - V(none) for V(icmp) and where the address is not on this host.
      type: str
      sample: opened
    hops:
      description:
        - For O(expectations[].through), the routers that answered on the way, the nearest first, up to the container
          that was looked for.
      type: list
      elements: str
      sample: []
    note:
      description: What else there is to know about the outcome. Empty as a rule.
      type: str
      sample: ""
  sample:
    - index: 0
      from: app
      to: db
      protocol: tcp
      port: 5432
      ip_version: 4
      expect: pass
      through: null
      network: backend
      address: 10.0.0.3
      outcome: pass
      differs: false
      latency_ms: 0.19
      listener: opened
      hops: []
      note: ""
cells:
  description: The items of RV(matrix) that differ.
  returned: on failure, where something differs
  type: list
  elements: dict
  sample:
    - index: 0
      from: web
      to: app
      protocol: tcp
      port: 5432
      ip_version: 4
      expect: drop
      through: null
      network: frontend
      address: 10.0.1.3
      outcome: pass
      differs: true
      latency_ms: 0.231
      listener: opened
      hops: []
      note: ""
measured:
  description: How many expectations were measured.
  returned: when it was measured, as expected or not
  type: int
  sample: 3
msg:
  description: What differs, in one sentence, the first five of it.
  returned: on failure
  type: str
  sample: "1 of 3 expectations differs: web to app tcp/5432 passed, expected drop"
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: expectations[0].to
"""

from functools import partial

from ansible_collections.breakwater.docker.plugins.module_utils._host.probe import measure
from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.probe import SPEC, Probe
from ansible_collections.breakwater.docker.plugins.module_utils._plan import probe
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(
        Kind(
            SPEC,
            Probe.read,
            report=partial(probe.report, measure),
            scope=probe.scope,
            needs_engine=lambda declared: declared.names_containers or declared.via is None,
            local=True,
        )
    )


if __name__ == "__main__":
    main()
