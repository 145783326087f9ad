# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed module returns beside its message."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import errors

CASES: list[tuple[str, errors.BreakwaterError, str, dict[str, Any]]] = [
    ("a declaration", errors.DeclarationError("a[0].b", "is wrong"), "a[0].b: is wrong", {"field": "a[0].b"}),
    ("a declaration as a whole", errors.DeclarationError("", "is wrong"), "is wrong", {"field": ""}),
    (
        "nobody there",
        errors.NotThere("a", "web", "does not exist", "; did you mean 'wbe'?"),
        "a: container 'web' does not exist; did you mean 'wbe'?",
        {"field": "a"},
    ),
    (
        "a refusal",
        errors.Refused("a.recreate", "it would cut web", {"x": 1}, {"x": 2}, ["web"]),
        "a.recreate: it would cut web",
        {"field": "a.recreate", "diff": {"before": {"x": 1}, "after": {"x": 2}}, "cuts": ["web"]},
    ),
    ("the host", errors.HostError("no answer"), "no answer", {}),
    (
        "cut off",
        errors.Interrupted("no answer", ["create a"], ["remove a"]),
        "no answer",
        {"changed": True, "done": ["create a"], "undone": ["remove a"]},
    ),
    ("cut off at once", errors.Interrupted("no answer"), "no answer", {"changed": False, "done": [], "undone": []}),
]


@pytest.mark.parametrize(("error", "says", "result"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_told(error: errors.BreakwaterError, says: str, result: dict[str, Any]) -> None:
    assert str(error) == says
    assert error.result() == result
