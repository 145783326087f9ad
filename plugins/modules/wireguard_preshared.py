#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: wireguard_preshared
short_description: Share keys of WireGuard between the two hosts of each pair
description:
  - WireGuard mixes a pre-shared key into what two hosts agree on. Who records their tunnel and breaks its X25519 later,
    as a quantum computer may, cannot read it without that key.
  - Of each pair the host whose name sorts first draws the key, if it keeps none, and returns it sealed. The other one
    is given that text, opens it and keeps the key. Both keep it in C(/etc/breakwater/wireguard/<key>@<peer>.psk), which
    root alone can read.
  - The role P(breakwater.docker.wireguard#role) does both for a whole fleet.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.attributes
options:
  key:
    description:
      - The name of the host's private key, which M(breakwater.docker.wireguard_key) has made. It is the same on all
        hosts that share keys by it.
    type: str
    required: true
  host:
    description:
      - The name by which the peers call this host.
    type: str
    required: true
  peers:
    description:
      - With whom to share. Keys that are shared with others stay.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name of the other host.
        type: str
        required: true
      public_key:
        description:
          - Its public key, to the private one of the name O(key).
        type: str
        required: true
      sealed:
        description:
          - What it has returned as RV(sealed) for this host, if its name sorts first. If left out, the key that is kept
            stays.
        type: str
notes:
  - The managed host needs wireguard-tools, the command C(openssl) from 3.0 on, and the task C(become).
  - A key is in the clear on its two hosts alone. The controller sees it sealed with their WireGuard keys, by X25519 and
    HMAC-SHA256. So who records the tunnel alone can never read it, but who also records what the controller sees, which
    is the output at C(-v) and above, needs X25519 alone to be broken for both.
seealso:
  - module: breakwater.docker.wireguard_key
  - module: breakwater.docker.tunnel
"""

EXAMPLES = r"""
- name: Draw the key of the pair on the host whose name sorts first
  breakwater.docker.wireguard_preshared:
    key: fleet-1
    host: core1
    peers:
      - name: edge1
        public_key: 3HZ3o4FjBVQHZ3cCZ0Zq0bGoSX7GZz1rmVd1iT1IlFE=
  register: given
  delegate_to: core1

- name: Keep it on the other one
  breakwater.docker.wireguard_preshared:
    key: fleet-1
    host: edge1
    peers:
      - name: core1
        public_key: hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
        sealed: "{{ given.sealed.edge1 }}"
  delegate_to: edge1
"""

RETURN = r"""
sealed:
  description:
    - The key of each peer whose name sorts after O(host), sealed for that peer, by its name. The same key has the same
      text.
    - In check mode it is empty where a key would be drawn.
  returned: success
  type: dict
  sample:
    edge1: LwkQ0kTtsxC6Zs6Aiq2z1nQG6IhLyMTuA2+cV6yJkQtT0Y5ZbqWJ0Ujx3f2l8mVh7oOaXb1KzFhE9a4n5wYt6w==
"""

from ansible_collections.breakwater.docker.plugins.module_utils._host import preshared
from ansible_collections.breakwater.docker.plugins.module_utils._model.preshared import SPEC, Partners
from ansible_collections.breakwater.docker.plugins.module_utils._run import run_alone


def main() -> None:
    run_alone(SPEC, lambda args, check: preshared.share(Partners.read(args), check))


if __name__ == "__main__":
    main()
