#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: tunnel_info
short_description: Read what a plan of a whole fleet must know of a Docker host
description:
  - Returns the public keys that the host keeps, its Docker networks, the subnets that it reaches by itself, and the
    tunnels that a topology of it has declared. The role P(breakwater.docker.wireguard#role) plans the fleet from it.
  - Nothing of what it returns is secret.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes.info
  - breakwater.docker.attributes
options:
  name:
    description:
      - The topology whose tunnels are told.
    type: str
    default: fleet
notes:
  - The managed host needs iproute2, util-linux and iptables, and the task C(become).
seealso:
  - module: breakwater.docker.tunnel
  - module: breakwater.docker.wireguard_key
"""

EXAMPLES = r"""
- name: Read what is there
  breakwater.docker.tunnel_info:
  register: found

- name: Show when each peer was heard
  ansible.builtin.debug:
    var: found.seen.handshakes
"""

RETURN = r"""
seen:
  description: What is there.
  returned: success
  type: dict
  contains:
    engine:
      description: The version of the engine.
      type: str
      sample: "28.5"
    public_keys:
      description: The public keys to the private ones that the host keeps, by name.
      type: dict
      sample: {fleet-1: 3HZ3o4FjBVQHZ3cCZ0Zq0bGoSX7GZz1rmVd1iT1IlFE=}
    preshared:
      description: Fingerprints of the keys that the host shares with peers, by C(<key>.<peer>).
      type: dict
      sample: {fleet-1.edge1: 5e1c2f0a9b7d4c38}
    path_mtu:
      description: The MTU of the interface by which the host leads out, in bytes.
      type: int
      sample: 1500
    networks:
      description: The Docker networks, with name, subnets and driver_options.
      type: list
      elements: dict
    prefixes:
      description: The subnets that the host reaches by itself, with subnet, interface and what.
      type: list
      elements: dict
    pools:
      description: The subnets that the engine draws networks from where none is declared.
      type: list
      elements: str
    tunnels:
      description: The tunnels that the topology has declared last, with the options of M(breakwater.docker.tunnel).
      type: list
      elements: dict
    handshakes:
      description: The seconds since the last handshake, by the names of the interface and of the peer.
      type: dict
      sample: {fleet0: {edge1: 17}}
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.info import TUNNELS_SPEC, Everything
from ansible_collections.breakwater.docker.plugins.module_utils._plan import info
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(Kind(TUNNELS_SPEC, Everything.named, report=info.tunnels, local=True))


if __name__ == "__main__":
    main()
