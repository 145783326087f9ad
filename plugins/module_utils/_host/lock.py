# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works on a host: one run of a module at a time, or the one keeper."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._model.errors import HostError

FOLDER = Path("/run/breakwater")
_PATIENCE = 120
"""Seconds that a run waits for another one; the longest that a step of one may take is half of that."""


@contextmanager
def alone() -> Iterator[None]:
    """Change the host while nobody else does; HostError where another run does not end.

    Who is not root, and so changes nothing but what the engine lets him, goes without.
    """
    if os.geteuid() != 0:
        yield
        return
    descriptor = _open("lock")
    try:
        until = time.monotonic() + _PATIENCE
        while not _take(descriptor):
            if time.monotonic() > until:
                raise HostError(
                    f"another run on this host has not ended within {_PATIENCE} s; see who holds {FOLDER}/lock"
                )
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def keeping() -> Iterator[None]:
    """Be the keeper of this host; HostError where there is one already."""
    descriptor = _open("keeper.lock")
    try:
        if not _take(descriptor):
            raise HostError("a keeper runs on this host already")
        yield
    finally:
        os.close(descriptor)


@contextmanager
def switching(balancer: str) -> Iterator[None]:
    """Switch the users of ``balancer`` while nobody else does; HostError where somebody is about it.

    A switch takes as long as its canary and its drain: the host's other runs do not wait for it.
    """
    descriptor = _open(f"blue-green-{balancer}.lock")
    try:
        if not _take(descriptor):
            raise HostError(f"another run is about balancer '{balancer}'; wait for its end")
        yield
    finally:
        os.close(descriptor)


def is_kept() -> bool:
    """Whether a keeper runs on this host."""
    try:
        descriptor = os.open(FOLDER / "keeper.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _take(descriptor)
    finally:
        os.close(descriptor)


def _open(name: str) -> int:
    try:
        FOLDER.mkdir(0o755, exist_ok=True)
        return os.open(FOLDER / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostError(f"{FOLDER / name} could not be opened: {error.strerror}") from error


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
