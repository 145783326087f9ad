# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes: products of ranges. The kernel takes no two elements of one set that overlap, and so they are cut apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_network

from .policy import Element


@lru_cache(maxsize=16384)
def span(subnet: str) -> tuple[int, int]:
    """The addresses of a subnet, or of an address, as a range of numbers."""
    found = ip_network(subnet)
    return int(found.network_address), int(found.broadcast_address)


def disjoint(found: Iterable[Element]) -> frozenset[Element]:
    """Boxes that cover what ``found`` covers, no two of which overlap; the same for whatever order."""
    kept = _Kept()
    # Large ones first: most of the small ones then lie within one, and are gone.
    for box in sorted(set(found), key=lambda each: (-_size(each), each)):
        for piece in kept.left_of(box):
            kept.add(piece)
    return frozenset(kept.all)


def left(box: Element, others: Iterable[Element]) -> list[Element]:
    """What of ``box`` none of ``others`` covers."""
    pieces = [box]
    for other in others:
        pieces = [part for piece in pieces for part in _without(piece, other)]
        if not pieces:
            break
    return pieces


class _Kept:
    """Disjoint boxes, found again by the first field, which is one address in nearly all of them."""

    def __init__(self) -> None:
        self.all: list[Element] = []
        self._of_one: dict[int, list[Element]] = {}
        self._of_many: list[Element] = []

    def add(self, box: Element) -> None:
        self.all.append(box)
        low, high = box[0]
        (self._of_one.setdefault(low, []) if low == high else self._of_many).append(box)

    def left_of(self, box: Element) -> list[Element]:
        low, high = box[0]
        if low == high:
            return left(box, [*self._of_many, *self._of_one.get(low, ())])
        return left(box, list(self.all))


def _size(box: Element) -> int:
    size = 1
    for low, high in box:
        size *= high - low + 1
    return size


def _without(box: Element, other: Element) -> Iterator[Element]:
    """The parts of ``box`` outside ``other``: at most two for each field."""
    for (low, high), (other_low, other_high) in zip(box, other):
        if other_low > high or other_high < low:
            yield box
            return
    for n, ((low, high), (other_low, other_high)) in enumerate(zip(box, other)):
        if low < other_low:
            yield (*box[:n], (low, other_low - 1), *box[n + 1 :])
        if other_high < high:
            yield (*box[:n], (other_high + 1, high), *box[n + 1 :])
        box = (*box[:n], (max(low, other_low), min(high, other_high)), *box[n + 1 :])
