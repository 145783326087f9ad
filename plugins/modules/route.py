#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: route
short_description: Declare the routes inside a container
description:
  - Sets and removes routes in the network namespace of a running container, from the host. The image needs no tools
    for it, and the container no C(NET_ADMIN).
  - The gateway is an address or the name of a container. A route leaves through a network, never through the name of
    an interface, because engines give interfaces new names at every reconnect.
  - A route is known by its destination, table and metric, as it is to the kernel. Routes that are not in the list are
    left alone, unless O(purge=true).
  - A container for which a route through a gateway is set accepts no ICMP redirects any more, by C(accept_redirects)
    in its namespace. A gateway container that is about to start sends such, and they would lead around the route.
  - Routes live in the container's namespace. A restart of the container loses them until the next run. When this
    collection reconnects an endpoint or recreates a network, it sets them again.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
options:
  container:
    description:
      - The container, by name or ID. It must run.
    type: str
    required: true
  routes:
    description:
      - The routes. Their order says nothing.
    type: list
    elements: dict
    default: []
    suboptions:
      destination:
        description:
          - The subnet or the address that the route leads to.
          - V(default) is C(0.0.0.0/0), or C(::/0) if O(routes[].gateway) is an IPv6 address. A default route replaces
            the one that the engine has set.
        type: str
        required: true
      gateway:
        description:
          - The address of the next hop, in a subnet of one of the container's networks.
        type: str
      via:
        description:
          - The container that is the next hop, by name or ID. Its address on the network that both share is looked
            up.
          - If they share more than one, O(routes[].network) says which.
        type: str
      network:
        description:
          - The network that the route leaves through, by name or ID. Without O(routes[].gateway) and O(routes[].via),
            the destination itself is taken to be on it.
          - If left out, the network that the next hop is on.
        type: str
      metric:
        description:
          - Of two routes to one destination, the lower metric wins. If left out, the kernel's own choice, which is 0
            for IPv4 and 1024 for IPv6.
        type: int
      table:
        description:
          - The routing table, V(main), V(default) or a number.
        type: str
        default: main
      onlink:
        description:
          - Whether O(routes[].gateway) is a neighbour on O(routes[].network) although it is in none of its subnets.
        type: bool
        default: false
      type:
        description:
          - What becomes of a packet. All but V(unicast) take no gateway and no network.
        type: str
        choices:
          unicast: It is sent on to the next hop.
          blackhole: It is dropped without an answer.
          unreachable: It is answered with host unreachable.
          prohibit: It is answered with administratively prohibited.
        default: unicast
      state:
        description:
          - With V(absent), the route with this destination, table and metric is removed, wherever it leads.
        type: str
        choices:
          - present
          - absent
        default: present
  purge:
    description:
      - Whether to remove every route that is not in O(routes), in all tables.
      - Default routes are left alone, and so are routes that the kernel makes for an address or a router advertises.
    type: bool
    default: false
notes:
  - The managed host needs iproute2, util-linux and iptables, and the task C(become).
  - On Docker Engine 28.2 and newer, a route through a gateway container may need more than the route, and
    M(breakwater.docker.topology) sees to that; its notes say when. This module does not.
seealso:
  - module: breakwater.docker.topology
    description: The routes of many containers in one task, with the networks and connections that they need.
"""

EXAMPLES = r"""
- name: Through a container that routes between two networks
  breakwater.docker.route:
    container: s1
    routes:
      - destination: 10.0.1.0/24
        via: gateway

- name: By address, and a destination that must not be reached by the default route
  breakwater.docker.route:
    container: s2
    routes:
      - destination: 10.0.0.0/24
        gateway: 10.0.1.3
      - destination: 203.0.113.0/24
        type: blackhole

- name: These routes and no others, with a default route through the gateway
  breakwater.docker.route:
    container: s2
    routes:
      - destination: default
        via: gateway
      - destination: 10.0.0.0/24
        via: gateway
    purge: true

- name: A second way with a higher metric, and a route in a table of its own
  breakwater.docker.route:
    container: s1
    routes:
      - destination: 198.51.100.0/24
        via: gateway
        metric: 200
      - destination: default
        via: gateway
        table: "100"

- name: Remove a route
  breakwater.docker.route:
    container: s1
    routes:
      - destination: 10.0.1.0/24
        state: absent
"""

RETURN = r"""
routes:
  description:
    - The routes of the container as they are now, with the options of O(routes) that declare them. Options at their
      default and the routes that the kernel makes are left out.
  returned: success
  type: list
  elements: dict
  sample:
    - destination: 0.0.0.0/0
      gateway: 10.0.0.3
      table: "100"
    - destination: 198.51.100.0/24
      gateway: 10.0.0.3
      metric: 200
steps:
  description:
    - What was changed, or would be in check mode, in order. RV(breakwater.docker.topology#module:steps) tells what a
      step holds.
  returned: success
  type: list
  elements: dict
  sample:
    - resource: route 203.0.113.0/24 in s2
      verb: add
      before: {}
      after:
        destination: 203.0.113.0/24
        type: blackhole
      cuts: []
volatile:
  description:
    - What would be gone after a restart, a flush or a reboot, with the reason.
    - A keeper brings back what a topology declares, and not this.
  returned: success
  type: list
  elements: str
  sample: ["routes in s1: gone when it restarts or is reconnected"]
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: routes[0].via
done:
  description: The steps that were carried out before the one that failed.
  returned: on failure, where a step failed
  type: list
  elements: str
  sample: [add route 198.51.100.0/24 in s1]
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.route import SPEC, Routes
from ansible_collections.breakwater.docker.plugins.module_utils._plan import route, volatile
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(
        Kind(
            SPEC,
            Routes.read,
            route.plan,
            route.report,
            route.scope,
            volatile=volatile.of_routes,
            local=True,
        )
    )


if __name__ == "__main__":
    main()
