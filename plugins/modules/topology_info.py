#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: topology_info
short_description: Read the network of a Docker host as a topology
description:
  - Returns the networks of a host, the connections of its containers and the routes inside them as options of
    M(breakwater.docker.topology) that would change nothing. Use it to bring a host that already runs under the
    collection.
  - What the engine makes by itself is left out, that is, its own networks, the addresses that it hands out and the
    routes that it sets. So are MAC addresses, because engines do not tell a declared one from one that they have
    drawn.
  - The routes of a stopped container cannot be seen.
  - No kernel parameters are returned, because nothing tells a declared one from what the kernel or the engine has set.
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
      - The name that the returned topology bears. Nothing is looked up by it.
    type: str
    default: host
  containers:
    description:
      - Return these containers alone, by name or ID, and the networks that they are on. If left out, all of them.
    type: list
    elements: str
notes:
  - The managed host needs iproute2, util-linux and iptables, and the task C(become).
  - A network that a topology has made can be declared under that topology's name alone.
seealso:
  - module: breakwater.docker.topology
  - module: breakwater.docker.network_info
    description: One network or all, with the addresses in use.
"""

EXAMPLES = r"""
- name: Read what is there
  breakwater.docker.topology_info:
    name: shop
  register: found

- name: Keep it as a file of variables, beside the inventory
  ansible.builtin.copy:
    content: "{{ found.topology | to_nice_yaml(indent=2) }}"
    dest: "{{ inventory_dir }}/found-{{ inventory_hostname }}.yml"
    mode: "0644"
  delegate_to: localhost
  become: false

- name: Declare it as it is, which changes nothing
  breakwater.docker.topology:
    name: "{{ found.topology.name }}"
    networks: "{{ found.topology.networks }}"
    connections: "{{ found.topology.connections }}"
    routes: "{{ found.topology.routes }}"
"""

RETURN = r"""
topology:
  description: The options of M(breakwater.docker.topology). Options at their default are left out.
  returned: success
  type: dict
  contains:
    name:
      description: The name that was asked for.
      type: str
    networks:
      description: The networks, with the options of M(breakwater.docker.network).
      type: list
      elements: dict
    connections:
      description: The networks of each container, with the options of M(breakwater.docker.connection).
      type: list
      elements: dict
    routes:
      description: The routes inside each container, with the options of M(breakwater.docker.route).
      type: list
      elements: dict
  sample:
    name: shop
    networks:
      - name: backend
        internal: true
        ipam_config:
          - subnet: 10.0.0.0/24
            gateway: 10.0.0.1
      - name: frontend
        ipam_config:
          - subnet: 10.0.1.0/24
    connections:
      - container: gateway
        networks:
          - name: backend
            ipv4_address: 10.0.0.3
            aliases: [gw]
          - name: frontend
            ipv4_address: 10.0.1.3
            gw_priority: 100
      - container: s2
        networks:
          - name: frontend
    routes:
      - container: s2
        routes:
          - destination: 0.0.0.0/0
            gateway: 10.0.1.3
          - destination: 10.0.0.0/24
            gateway: 10.0.1.3
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.info import (
    TOPOLOGY_SPEC,
    Everything,
)
from ansible_collections.breakwater.docker.plugins.module_utils._plan import info
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(
        Kind(
            TOPOLOGY_SPEC,
            Everything.read,
            report=info.topology,
            scope=info.everything,
            local=True,
        )
    )


if __name__ == "__main__":
    main()
