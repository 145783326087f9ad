# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments read by their spec without Ansible, with the path of whatever is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import SPEC, Topology
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases

PLAIN: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True, "aliases": ["title"]},
    "count": {"type": "int", "default": 3},
    "share": {"type": "float"},
    "wanted": {"type": "bool"},
    "colour": {"type": "str", "choices": ["red", "blue"], "default": "red"},
    "labels": {"type": "dict"},
    "anything": {"type": "raw"},
    "words": {"type": "list", "elements": "str"},
    "parts": {"type": "list", "elements": "dict", "options": {"size": {"type": "int", "required": True}}},
    "whole": {"type": "dict", "options": {"size": {"type": "int", "default": 1}}},
}

READ = [
    ("a default", {}, {"count": 3, "colour": "red", "wanted": None}),
    ("an alias", {"title": "x", "name": None}, {"name": "x"}),
    ("text for a number", {"count": "7"}, {"count": 7}),
    ("a whole float", {"count": 7.0}, {"count": 7}),
    ("a fraction", {"share": "0.5"}, {"share": 0.5}),
    ("text for a boolean", {"wanted": "Yes"}, {"wanted": True}),
    ("zero for a boolean", {"wanted": 0}, {"wanted": False}),
    ("a number for text", {"name": 7}, {"name": "7"}),
    ("text for a list", {"words": "a, b"}, {"words": ["a", "b"]}),
    ("no text for a list", {"words": ""}, {"words": []}),
    ("anything", {"anything": {"a": [1]}}, {"anything": {"a": [1]}}),
    ("nested", {"parts": [{"size": "2"}], "whole": {}}, {"parts": [{"size": 2}], "whole": {"size": 1}}),
    ("nothing told is left out", {"labels": None}, {"labels": None}),
]


@pytest.mark.parametrize(("given_", "expected"), [each[1:] for each in READ], ids=[each[0] for each in READ])
def test_read(given_: dict[str, Any], expected: dict[str, Any]) -> None:
    found = spec.read(PLAIN, {"name": "n", **given_})
    assert {key: found[key] for key in expected} == expected
    assert set(found) == set(PLAIN)


WRONG = [
    ("no dictionary", ["a"], "expected a dictionary, found ['a']"),
    ("nothing", {}, "name: is required"),
    ("none for what is required", {"name": None}, "name: is required"),
    ("no number", {"name": "n", "count": "many"}, "count: expected a whole number, found 'many'"),
    ("half a number", {"name": "n", "count": 1.5}, "count: expected a whole number, found 1.5"),
    ("an endless number", {"name": "n", "count": float("inf")}, "count: expected a whole number, found inf"),
    ("no fraction", {"name": "n", "share": "half"}, "share: expected a number, found 'half'"),
    ("a list for a fraction", {"name": "n", "share": [1]}, "share: expected a number, found [1]"),
    ("no boolean", {"name": "n", "wanted": 2}, "wanted: expected true or false, found 2"),
    ("a list for text", {"name": ["n"]}, "name: expected a string, found ['n']"),
    ("no choice", {"name": "n", "colour": "green"}, "colour: expected one of red, blue, found 'green'"),
    ("text for a dictionary", {"name": "n", "labels": "a=b"}, "labels: expected a dictionary, found 'a=b'"),
    ("a number for a list", {"name": "n", "words": 3}, "words: expected a list, found 3"),
    (
        "nested",
        {"name": "n", "parts": [{"size": 1}, {"size": "x"}]},
        "parts[1].size: expected a whole number, found 'x'",
    ),
    ("nested and left out", {"name": "n", "parts": [{}]}, "parts[0].size: is required"),
    ("none in a list", {"name": "n", "parts": [None]}, "parts[0]: expected a dictionary, found None"),
    ("misspelt", {"nam": "n"}, "nam: no such option; did you mean 'name'?"),
    ("at the wrong depth", {"name": "n", "size": 3}, "size: no such option; it goes under parts"),
    ("a key that is no text", {"name": "n", 7: 3}, "7: no such option; there is anything, colour"),
]


@pytest.mark.parametrize(("given_", "says"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_refused(given_: Any, says: str) -> None:
    with pytest.raises(DeclarationError) as refusal:
        spec.read(PLAIN, given_)
    assert says in str(refusal.value)


NEAR = [
    ("near ones", "fronted", ["frontend", "backend", "front"], "did you mean 'frontend' or 'front'?"),
    ("none near", "x", ["b", "a"], "there is a, b"),
    ("too many", "x", [f"n{n:02}" for n in range(13)], "n11 …"),
    ("none at all", "x", [], "the host has none"),
]


@pytest.mark.parametrize(("word", "words", "says"), [each[1:] for each in NEAR], ids=[each[0] for each in NEAR])
def test_near(word: str, words: list[str], says: str) -> None:
    assert spec.near(word, words).endswith(says)


TEXTS = [
    ("a boolean", True, "true"),
    ("a number", 1450, "1450"),
    ("nothing", None, ""),
    ("text", "Yes", "Yes"),
]


@pytest.mark.parametrize(("given_", "expected"), [each[1:] for each in TEXTS], ids=[each[0] for each in TEXTS])
def test_texts_are_what_an_engine_keeps(given_: Any, expected: str) -> None:
    assert spec.texts({"key": given_}, "labels") == {"key": expected}


KEYS = sorted({*SPEC, *(key for option in SPEC.values() for key in option.get("options", ()))})
ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(("10.0.0.0/24",))
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(min_size=1, max_size=3)), inner, max_size=4),
    ),
    max_leaves=12,
)
SHAPED = st.fixed_dictionaries(
    {"name": st.just("shop")},
    optional={key: st.one_of(ANYTHING, st.lists(ANYTHING, max_size=3)) for key in SPEC if key != "name"},
)


def refusal_of(anything: Any) -> DeclarationError | None:
    """What the reader says to arguments; a traceback is none of it."""
    try:
        Topology.read(spec.read(SPEC, anything))
    except DeclarationError as refusal:
        return refusal
    return None


@cases(300)
@given(st.one_of(ANYTHING, SHAPED))
def test_whatever_is_given_is_read_or_refused_in_a_sentence(anything: Any) -> None:
    refusal = refusal_of(anything)
    assert refusal is None or str(refusal).startswith(f"{refusal.field}: " if refusal.field else "expected")
