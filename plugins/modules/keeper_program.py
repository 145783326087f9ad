#!/usr/bin/python
# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: keeper_program
short_description: Put the keeper's program on a Docker host
description:
  - Makes one program file of the packages that the modules of this collection are made of, and installs it as
    C(/usr/local/sbin/breakwater). It is run by the Python that runs the module.
  - The role P(breakwater.docker.keeper#role) uses it, and installs the services that run the program.
version_added: 0.1.0
author:
  - the Breakwater founders (!UNKNOWN)
extends_documentation_fragment:
  - breakwater.docker.attributes
attributes:
  diff_mode:
    details:
      - The program goes by its SHA-256.
options:
  state:
    description:
      - Whether the program is to be there.
    type: str
    choices:
      - present
      - absent
    default: present
notes:
  - The managed host needs the task C(become).
seealso:
  - module: breakwater.docker.topology
"""

EXAMPLES = r"""
- name: Bring the program of the collection to the host
  breakwater.docker.keeper_program:
"""

RETURN = r"""
path:
  description: Where the program is, or was.
  returned: success
  type: str
  sample: /usr/local/sbin/breakwater
"""

from ansible_collections.breakwater.docker.plugins.module_utils._host import program
from ansible_collections.breakwater.docker.plugins.module_utils._keeper import command
from ansible_collections.breakwater.docker.plugins.module_utils._run import run_alone

SPEC = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}


def main() -> None:
    run_alone(
        SPEC,
        lambda args, check: program.bring(command.__name__ if args["state"] == "present" else None, check),
    )


if __name__ == "__main__":
    main()
