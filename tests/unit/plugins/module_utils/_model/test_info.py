# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the info modules are asked for."""

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.info import (
    NETWORK_SPEC,
    TOPOLOGY_SPEC,
    Everything,
    Networks,
)


def test_networks() -> None:
    assert Networks.read(spec.read(NETWORK_SPEC, {})) == Networks(None)
    assert Networks.read(spec.read(NETWORK_SPEC, {"name": "front"})) == Networks("front")


def test_everything() -> None:
    assert Everything.read(spec.read(TOPOLOGY_SPEC, {})) == Everything("host", None)
    assert Everything.read(spec.read(TOPOLOGY_SPEC, {"containers": []})) == Everything("host", ())
    assert Everything.read(spec.read(TOPOLOGY_SPEC, {"containers": "web,db"})) == Everything("host", ("web", "db"))
