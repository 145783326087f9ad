# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wakes a keeper, and what does not."""

from __future__ import annotations

import struct

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._keeper import wake
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import EngineAddress


def message(kind: int, body: bytes, subsystem: int = 10) -> bytes:
    """A netlink message as the kernel sends it, padded to four bytes."""
    whole = struct.pack("=IHHII", 16 + len(body), subsystem << 8 | kind, 0, 0, 0) + body
    return whole + b"\0" * (-len(whole) % 4)


@pytest.mark.parametrize(
    ("kind", "body", "ours"),
    [
        (2, b"breakwater-shop\0", True),
        (8, b"filter\0DOCKER-USER\0", True),
        (5, b"filter\0BREAKWATER\0", True),
        (14, b"breakwater-shop\0governed4\0", True),
        (14, b"breakwater-shop\0pairs4\0", False),
        (6, b"filter\0DOCKER-USER\0", True),
        (6, b"filter\0FORWARD\0", False),
        (8, b"filter\0f2b-sshd\0", False),
        (12, b"breakwater-shop\0pairs4\0", False),
        (0, b"breakwater-shop\0", False),
    ],
)
def test_what_others_do_to_nftables(kind: int, body: bytes, ours: bool) -> None:
    ((found, told),) = wake._messages(message(kind, body))
    assert (found, told.rstrip(b"\0")) == (kind, body.rstrip(b"\0"))
    assert wake._concerns_us(found, told) == ours


def test_messages_of_others_and_cut_ones_are_passed_over() -> None:
    data = message(2, b"breakwater-shop\0", subsystem=1) + message(2, b"x\0") + message(8, b"yy\0")
    assert [kind for kind, _body in wake._messages(data)] == [2, 8]
    assert not list(wake._messages(data[:10]))
    assert not list(wake._messages(struct.pack("=IHHII", 4, 10 << 8, 0, 0, 0)))


def test_reasons_come_together_and_end() -> None:
    wakes = wake.Wakes(EngineAddress())
    assert wakes.wait(0) == []
    event = {
        "Type": "container",
        "Action": "start",
        "timeNano": 5_000_000_000,
        "Actor": {"Attributes": {"name": "web"}},
    }
    for _round in range(2):
        wakes._queue.put(wake._of_engine(event))
    assert wakes.wait(1) == [wake.Wake("container web: start", 5.0)] * 2
    assert wake._of_engine({"Type": "network", "Action": "connect", "Actor": {"ID": "f" * 64}}).why == (
        f"network {'f' * 12}: connect"
    )
    assert wake._of_engine({"Type": "daemon", "Action": "reload"}) == wake.Wake(wake.RELOADED, 0.0)
    wakes._queue.put(wake._of_engine(event))
    wakes.stop()
    assert wakes.wait(1) is None
