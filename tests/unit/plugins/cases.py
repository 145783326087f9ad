# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many cases a property is tried on, and which."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings


def cases(count: int) -> Callable[[Any], Any]:
    """Run a property on ``count`` cases, the same on every machine as far as hypothesis can: no gate fails by chance.

    All of them are tried in the built artifact, by ansible-test; in the checkout, where coverage is measured and each
    takes twice as long, a fifth. With BREAKWATER_HUNT=N they are N times as many, and others each time.
    """
    hunt = int(os.environ.get("BREAKWATER_HUNT", "0"))
    if hunt:
        count *= hunt
    elif "artifact" not in Path(__file__).parts:
        count = -(-count // 5)
    return settings(
        deadline=None,
        derandomize=not hunt,
        database=None,
        max_examples=count,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
