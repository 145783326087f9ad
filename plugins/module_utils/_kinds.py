# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the keeper brings about: a topology as its module does, or what filters packets alone."""

from __future__ import annotations

from ._loop import Kind
from ._model.topology import SPEC, Topology
from ._plan import topology, volatile

FILTERS: Kind[Topology] = Kind(SPEC, Topology.read, topology.filters)
TOPOLOGY: Kind[Topology] = Kind(
    SPEC,
    Topology.read,
    topology.plan,
    topology.report,
    scope=topology.scope,
    settled=Topology.settled,
    foreseen=Topology.foreseen,
    volatile=volatile.of_topology,
    local=True,
)
