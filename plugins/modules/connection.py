#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: connection
short_description: Declare the networks of a container
description:
  - Attaches a container to networks or detaches it, and gives each endpoint its addresses, aliases, links, MAC
    address, priority and driver options.
  - It works on any container, running or stopped, whether Compose, C(docker run) or a playbook made it, and needs no
    image or command.
  - Every setting is also compared. A setting that is left out is left alone, and so is a network that is not in the
    list, unless O(exclusive=true).
  - If a setting differs, that one endpoint is reconnected. It keeps all that is not declared otherwise, and the
    routes that a running container had through it are set again.
  - A stopped container that refers to a network which was removed and created anew could not start. It is repaired.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
options:
  container:
    description:
      - The container, by name or ID. Required, unless O(labels) says who is meant.
    type: str
  labels:
    description:
      - A label expression, as V(com.docker.compose.service=web) or V(tier in (web, api\)), in place of O(container).
        Each container that meets all of its terms is meant, running or not.
      - In a topology that a keeper keeps, a container that comes later is attached as soon as it starts.
      - Addresses and MAC addresses cannot be declared then, for they are those of one container.
    type: str
  networks:
    description:
      - The networks. Their order says nothing.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - The network, by name or ID.
        type: str
        required: true
      ipv4_address:
        description:
          - The IPv4 address of the container on the network. It must be free, and within a subnet that was declared
            for the network.
          - If left out, a fixed address that the endpoint has stays. To drop it, detach the container and attach it
            again.
        type: str
      ipv6_address:
        description:
          - The IPv6 address of the container on the network, as for O(networks[].ipv4_address).
        type: str
      link_local_ips:
        description:
          - Link-local addresses of the endpoint. Exact if given.
        type: list
        elements: str
      aliases:
        description:
          - Names by which others on the network find the container, beside its own. Exact if given; an empty list
            takes all of them away.
        type: list
        elements: str
      links:
        description:
          - Links to other containers on the network, V(container:alias) each. Exact if given.
        type: list
        elements: str
      mac_address:
        description:
          - The MAC address of the endpoint. If left out, the one that it has stays through a reconnect.
          - An engine older than 29.3 does not heed it when it attaches a container. It is set on the interface of the
            running container then, and lasts until the container restarts. A stopped container gets it at the first
            run after its start.
        type: str
      driver_opts:
        description:
          - Options of the network's driver for this endpoint. Exact if given.
          - C(com.docker.network.endpoint.sysctls) needs Docker Engine 27.0, C(com.docker.network.endpoint.ifname)
            28.0.
        type: dict
      gw_priority:
        description:
          - The network with the highest number gives the container its default route. V(0) is the engine's default.
          - Needs Docker Engine 28.0. Older engines take the network whose name sorts first. For them, declare a
            default route with M(breakwater.docker.route).
        type: int
  exclusive:
    description:
      - Whether to detach the container from every network that is not in O(networks), C(bridge) among them.
      - If O(networks) is empty, from all of them.
    type: bool
    default: false
  state:
    description:
      - With V(absent), the container is detached from the networks in O(networks).
    type: str
    choices:
      - present
      - absent
    default: present
notes:
  - The task needs C(become), and the managed host iproute2 and util-linux if running containers are concerned.
  - A container that was started with C(network_mode) V(host), V(none) or V(container:...) has no networks of its own.
seealso:
  - module: breakwater.docker.topology
    description: The connections of many containers in one task, with the networks and routes that belong to them.
  - module: breakwater.docker.network
  - module: community.docker.docker_container
    description: Declares the networks of a container that it starts itself, in the same words.
"""

EXAMPLES = r"""
- name: A fixed address and an alias, beside the networks that it has
  breakwater.docker.connection:
    container: web
    networks:
      - name: frontend
        ipv4_address: 10.0.1.20
        aliases: [www]

- name: On these two networks, and no other
  breakwater.docker.connection:
    container: gateway
    networks:
      - name: frontend
        ipv4_address: 10.0.1.3
      - name: backend
        ipv4_address: 10.0.0.3
        mac_address: 02:42:0a:00:00:03
        aliases: [gw]
    exclusive: true

- name: All that Compose runs as this service, however many
  breakwater.docker.connection:
    labels: com.docker.compose.project=shop, com.docker.compose.service=web
    networks:
      - name: frontend

- name: Which of them gives the default route (Docker Engine 28.0 or newer)
  breakwater.docker.connection:
    container: gateway
    networks:
      - name: frontend
        gw_priority: 100

- name: Off the default network
  breakwater.docker.connection:
    container: web
    networks:
      - name: bridge
    state: absent
"""

RETURN = r"""
networks:
  description:
    - All networks of the container as they are now, with the options of O(networks) that declare them. Options at
      their default are left out.
  returned: success, with O(container)
  type: list
  elements: dict
  sample:
    - name: backend
      ipv4_address: 10.0.0.3
      aliases: [gw]
    - name: frontend
      ipv4_address: 10.0.1.3
      gw_priority: 100
containers:
  description:
    - With O(labels), the containers that were meant, each with its networks as RV(networks) tells them.
  returned: success, with O(labels)
  type: dict
  sample:
    web-1:
      - name: frontend
steps:
  description:
    - What was changed, or would be in check mode, in order. RV(breakwater.docker.topology#module:steps) tells what a
      step holds.
  returned: success
  type: list
  elements: dict
  sample:
    - resource: connection web to frontend
      verb: connect
      before: {}
      after:
        name: frontend
        ipv4_address: 10.0.1.20
        aliases: [www]
      cuts: []
pending:
  description: What is declared and waits for the container to run, with the reason.
  returned: success
  type: list
  elements: str
  sample:
    - "MAC address 02:42:0a:00:01:14 on frontend: container 'web' is not running, and its engine is older than 29.3"
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: networks[0].ipv4_address
done:
  description: The steps that were carried out before the one that failed.
  returned: on failure, where a step failed
  type: list
  elements: str
  sample: [disconnect connection s1 to edge]
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import (
    SPEC,
    Connection,
)
from ansible_collections.breakwater.docker.plugins.module_utils._plan import connection
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(
        Kind(
            SPEC,
            Connection.read,
            connection.plan,
            connection.report,
            connection.scope,
            local=True,
        )
    )


if __name__ == "__main__":
    main()
