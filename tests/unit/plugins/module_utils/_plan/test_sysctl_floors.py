# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which declared numbers are floors, and what becomes of them where more is there already."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError

from .shop import planned, shop

FLOORS: list[tuple[str, str, str, str, dict[str, Any], str | None]] = [
    ("what is higher stays", "net.core.rmem_max", "900", "800", {}, None),
    ("what is lower is raised", "net.core.rmem_max", "700", "800", {}, "800"),
    ("a list is raised one by one", "net.ipv4.tcp_rmem", "1 50 900", "2 40 800", {}, "2 50 900"),
    ("a range is widened", "net.ipv4.ip_local_port_range", "3000 5000", "2000 4000", {}, "2000 5000"),
    ("a wider range stays", "net.ipv4.ip_local_port_range", "1000 5000", "2000 4000", {}, None),
    ("an exact number is no floor", "net.core.rmem_max", "900", "800", {"exact": ["net.core.rmem_max"]}, "800"),
    (
        "nor is a range",
        "net.ipv4.ip_local_port_range",
        "1 9",
        "2 4",
        {"exact": ["net/ipv4/ip_local_port_range"]},
        "2 4",
    ),
    ("exact may be text", "net.core.word", "old", "new", {"exact": ["net.core.word"]}, "new"),
    ("exact of itself says nothing", "net.core.rmem_max", "900", "900", {"exact": ["net.core.rmem_max"]}, "900"),
]


@pytest.mark.parametrize(
    ("key", "there", "value", "options", "wanted"), [e[1:] for e in FLOORS], ids=[e[0] for e in FLOORS]
)
def test_floors(key: str, there: str, value: str, options: dict[str, Any], wanted: str | None) -> None:
    engine = shop()
    engine.kernel.host.sysctls[key.replace(".", "/")] = there
    steps = planned("sysctl", {"values": {key: value}, "raise_only": True, **options}, engine).told
    assert [step.after["live"] for step in steps] == ([wanted] if wanted else [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exact": ["net.core.wmem_max"]}, "exact[0]: net.core.wmem_max is not among values"),
        ({"exact": ["net.core.rmem_max", "core"]}, "exact[1]: 'core' is not a kernel parameter"),
        ({"values": {"net.core.rmem_max": "much"}}, "name the key in exact"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    args = {"values": {"net.core.rmem_max": 1}, "raise_only": True, **options}
    with pytest.raises(DeclarationError) as refused:
        planned("sysctl", args, shop())
    assert message in str(refused.value)
