# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one module of the collection on the lab host that it was copied to, as Ansible would; JSON in, JSON out.

Input: ``{"module": name, "args": {...}, "check": bool, "kill_after": n}``. With ``kill_after`` the process is killed by
SIGKILL after the n-th step that the module applies: from there on, only what is on the host counts. With
``"kill_at": [file, class, method, n]`` it is killed where it is about to call that method for the n-th time.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import sys
from typing import Any

from ansible.module_utils import basic

PACKAGE = "ansible_collections.breakwater.docker.plugins"


def kill_after(steps: int) -> None:
    """End this process without a chance to tidy up, once ``steps`` steps have been applied."""
    from ansible_collections.breakwater.docker.plugins.module_utils._host.host import Host

    apply, left = Host.apply, [steps]

    def applied(host: Host, step: Any) -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        apply(host, step)

    Host.apply = applied  # type: ignore[method-assign]


def kill_at(file: str, owner: str, method: str, call: int) -> None:
    """End this process without a chance to tidy up, at the ``call``-th call of a method."""
    where = getattr(importlib.import_module(f"{PACKAGE}.module_utils.{file}"), owner)
    original, left = getattr(where, method), [call]

    def called(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(where, method, called)


def main() -> None:
    order = json.load(sys.stdin)
    if order.get("kill_at"):
        kill_at(*order["kill_at"])
    if order.get("kill_after") is not None:
        kill_after(order["kill_after"])
    arguments = {
        **order["args"],
        "_ansible_check_mode": bool(order.get("check")),
        "_ansible_diff": True,
        "_ansible_remote_tmp": "/tmp",
        "_ansible_keep_remote_files": False,
    }
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    runpy.run_module(f"{PACKAGE}.modules.{order['module']}", run_name="__main__")


main()
