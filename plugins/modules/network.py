#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: Declare a network of a Docker host
description:
  - Creates, changes and removes a network, and loses nobody who is on it.
  - An engine can change nothing of a network but its members. Any other change needs a new network, and is refused by
    default, with the difference and the names of the containers that it would cut. O(recreate=if_needed) allows it.
  - A recreate puts every endpoint back, of running and of stopped containers alike, with its addresses, aliases,
    links, MAC address, driver options and priority, and sets again the routes that a running container had through
    it. If a step fails, the network is rolled back to what it was. If the run itself is killed, the next one goes on
    from a journal on the host.
  - A subnet that overlaps another network, a route or an address of the host is an error before anything is touched,
    and the error names the owner.
  - The options have the names that M(community.docker.docker_network) gives them. What is left out is left alone.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
attributes:
  idempotent:
    support: partial
    details:
      - With O(recreate=always), or O(force=true) on a network that is to be there, every run recreates it.
options:
  name:
    description:
      - The name of the network. The engine's own ones (C(bridge), C(host), C(none), C(ingress)) cannot be declared.
    type: str
    required: true
    aliases:
      - network_name
  state:
    description:
      - With V(absent), the network is removed. While containers are on it, running or stopped, that is an error; see
        O(force).
    type: str
    choices:
      - present
      - absent
    default: present
  driver:
    description:
      - V(bridge), V(macvlan), V(ipvlan), V(overlay) (on a host that is in a swarm), or the name of a plugin.
      - V(host) and V(null) are refused. An engine has one network of each, and a container takes it by its
        C(network_mode).
      - Because of its default it is always compared. For a network that is not a bridge, declare it every time.
      - A network that is recreated with another driver keeps none of the options that belong to the former one, its
        subnets among them.
    type: str
    default: bridge
  driver_options:
    description:
      - Options of the driver, as in C(docker network create --opt).
      - The keys that are given are compared, others that the network has are left alone.
      - An engine ignores an option that it does not know. Here, an option that the drivers V(bridge), V(macvlan),
        V(ipvlan) and V(overlay) do not have is an error, and so is one that the engine is too old for.
      - C(true) and C(false) may be written as booleans.
    type: dict
    default: {}
  ipam_driver:
    description:
      - The IPAM driver, if it is not the engine's own.
    type: str
  ipam_driver_options:
    description:
      - Options of the IPAM driver. Exact if given. An option that the network has beyond them is a difference.
    type: dict
  ipam_config:
    description:
      - The subnets. If left out, the engine chooses one for a new network, and those of an existing one are left
        alone.
      - Exact within the address families that it mentions. If the list has an IPv4 subnet, any other IPv4 subnet of
        the network is a difference; an IPv6 subnet is not.
    type: list
    elements: dict
    suboptions:
      subnet:
        description:
          - The subnet in CIDR form, V(10.0.1.0/24) or V(fd00:1::/64).
        type: str
        required: true
      iprange:
        description:
          - The part of the subnet from which the engine hands out addresses, in CIDR form.
          - If left out, what the network has is left alone.
        type: str
      gateway:
        description:
          - The address of the gateway. On a bridge it is the host's.
          - If left out, the engine chooses one for a new network, and what an existing one has is left alone.
        type: str
      aux_addresses:
        description:
          - Addresses that the engine hands out to nobody, by the name of who has them.
          - Exact if given.
        type: dict
  internal:
    description:
      - Whether the network has no way out to other networks of the host, or beyond.
    type: bool
  attachable:
    description:
      - Whether single containers, and not services alone, may join a network of swarm scope.
    type: bool
  ingress:
    description:
      - Whether it is the network of the swarm's routing mesh.
    type: bool
  enable_ipv4:
    description:
      - Whether the network has IPv4. With V(false), it needs O(enable_ipv6=true).
      - Needs Docker Engine 28.0.
    type: bool
  enable_ipv6:
    description:
      - Whether the network has IPv6.
      - Before Docker Engine 27.0, this needs an IPv6 subnet in O(ipam_config).
    type: bool
  scope:
    description:
      - How far the network reaches.
    type: str
    choices:
      - local
      - global
      - swarm
  config_only:
    description:
      - Whether it only holds the configuration for other networks, which name it in O(config_from).
    type: bool
  config_from:
    description:
      - The network, made with O(config_only=true), that gives this one its O(ipam_config) and O(driver_options).
    type: str
  labels:
    description:
      - Labels of the network.
      - The keys that are given are compared, others that the network has are left alone.
      - The label C(breakwater.topology) cannot be declared. By it a topology knows the networks that it has made.
    type: dict
    default: {}
  connected:
    description:
      - The containers that are on the network, by name or ID. If left out, its members are left alone.
      - Exact. Whoever is on the network and not in the list is detached, and an empty list detaches everybody, unless
        O(appends=true).
      - A container that is on the network already keeps its endpoint as it is. One that joins gets an address from
        the engine. To declare addresses, aliases and the like, use M(breakwater.docker.connection).
    type: list
    elements: str
    aliases:
      - containers
  appends:
    description:
      - Whether containers that are on the network and not in O(connected) may stay.
    type: bool
    default: false
    aliases:
      - incremental
  recreate:
    description:
      - What to do if the network differs from what is declared in more than its members.
    type: str
    choices:
      never: Fail and change nothing. The error has the difference and the containers that a recreate would cut.
      if_needed: >-
        Recreate the network and put every endpoint back. A fixed address for which the new network has no place is an
        error.
      always: Recreate it on every run, whether it differs or not.
    default: never
  force:
    description:
      - With O(state=present), the same as O(recreate=always).
      - With O(state=absent), detach whoever is still on the network, then remove it.
    type: bool
    default: false
