# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the keeper says to the journal is one line, of one level, whatever it is about."""

from __future__ import annotations

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._keeper import journal


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("network front: connect", "network front: connect"),
        ("network x\n<0>forged: connect", "network x\\n<0>forged: connect"),
        ("\x1b[2Jcleared\r", "\\x1b[2Jcleared\\r"),
        ("Grüße, 世界 \u2028\u202e", "Grüße, 世界 \\u2028\\u202e"),
    ],
)
def test_one_line(capsys: pytest.CaptureFixture[str], said: str, told: str) -> None:
    journal.warn(said)
    assert capsys.readouterr().out == f"<4>{told}\n"
