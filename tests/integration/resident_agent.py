# SPDX-License-Identifier: GPL-3.0-or-later
"""Stays on a lab host for the length of the tests and does what it is told, one JSON line after the other.

``{"argv": [...], "given": text}`` is run as it is; anything else is an order for ``agent.py``, carried out in a fork of
this process, which has imported all that modules need: a module call then costs what the module itself does.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import ansible.module_utils.basic  # noqa: F401
import docker  # noqa: F401

PACKAGE = "ansible_collections.breakwater.docker.plugins.module_utils"


def command(order: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(order["argv"], input=order["given"].encode(), capture_output=True, check=False)
    return {"code": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}


def module(order: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        child = os.fork()
        if child == 0:
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            sys.stdin = io.StringIO(json.dumps(order))
            code = 70
            try:
                runpy.run_path(str(Path(__file__).with_name("agent.py")))
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
            except BaseException:  # noqa: BLE001 - what a user would see as a traceback, the test must see, too
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _child, status = os.waitpid(child, 0)
        told = []
        for stream in (stdout, stderr):
            stream.seek(0)
            told.append(stream.read().decode())
    return {"code": os.waitstatus_to_exitcode(status), "stdout": told[0], "stderr": told[1]}


def main() -> None:
    package = importlib.import_module(PACKAGE)
    for each in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        importlib.import_module(each.name)
    for line in sys.stdin:
        order = json.loads(line)
        answer = command(order) if "argv" in order else module(order)
        print(json.dumps(answer), flush=True)


main()
