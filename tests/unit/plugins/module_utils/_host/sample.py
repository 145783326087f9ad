# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's engines told of one and the same host: samples/<version>.json, cut down to what is read.

Made with the docker command on each: the networks ``shop`` (range, gateway, aux address, label, MTU, a bridge's name),
``dual`` (both families, internal), ``drawn`` (a subnet of the engine's choice), ``recipe`` and ``cooked`` (config_only
and config_from); the containers web (on shop, dual and drawn), db (a MAC address of its own, a link, a link-local
address), old (linked to; a connect to shop was refused), linked, idle (stopped), never (not started yet), bare (none),
hosted (host) and sidecar (web's namespace).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VERSIONS = ("20.10", "26.1", "28.5")


def sample(version: str) -> dict[str, Any]:
    """What an engine told."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "samples" / f"{version}.json").read_text("utf-8"))
    return found


def inspected(version: str, name: str) -> dict[str, Any]:
    """What an engine told of one container."""
    return next(each for each in sample(version)["inspect"] if each["Name"] == f"/{name}")
