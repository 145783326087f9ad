# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label expressions: which containers are meant, by their labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import DeclarationError

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9_./-]*[A-Za-z0-9])?"
_EXISTS = re.compile(rf"(?P<not>!?)\s*(?P<key>{_KEY})")
_EQUALS = re.compile(rf"(?P<key>{_KEY})\s*(?P<op>==?|!=)\s*(?P<value>[^\s,()!=]*)")
_AMONG = re.compile(rf"(?P<key>{_KEY})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")
_COMMA = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True)
class Term:
    """One requirement of a label expression: the label's value is among ``values``, or is not.

    With ``values`` ``None`` it is the label itself that must be there, or must not.
    """

    key: str
    values: frozenset[str] | None
    negated: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a container with these labels meets it; one without the label meets every negation."""
        found = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return found != self.negated


def terms(text: str, path: str) -> tuple[Term, ...]:
    """The terms of an expression, all of which a container must meet; DeclarationError where it is none."""
    return tuple(_term(each.strip(), path) for each in _COMMA.split(text))


def match(expression: Iterable[Term], labels: Mapping[str, str]) -> bool:
    """Whether a container with these labels is meant."""
    return all(each.matches(labels) for each in expression)


def _term(text: str, path: str) -> Term:
    among, equals, exists = _AMONG.fullmatch(text), _EQUALS.fullmatch(text), _EXISTS.fullmatch(text)
    if among:
        values = frozenset(each.strip() for each in among["values"].split(","))
        if "" in values:
            raise DeclarationError(path, f"{text!r} lists an empty value")
        return Term(among["key"], values, among["op"] == "notin")
    if equals:
        return Term(equals["key"], frozenset((equals["value"],)), equals["op"] == "!=")
    if exists:
        return Term(exists["key"], None, bool(exists["not"]))
    raise DeclarationError(
        path,
        f"{text!r} is no label expression; write app=web, app!=web, tier in (web, api), tier notin (db), debug, !debug",
    )
