# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, as types: each one is a sentence that a user can act on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class BreakwaterError(Exception):
    """Root of every error that the collection raises on purpose; ``str()`` is the message for the user."""

    def result(self) -> dict[str, Any]:
        """What a failed module returns beside the message."""
        return {}


class DeclarationError(BreakwaterError):
    """What was declared is wrong; ``field`` is its path, as in ``networks[2].ipam_config[0].subnet``."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field

    def result(self) -> dict[str, Any]:
        return {"field": self.field}


class NotThere(DeclarationError):
    """A container that a declaration names does not exist, or does not run and would have to."""

    def __init__(self, field: str, container: str, reason: str, hint: str = "") -> None:
        super().__init__(field, f"container '{container}' {reason}{hint}")
        self.container = container
        self.reason = reason


class Refused(BreakwaterError):
    """What was declared is right, and would cut somebody; ``before`` and ``after`` are the difference.

    ``field`` is the path of the field that allows it.
    """

    def __init__(
        self,
        field: str,
        reason: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        cuts: Iterable[str] = (),
    ) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.before = before or {}
        self.after = after or {}
        self.cuts = tuple(cuts)

    def result(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "diff": {"before": self.before, "after": self.after},
            "cuts": list(self.cuts),
        }


class HostError(BreakwaterError):
    """The host, its engine or one of its tools refused, failed or did not answer."""


class Rejected(HostError):
    """The kernel refused a declared value; ``field`` is its path."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field

    def result(self) -> dict[str, Any]:
        return {"field": self.field}


class Interrupted(HostError):
    """A step failed; ``done`` are the changes made before it and ``undone`` those that took them back."""

    def __init__(self, message: str, done: Iterable[str] = (), undone: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.done = list(done)
        self.undone = list(undone)

    def result(self) -> dict[str, Any]:
        cause = self.__cause__.result() if isinstance(self.__cause__, BreakwaterError) else {}
        return {**cause, "changed": bool(self.done), "done": self.done, "undone": self.undone}


class Differs(BreakwaterError):
    """Something was measured and is not as expected; ``cells`` are those that differ, ``matrix`` all of them."""

    def __init__(self, message: str, cells: Iterable[Mapping[str, Any]], matrix: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.cells = list(cells)
        self.matrix = list(matrix)

    def result(self) -> dict[str, Any]:
        return {"cells": self.cells, "matrix": self.matrix, "measured": len(self.matrix)}
