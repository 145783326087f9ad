# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passages in iptables: chains of our own, one per topology.

``raw`` BREAKWATER lets a frame that is on its way to a gateway pass Docker's drop on the bridge; ``filter``
BREAKWATER drops what the host itself would route that way. Docker's isolation chains do
the same until 28; they are gone in 29.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from .._model import address
from .._model.network import LiveNetwork
from .._model.passage import Passage
from . import chains

_CHAIN = "BW-"
_ALLOWED = re.compile(r"-d (?P<subnet>\S+) -i (?P<interface>\S+) -j ACCEPT")


class Passages(Mapping[str, "tuple[Passage, ...]"]):
    """The passages that stand, by topology; read once, when first looked at."""

    def __init__(self, networks: Iterable[LiveNetwork]) -> None:
        self._bridges = {each.bridge: each.name for each in networks if each.bridge}
        self._seen: dict[str, tuple[Passage, ...]] | None = None

    def _all(self) -> dict[str, tuple[Passage, ...]]:
        if self._seen is None:
            found: dict[str, list[Passage]] = {}
            for version in chains.TOOLS:
                for chain, rules in chains.read(version, "raw").rules.items():
                    for each in rules if chain.startswith(_CHAIN) else ():
                        rule = _ALLOWED.fullmatch(each)
                        if rule:
                            network = self._bridges.get(rule["interface"], rule["interface"])
                            passage = Passage(network, address.observed_prefix(rule["subnet"]))
                            found.setdefault(chain[len(_CHAIN) :], []).append(passage)
            self._seen = {
                name: tuple(sorted(each, key=lambda one: (one.network, one.subnet))) for name, each in found.items()
            }
        return self._seen

    def __getitem__(self, topology: str) -> tuple[Passage, ...]:
        return self._all()[topology]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def apply(topology: str, passages: Iterable[Passage], networks: Iterable[LiveNetwork]) -> None:
    """Make ``passages`` the whole of what ``topology`` has in its chains; none take the chains away."""
    bridges = {each.name: each.bridge for each in networks if each.bridge}
    wanted = list(passages)
    for version in chains.TOOLS:
        ours = [each for each in wanted if address.version_of(each.subnet) == version]
        for table in ("raw", "filter"):
            rules = [_rule(table, each, bridges[each.network]) for each in ours]
            chains.put(chains.read(version, table), f"{_CHAIN}{topology}", rules)


def _rule(table: str, passage: Passage, bridge: str) -> str:
    if table == "raw":
        return f"-d {passage.subnet} -i {bridge} -j ACCEPT"
    return f"-d {passage.subnet} -i {bridge} ! -o {bridge} -j DROP"
