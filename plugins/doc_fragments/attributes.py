# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module can: check mode, diff, idempotence, where it runs."""

from __future__ import annotations


class ModuleDocFragment:
    """The plain fragment is true of modules that change a host; those that only look name C(info) before it."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what would change, without changing it.
    support: full
    details:
      - Check mode, diff and the real run are one computation. What C(--check --diff) shows is what happens.
  diff_mode:
    description: Tells what has changed, or would, when the play runs with C(--diff).
    support: full
    details:
      - One entry for each step, in the order of the steps.
  idempotent:
    description: A second run with the same arguments changes nothing, if nobody else has changed the host meanwhile.
    support: full
  platform:
    description: The operating system of the managed host.
    support: full
    platforms: linux
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The module only looks.
  diff_mode:
    support: N/A
    details:
      - The module only looks.
  idempotent:
    support: full
    details:
      - The module only looks.
"""
