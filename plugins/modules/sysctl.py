#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: sysctl
short_description: Declare kernel parameters of a Docker host, or of a container on it
description:
  - Sets kernel parameters of the host, now and for every boot, or those that a running container has for itself.
  - A container's are set from the host, in its namespaces. The image needs no tools for it, and the container no
    privileges.
  - Parameters that are not listed are left alone.
  - What was found before is remembered, and O(state=absent) gives it back.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.docker
  - breakwater.docker.attributes
options:
  container:
    description:
      - The container, by name or ID. It must run. If left out, the host.
      - A container has for itself what the kernel keeps for each namespace. That is most of C(net.*), C(fs.mqueue.*),
        the C(kernel.shm*), C(kernel.msg*) and C(kernel.sem) of System V, C(kernel.hostname) and
        C(kernel.domainname).
    type: str
  values:
    description:
      - The parameters and their values, which are numbers or text. Keys are written as C(sysctl) takes them, with
        dots or slashes.
      - The numbers of a value that lists several are separated by blanks, as in V(4096 131072 16777216).
      - With O(state=absent), the values say nothing.
    type: dict
    default: {}
  networks:
    description:
      - Parameters of the container's interfaces, by the name of the network that the interface is on. Where the name
        of the interface belongs, the key has C(IFNAME), as in C(net.ipv4.conf.IFNAME.rp_filter).
      - Goes with O(container) alone.
    type: dict
    default: {}
  state:
    description:
      - With V(present), the parameters have the values in O(values) and O(networks).
      - With V(absent), those of them that were set here get back the value that was found before. One that somebody
        else has changed since then is left as it is.
    type: str
    choices:
      - present
      - absent
    default: present
  raise_only:
    description:
      - Whether the declared numbers are floors. A number that is higher already, and was not set here, is left alone
        and not set at boot either. A number that was set here may be lowered.
      - The numbers of a value that lists several are compared one by one. A range of ports or groups is widened.
    type: bool
    default: false
  exact:
    description:
      - Keys of O(values) that O(raise_only) does not concern, for their numbers are no sizes, or are wanted as they
        are.
    type: list
    elements: str
    default: []
notes:
  - The task needs C(become). For a container's parameters the managed host needs iproute2, util-linux, iptables and
    nftables too; for its own it needs no engine.
  - On the host, the values are also written to C(/etc/sysctl.d/60-breakwater.conf), and the kernel modules that they
    need to C(/etc/modules-load.d/breakwater-sysctl.conf). Both are compared with what is declared. If a file that comes
    later sets another value, a warning names it.
  - In a container, the values are lost at its restart, and those in O(networks) at a reconnect as well. The next run
    sets them again.
  - What was found before is remembered in C(/var/lib/breakwater/sysctl/), which is root's alone.
seealso:
  - module: breakwater.docker.topology
    description: The parameters of many containers in one task, with the networks and connections that they need.
"""

EXAMPLES = r"""
- name: Larger queues and port range on the host
  breakwater.docker.sysctl:
    values:
      net.core.somaxconn: 4096
      net.ipv4.ip_local_port_range: 15000 64999

- name: Room for connections, but never less than the admin has given
  breakwater.docker.sysctl:
    values:
      net.netfilter.nf_conntrack_max: 262144
      net.ipv4.tcp_rmem: 4096 131072 16777216
      net.ipv4.tcp_tw_reuse: 1
    raise_only: true
    exact: [net.ipv4.tcp_tw_reuse]

- name: A container that routes, with loose source checks towards one network
  breakwater.docker.sysctl:
    container: gateway
    values:
      net.ipv4.ip_forward: 1
    networks:
      frontend:
        net.ipv4.conf.IFNAME.rp_filter: 2

- name: Back to what was there before
  breakwater.docker.sysctl:
    values:
      net.core.somaxconn:
    state: absent
"""

RETURN = r"""
values:
  description:
    - The parameters in O(values) as they are now. V(null) for one that has no value.
  returned: success
  type: dict
  sample:
    net.ipv4.ip_forward: "1"
networks:
  description:
    - The parameters in O(networks) as they are now.
  returned: success
  type: dict
  sample:
    frontend:
      net.ipv4.conf.IFNAME.rp_filter: "2"
steps:
  description:
    - What was changed, or would be in check mode, in order. RV(breakwater.docker.topology#module:steps) tells what a
      step holds.
  returned: success
  type: list
  elements: dict
  sample:
    - resource: sysctl net.core.somaxconn
      verb: set
      before:
        live: "128"
      after:
        live: "4096"
        drop_in: "4096"
      cuts: []
volatile:
  description:
    - What would be gone after a restart or a reconnect of the container, with the reason.
    - A keeper brings back what a topology declares, and not this.
  returned: success
  type: list
  elements: str
  sample: ["sysctls of gateway: gone when it restarts or is reconnected"]
field:
  description: The path of the option that is wrong, or of the value that the kernel refuses.
  returned: on failure, where one option is to blame
  type: str
  sample: values.net.core.somaxconn
done:
  description: The steps that were carried out before the one that failed.
  returned: on failure, where a step failed
  type: list
  elements: str
  sample: [set sysctl net.core.somaxconn]
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.sysctl import SPEC, Sysctls
from ansible_collections.breakwater.docker.plugins.module_utils._plan import sysctl, volatile
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(
        Kind(
            SPEC,
            Sysctls.read,
            sysctl.plan,
            sysctl.report,
            sysctl.scope,
            volatile=volatile.of_sysctls,
            needs_engine=lambda declared: declared.container is not None,
            local=True,
        )
    )


if __name__ == "__main__":
    main()
