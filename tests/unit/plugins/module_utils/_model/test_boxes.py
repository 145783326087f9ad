# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._model import boxes
from ansible_collections.breakwater.docker.plugins.module_utils._model.policy import Element
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases

SIDE = 6
_ranges = st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1)).map(lambda ends: (min(ends), max(ends)))
_boxes = st.tuples(_ranges, _ranges, _ranges)


def points(box: Element) -> set[tuple[int, ...]]:
    return set(product(*(range(low, high + 1) for low, high in box)))


@cases(300)
@given(st.lists(_boxes, max_size=7))
def test_disjoint_covers_the_same_and_nothing_twice(found: list[Element]) -> None:
    apart = boxes.disjoint(found)
    assert set().union(*map(points, apart)) == set().union(*map(points, found))
    assert all(not points(one) & points(other) for one, other in combinations(apart, 2))
    assert boxes.disjoint(reversed(found)) == apart


@cases(200)
@given(_boxes, st.lists(_boxes, max_size=4))
def test_left_is_what_the_others_do_not_cover(box: Element, others: list[Element]) -> None:
    left = boxes.left(box, others)
    assert set().union(*map(points, left)) == points(box) - set().union(*map(points, others))


def test_a_thousand_pairs_stay_as_they_are() -> None:
    pairs = {((n, n), (n + 1, n + 1), (6, 6), (80, 80)) for n in range(1000)}
    assert boxes.disjoint(pairs) == pairs


def test_span() -> None:
    assert boxes.span("10.0.0.0/30") == (0x0A000000, 0x0A000003)
    assert boxes.span("::1") == (1, 1)
