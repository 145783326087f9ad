# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gate: `ansible-test sanity` or `units` in the installed artifact, without containers or the web.

ansible-test makes a virtual environment for each of its checks, below ~/.ansible, and would fetch
a script from the web that puts pip there. So it gets a home in .build, where one stands already.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / ".build" / "artifact" / "ansible_collections" / "breakwater" / "docker"
HOME = ROOT / ".build" / "home"

PIP_VERSIONS = ("24_2", "25_2")  # that ansible-core 2.19, and 2.20 with 2.21, ask for
BOOTSTRAP = """import ensurepip

ensurepip.bootstrap()
"""


def prepare_home() -> None:
    """Lay the bootstrap where ansible-test would download it to, and keep the user's pip.conf."""
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in PIP_VERSIONS:
        (cache / f"get_pip_{version}.py").write_text(BOOTSTRAP, encoding="utf-8")
    for settings in (".config/pip", ".pip"):
        link = HOME / settings
        link.parent.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(Path.home() / settings)


def ansible_test(*arguments: str, quiet: bool = False) -> None:
    """Run ansible-test on this Python, for the machine need have no other; end where it fails."""
    python = "{}.{}".format(*sys.version_info)
    command = ["ansible-test", *arguments, "--local", "--python", python]
    # Naming the root keeps ansible-test from asking git, which ignores all of .build.
    environment = {**os.environ, "HOME": str(HOME), "ANSIBLE_TEST_CONTENT_ROOT": str(COLLECTION)}
    done = subprocess.run(command, cwd=COLLECTION, env=environment, capture_output=quiet, text=True, timeout=1800)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout or ''}{done.stderr or ''}")


def main() -> None:
    """Prepare what the command named by the first argument needs, and run it."""
    prepare_home()
    if sys.argv[1] == "sanity":
        # Apart, for pip has much to say the first time.
        ansible_test("sanity", "--prime-venvs", quiet=True)
    ansible_test(*sys.argv[1:])


if __name__ == "__main__":
    main()
