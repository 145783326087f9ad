# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's own tools, run as argument lists with a time limit; never through a shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from shutil import which
from typing import Any

from .._model.errors import HostError

_PACKAGES = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "iptables-save": "iptables",
    "iptables-restore": "iptables",
    "ip6tables-save": "iptables",
    "ip6tables-restore": "iptables",
    "nft": "nftables",
}
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def require_tools() -> None:
    """HostError that names each tool which the host lacks, and the packages to install, before anything is touched."""
    missing = [tool for tool in _PACKAGES if which(tool, path=_PATH) is None]
    if missing:
        packages = sorted({_PACKAGES[tool] for tool in missing})
        plural = "s" if len(packages) > 1 else ""
        raise HostError(f"the host has no {', '.join(missing)}; install its package{plural} {', '.join(packages)}")


def has(tool: str) -> bool:
    """Whether the host has a tool that only some declarations need."""
    return which(tool, path=_PATH) is not None


def run(argv: Sequence[str], given: str = "", timeout: float = 30) -> str:
    """What the command prints; HostError with its complaint where it fails. ``timeout`` is in seconds."""
    printed: str = _run(argv, given, timeout, "utf-8")
    return printed


def run_bytes(argv: Sequence[str], given: bytes, timeout: float = 30) -> bytes:
    """The same of what is no text."""
    printed: bytes = _run(argv, given, timeout, None)
    return printed


def _run(argv: Sequence[str], given: Any, timeout: float, encoding: str | None) -> Any:
    try:
        done = subprocess.run(
            list(argv),
            input=given,
            capture_output=True,
            timeout=timeout,
            check=False,
            encoding=encoding,
            env={"PATH": _PATH, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        package = _PACKAGES.get(argv[0], argv[0])
        raise HostError(f"the host has no '{argv[0]}'; install its package {package}") from error
    except subprocess.TimeoutExpired as error:
        raise HostError(f"'{' '.join(argv)}' gave no answer within {timeout:g} s") from error
    if done.returncode:
        complaint = " ".join(os.fsdecode(done.stderr or done.stdout).split()) or f"exit status {done.returncode}"
        raise HostError(f"'{' '.join(argv)}' failed: {complaint}")
    return done.stdout
