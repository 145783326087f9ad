#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: network_info
short_description: Read networks of a Docker host
description:
  - Returns one network or all of them, with the options of M(breakwater.docker.network) that declare them, and with
    the containers on them, running and stopped.
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
      - The network, by name or ID. If left out, all networks.
    type: str
seealso:
  - module: breakwater.docker.network
  - module: breakwater.docker.topology_info
    description: The whole host, ready to be declared.
"""

EXAMPLES = r"""
- name: One network
  breakwater.docker.network_info:
    name: frontend
  register: frontend

- name: Who is on it
  ansible.builtin.debug:
    msg: "{{ frontend.networks[0].containers | map(attribute='container') }}"

- name: All networks
  breakwater.docker.network_info:
  register: found

- name: Subnets that are taken
  ansible.builtin.debug:
    msg: "{{ found.networks | map(attribute='ipam_config', default=[]) | flatten | map(attribute='subnet') }}"
"""

RETURN = r"""
exists:
  description: Whether there is such a network, or any.
  returned: success
  type: bool
  sample: true
networks:
  description:
    - The networks in the order of their names. Each has the options of M(breakwater.docker.network) that declare it,
      those at their default left out, and what follows.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The full ID.
      type: str
    name:
      description: The name.
      type: str
    driver:
      description: The driver.
      type: str
    interface:
      description: The name of the bridge on the host. V(none) for drivers without one.
      type: str
    topology:
      description: The topology that has made the network. V(none) if none has.
      type: str
    containers:
      description: The containers on the network, running and stopped, in the order of their names.
      type: list
      elements: dict
      contains:
        container:
          description: The name.
          type: str
        id:
          description: The full ID.
          type: str
        running:
          description: Whether it runs.
          type: bool
        addresses:
          description: The addresses in use, or the fixed ones that it has when it starts.
          type: list
          elements: str
        mac_address:
          description: The MAC address, as the engine knows it. V(none) while the container does not run.
          type: str
        stale:
          description:
            - Whether it refers to a former network of this name, and so could not start.
              M(breakwater.docker.connection) repairs it.
          type: bool
  sample:
    - id: 9f5002cbfce6373d52936e70a1cbe4827c93cc4792825728237993379f183caf
      name: backend
      driver: bridge
      interface: br-9f5002cbfce6
      topology: shop
      internal: true
      ipam_config:
        - subnet: 10.0.0.0/24
          gateway: 10.0.0.1
      containers:
        - container: gateway
          id: bde4c9310761dcbe63b928c019da5aa406b564bb6f90aba048555fc09c39803d
          running: true
          addresses: [10.0.0.3]
          mac_address: b2:05:89:63:22:c4
          stale: false
        - container: s1
          id: 817fb8c39d89a41d0fde7a9e59d3611ae40ca7b115e4aedf6214ae3ffed3afae
          running: true
          addresses: [10.0.0.2]
          mac_address: 12:5e:17:70:73:64
          stale: false
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.info import (
    NETWORK_SPEC,
    Networks,
)
from ansible_collections.breakwater.docker.plugins.module_utils._plan import info
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(
        Kind(
            NETWORK_SPEC,
            Networks.read,
            report=info.networks,
        )
    )


if __name__ == "__main__":
    main()
