# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Being in another network namespace: the thread that enters is there, alone, and a socket that it makes remains."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"


@contextmanager
def entered(netns: str | None) -> Iterator[None]:
    """Be in the namespace at the path ``netns``, or with none stay in one's own; OSError where it is gone or closed."""
    if netns is None:
        yield
        return
    own = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(own)
    finally:
        os.close(own)


def _setns(namespace: int) -> None:
    call: Any = getattr(os, "setns", None)  # came with Python 3.12
    if call is not None:
        call(namespace, _CLONE_NEWNET)
        return
    import ctypes  # takes 10 ms, which newer hosts need not spend

    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