notes:
  - The task needs C(become), and the managed host iproute2 and util-linux if running containers are concerned.
seealso:
  - module: breakwater.docker.topology
    description: Many networks in one task, with the connections and routes that belong to them.
  - module: breakwater.docker.network_info
  - module: breakwater.docker.connection
  - module: community.docker.docker_network
    description: >-
      The options are the same. It recreates a network at any difference, and restores neither the addresses and
      aliases of its endpoints nor the endpoints of stopped containers.
"""

EXAMPLES = r"""
- name: A network whose subnet the engine chooses
  breakwater.docker.network:
    name: frontend

- name: A network without a way out of the host
  breakwater.docker.network:
    name: backend
    internal: true
    ipam_config:
      - subnet: 10.0.0.0/24
        gateway: 10.0.0.1

- name: IPv4 and IPv6, with options of the bridge driver
  breakwater.docker.network:
    name: edge
    enable_ipv6: true
    ipam_config:
      - subnet: 10.0.2.0/24
        iprange: 10.0.2.128/25
        aux_addresses:
          balancer: 10.0.2.10
      - subnet: fd00:2::/64
    driver_options:
      com.docker.network.driver.mtu: 1400
      com.docker.network.bridge.enable_icc: false
    labels:
      tier: edge

- name: Another subnet, although containers are on it
  breakwater.docker.network:
    name: edge
    enable_ipv6: true
    ipam_config:
      - subnet: 10.0.3.0/24
      - subnet: fd00:2::/64
    recreate: if_needed

- name: A network on the host's own LAN
  breakwater.docker.network:
    name: lan
    driver: macvlan
    driver_options:
      parent: eth0
    ipam_config:
      - subnet: 192.0.2.0/24
        gateway: 192.0.2.1
        iprange: 192.0.2.192/26

- name: Two containers that must be on it, whoever else is
  breakwater.docker.network:
    name: frontend
    connected: [web, db]
    appends: true

- name: Remove it, and detach whoever is still on it
  breakwater.docker.network:
    name: frontend
    state: absent
    force: true
"""

RETURN = r"""
network:
  description:
    - The network as it is now, its full ID, and the options that declare it. Options at their default are left out.
      The ID of a network that check mode would create is V(planned:) and its name.
    - V(none) if there is no such network.
  returned: success
  type: dict
  sample:
    id: be826afe540bfb0f3cd582fb9f888c4f5d9c57a6bbbc1a046bdcc9d31d315c44
    name: edge
    enable_ipv6: true
    ipam_config:
      - subnet: 10.0.3.0/24
      - subnet: fd00:2::/64
    driver_options:
      com.docker.network.bridge.enable_icc: "false"
      com.docker.network.driver.mtu: "1400"
    labels:
      tier: edge
steps:
  description:
    - What was changed, or would be in check mode, in order. RV(breakwater.docker.topology#module:steps) tells what a
      step holds.
  returned: success
  type: list
  elements: dict
  sample:
    - resource: network backend
      verb: create
      before: {}
      after:
        name: backend
        internal: true
        ipam_config:
          - subnet: 10.0.0.0/24
            gateway: 10.0.0.1
      cuts: []
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: ipam_config[0].subnet
cuts:
  description: The running containers that the change would cut.
  returned: on failure, where the change was refused
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
  description: The steps that brought the network back after that.
  returned: on failure, where a step failed
  type: list
  elements: str
  sample:
    - create network edge
    - connect connection s1 to edge
    - set connection s1 to edge
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import SPEC, Network
from ansible_collections.breakwater.docker.plugins.module_utils._plan import network
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(
        Kind(
            SPEC,
            Network.read,
            network.plan,
            network.report,
            network.scope,
            settled=Network.settled,
            local=True,
        )
    )


if __name__ == "__main__":
    main()
