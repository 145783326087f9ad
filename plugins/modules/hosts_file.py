#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: hosts_file
short_description: Declare names that containers find in their hosts file
description:
  - Writes entries into the C(/etc/hosts) of a running container, or of all running containers on a network. So a
    container finds others by name that its own engine does not know, such as those on other hosts.
  - The entries are in a block of their own between two comment lines. What else is in the file is left alone.
  - The file is written from the host. The image needs no tools for it, and the container no restart.
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
      - Exactly one of O(container) and O(network) is required.
    type: str
  network:
    description:
      - A network, by name or ID. All running containers on it get the entries.
    type: str
  entries:
    description:
      - The addresses and their names. This is the whole block. An entry that an earlier task has written, and that is
        not listed, is gone. An empty list takes the block away.
      - It is required with O(state=present). With O(state=absent), the entries say nothing.
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - An IPv4 or IPv6 address. What is listed several times gets the names of all.
        type: str
        required: true
      names:
        description:
          - The names for it. The first one is what a lookup of the address answers.
          - The parts of a name are letters, digits, C(-) and C(_), with dots between them.
        type: list
        elements: str
        required: true
  state:
    description:
      - With V(present), the block holds O(entries).
      - With V(absent), the block that this module has written is taken away.
    type: str
    choices:
      - present
      - absent
    default: present
notes:
  - The task needs C(become).
  - An engine writes the file anew whenever the container starts. The next run brings the block back. Entries that a
    topology declares are brought back by the keeper as soon as the container has started, and a container that comes to
    the network later gets them as well.
  - A container with the host's network, with that of another container, or with a file of its own mounted at
    C(/etc/hosts) cannot have a block. Named as O(container), that is an error. Found on O(network), it is a warning.
seealso:
  - module: breakwater.docker.topology
    description: The entries of many containers in one task, with the networks and routes that they need.
"""

EXAMPLES = r"""
- name: The containers on the network shop know those of the host edge1
  breakwater.docker.hosts_file:
    network: shop
    entries:
      - address: 10.80.2.10
        names: [db.edge1.example.com, db]
      - address: fd00:80:2::10
        names: [db.edge1.example.com, db]

- name: Take the entries away
  breakwater.docker.hosts_file:
    network: shop
    state: absent
"""

RETURN = r"""
hosts_files:
  description: The lines of the block as they are now, by the name of the container.
  returned: success
  type: dict
  sample:
    web: [10.80.2.10 db.edge1.example.com db, "fd00:80:2::10 db.edge1.example.com db"]
steps:
  description:
    - What was changed, or would be in check mode, in order. RV(breakwater.docker.topology#module:steps) tells what a
      step holds.
  returned: success
  type: list
  elements: dict
  sample:
    - resource: hosts file of web
      verb: set
      before: {}
      after:
        /etc/hosts: [10.80.2.10 db.edge1.example.com db, "fd00:80:2::10 db.edge1.example.com db"]
      cuts: []
volatile:
  description:
    - What would be gone after a restart of a container, with the reason.
    - A keeper brings back what a topology declares, and not this.
  returned: success
  type: list
  elements: str
  sample: ["hosts files on shop: gone when a container restarts"]
field:
  description: The path of the option that is wrong.
  returned: on failure, where one option is to blame
  type: str
  sample: entries[0].names[1]
done:
  description: The steps that were carried out before the one that failed.
  returned: on failure, where a step failed
  type: list
  elements: str
  sample: [set hosts file of web]
"""

from ansible_collections.breakwater.docker.plugins.module_utils._loop import Kind
from ansible_collections.breakwater.docker.plugins.module_utils._model.hosts_file import SPEC, HostsFile
from ansible_collections.breakwater.docker.plugins.module_utils._plan import hosts_file, volatile
from ansible_collections.breakwater.docker.plugins.module_utils._run import run


def main() -> None:
    run(
        Kind(
            SPEC,
            HostsFile.read,
            hosts_file.plan,
            hosts_file.report,
            hosts_file.scope,
            volatile=volatile.of_hosts_file,
            local=True,
        )
    )


if __name__ == "__main__":
    main()
