# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of a host to single addresses by a next hop, for as long as a probe needs them and no longer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .._model.address import version_of
from .._model.errors import HostError
from .command import run
from .lock import alone

_OURS = ["proto", "98"]
"""By this they are known: what a probe that was killed has left goes before the next one begins."""


@contextmanager
def detour(addresses: Iterable[str], via: str) -> Iterator[None]:
    """Reach ``addresses`` by ``via``; HostError where the host has routes of its own to them."""
    version = version_of(via)
    wanted = sorted({each for each in addresses if version_of(each) == version and each != via})
    ip = ["ip", f"-{version}"]
    lines = [" ".join(["route add", each, "via", via, *_OURS]) for each in wanted]
    with alone():
        run([*ip, "route", "flush", *_OURS])
        try:
            if lines:
                run([*ip, "-batch", "-"], "\n".join([*lines, ""]))
            yield
        except HostError as error:
            raise HostError(f"via {via}: {error}") from error
        finally:
            run([*ip, "route", "flush", *_OURS])
