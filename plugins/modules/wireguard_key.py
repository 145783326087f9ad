#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: wireguard_key
short_description: Make a private key of WireGuard on the host that uses it
description:
  - Draws a private key and keeps it in C(/etc/breakwater/wireguard/<name>.key), which root alone can read. It returns
    the public key, and nothing else. The private key is in no result, no fact, no log and on no other host.
  - A key that is there stays. For another one, ask for another name, and let both be used until all peers know the
    new one.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.attributes
options:
  name:
    description:
      - The name of the key; up to 24 letters, digits, C(_), C(.) and C(-).
    type: str
    required: true
  state:
    description:
      - With V(absent), the key is forgotten, with the keys that it shares with peers.
    type: str
    choices:
      - present
      - absent
    default: present
notes:
  - The managed host needs wireguard-tools, and the task C(become).
seealso:
  - module: breakwater.docker.tunnel
"""

EXAMPLES = r"""
- name: Make the key of this host
  breakwater.docker.wireguard_key:
    name: fleet-1
  register: key

- name: Show what the peers are to know
  ansible.builtin.debug:
    var: key.public_key
"""

RETURN = r"""
public_key:
  description: The public key. Empty where there is none, and in check mode where it would be made.
  returned: success
  type: str
  sample: 3HZ3o4FjBVQHZ3cCZ0Zq0bGoSX7GZz1rmVd1iT1IlFE=
"""

from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._host import wireguard
from ansible_collections.breakwater.docker.plugins.module_utils._model.name import check_name
from ansible_collections.breakwater.docker.plugins.module_utils._run import run_alone

SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    run_alone(
        SPEC, lambda args, check: wireguard.keep_key(check_name(args["name"], "name", "key"), args["state"], check)
    )


if __name__ == "__main__":
    main()
