# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Being in another namespace: the thread that enters is there, alone, and a socket that it makes remains."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CLONE = {"net": 0x40000000, "ipc": 0x08000000, "uts": 0x04000000}
_OWN = "/proc/thread-self/ns"


@contextmanager
def entered(namespace: str | None, kind: str = "net") -> Iterator[None]:
    """Be in the one at the path ``namespace``, or with none stay in one's own; OSError where it is gone or closed."""
    if namespace is None:
        yield
        return
    own = os.open(f"{_OWN}/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there, kind)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(own, kind)
    finally:
        os.close(own)


def is_own(namespace: str, kind: str) -> bool:
    """Whether the namespace at the path is the one that we are in."""
    try:
        return Path(namespace).stat().st_ino == Path(_OWN, kind).stat().st_ino
    except FileNotFoundError:
        return False


def _setns(namespace: int, kind: str) -> None:
    call: Any = getattr(os, "setns", None)  # came with Python 3.12
    if call is not None:
        call(namespace, _CLONE[kind])
        return
    import ctypes  # takes 10 ms, which newer hosts need not spend

    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE[kind]):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
