#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: tunnel
short_description: Declare a Docker host's way to the containers of other hosts
description:
  - Makes an interface of WireGuard or VXLAN, or sets plain routes, by which the containers on some of the host's
    networks reach those behind its peers by address. The source address is kept.
  - What is there already is changed in place, peer by peer. A peer that the change is not about loses no packet and no
    session.
  - Only what goes between O(subnets) and the peers' O(peers[].subnets) passes. Other networks of the host cannot use
    the tunnel, who comes by it reaches no service of the host, and what is for a peer never leaves by another way.
  - WireGuard is the kernel's, where the kernel has it. Where not, C(wireguard-go) runs as a service of systemd.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
options:
  name:
    description:
      - The name of the interface; a letter, then up to 14 letters, digits, C(_) and C(-).
      - Two interfaces whose names differ in their last digits alone belong together. What is for a peer of one may
        leave by the other, as it does while keys are exchanged.
    type: str
    required: true
  state:
    description:
      - With V(absent), the interface goes, with its routes and what filters it. Keys stay.
    type: str
    choices:
      - present
      - absent
    default: present
  backend:
    description:
      - By which the hosts reach each other.
    type: str
    choices:
      wireguard: Encrypted and authenticated, over any network that carries UDP.
      vxlan: In UDP, neither encrypted nor authenticated, for a network that is trusted.
      direct: Plain routes, for hosts on one LAN that is trusted.
    default: wireguard
  key:
    description:
      - The name of the private key, which M(breakwater.docker.wireguard_key) has made on the host. If left out,
        O(name).
      - Goes with O(backend=wireguard).
    type: str
  listen_port:
    description:
      - The UDP port of the tunnel. If left out, 51820 for WireGuard and 4789 for VXLAN.
      - The host's firewall must let it in.
    type: int
  local:
    description:
      - The address from which this host sends. Required with O(backend=vxlan), and of no use with others.
    type: str
  vni:
    description:
      - The number of the VXLAN, which all its hosts share.
    type: int
    default: 4789
  mtu:
    description:
      - The largest packet that the tunnel takes, in bytes. If left out, that of the interface by which the host leads
        out, less what WireGuard (80) or VXLAN (70) adds, and 1280 at least.
      - TCP connections agree on segments that fit, whatever the MTU of their network is.
    type: int
  transit:
    description:
      - Whether the peers reach each other through this host, as those of a hub do. Not with O(backend=direct).
    type: bool
    default: false
  subnets:
    description:
      - The subnets of this host whose containers may use the tunnel. Required with O(state=present).
      - From Engine 28 on, containers are shielded from what comes by other ways than their bridge. That is lifted for
        these subnets and this tunnel, by the network's own option C(trusted_host_interfaces) if it has one that names
        the tunnel, else by a rule in the table C(raw).
    type: list
    elements: str
    default: []
  peers:
    description:
      - The ends on other hosts, all of them. A peer that is not listed goes.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - The name by which messages and results call it.
        type: str
        required: true
      public_key:
        description:
          - Its public key. Required with WireGuard.
        type: str
      endpoint:
        description:
          - Where it is called. With WireGuard an address or a name, with a port, as in V(192.0.2.1:51820) or
            V([2001:db8::1]:51820). If left out, it is the peer that calls.
          - With VXLAN and plain routes, its address alone.
          - A name is looked up anew when the peer has been silent for 275 seconds.
        type: str
      subnets:
        description:
          - What is behind it. From a peer nothing else is taken, and to it nothing else is sent.
        type: list
        elements: str
        required: true
      keepalive:
        description:
          - After how many seconds of silence this host sends something, so that a NAT before it does not forget the
            way. Never with V(0).
        type: int
        default: 0
      preshared:
        description:
          - Whether this host shares a key with the peer, kept as C(<key>@<peer>.psk) beside the private one.
        type: bool
        default: false
      route:
        description:
          - Whether the host sends what is for the peer this way. What comes from it is taken either way.
        type: bool
        default: true
notes:
  - The managed host needs iproute2, util-linux, iptables and nftables, for WireGuard wireguard-tools as well, and the
    task C(become).
  - A tunnel that this module alone declares is gone after a reboot. Declared in a topology, it is kept.
  - It accepts in the chain C(BWX-<name>) of iptables, which C(DOCKER-USER) leads to, and closes in the table
    C(inet BWX-<name>) of nftables.
seealso:
  - module: breakwater.docker.wireguard_key
  - module: breakwater.docker.tunnel_info
  - module: breakwater.docker.topology
"""

EXAMPLES = r"""
- name: Make the key, which never leaves the host
  breakwater.docker.wireguard_key:
    name: fleet0
  register: key

- name: Join the network of this host with that of another one
  breakwater.docker.tunnel:
    name: fleet0
    subnets: [10.80.1.0/24]
    peers:
      - name: edge1
        public_key: "{{ hostvars.edge1.key.public_key }}"
        endpoint: 192.0.2.7:51820
        subnets: [10.80.2.0/24]

- name: The same between two hosts of one LAN, without a tunnel
  breakwater.docker.tunnel:
    name: fleet0
    backend: direct
    subnets: [10.80.1.0/24]
    peers:
      - name: edge1
        endpoint: 192.0.2.7
        subnets: [10.80.2.0/24]
"""

RETURN = r"""
driver:
  description: V(kernel), V(wireguard-go), or empty where there is no interface.
  returned: success
  type: str
  sample: kernel
public_key:
  description: The public key of this end.
  returned: success
  type: str
  sample: 3HZ3o4FjBVQHZ3cCZ0Zq0bGoSX7GZz1rmVd1iT1IlFE=
mtu:
  description: The largest packet that the tunnel takes, in bytes.
  returned: success
  type: int
  sample: 1420
handshakes:
  description: The seconds since the last handshake, by the name of the peer. Who never shook hands is not listed.
  returned: success
  type: dict
  sample: {edge1: 17}
steps:
  description: What was changed, or would be in check mode, as of M(breakwater.docker.topology).
  returned: success
  type: list
  elements: dict
  sample:
    - resource: tunnel fleet0
      verb: set
      before:
        peer edge1:
          endpoint: 192.0.2.7:51820
      after:
        peer edge1:
          endpoint: 192.0.2.8:51820
      cuts: []
volatile:
  description: What would be gone after a reboot, with the reason.
  returned: success
  type: list
  elements: str
  sample: ["tunnel fleet0: gone when the host reboots"]
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: peers[0].subnets[0]
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.tunnel import SPEC, Tunnel
from ansible_collections.breakwater.docker.plugins.module_utils._plan import tunnel, volatile
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(Kind(SPEC, Tunnel.read, tunnel.plan, tunnel.report, volatile=volatile.of_tunnel, local=True))


if __name__ == "__main__":
    main()
