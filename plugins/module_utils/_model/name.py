# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name under which a topology, a ruleset or a policy is known on its host, and by which its chains are."""

from __future__ import annotations

import re

from .errors import DeclarationError

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,23}")


def check_name(name: str, path: str, kind: str) -> str:
    """``name``, if it may be one; DeclarationError if not. ``kind`` is what it names, for the message."""
    if not _NAME.fullmatch(name):
        raise DeclarationError(path, f"{name!r} is not a {kind}'s name: up to 24 letters, digits, '_', '.', '-'")
    return name
