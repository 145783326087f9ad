# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there, in the words of the modules' options: for diffs, results and ``topology_info``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .._model.connection import Settings
from .._model.ipam import Pool
from .._model.network import OWNER, Definition
from .._model.route import TABLES, LiveRoute

_TABLE_NAMES = {number: name for name, number in TABLES.items()}


def network(definition: Definition) -> dict[str, Any]:
    """The options of the ``network`` module that declare ``definition``; what says nothing is left out."""
    plain = Definition(definition.name)
    told: dict[str, Any] = {"name": definition.name}
    if definition.config_from:
        # The rest comes from the other network, and is said there.
        definition = Definition(
            definition.name,
            definition.driver,
            internal=definition.internal,
            attachable=definition.attachable,
            scope=definition.scope,
            config_from=definition.config_from,
        )
    for each in fields(definition):
        value = getattr(definition, each.name)
        if each.name != "ipam_config" and value != getattr(plain, each.name):
            told[each.name] = dict(value) if isinstance(value, Mapping) else value
    if definition.ipam_config:
        told["ipam_config"] = [pool(each) for each in definition.ipam_config]
    if OWNER in definition.labels:
        told["labels"] = {key: value for key, value in definition.labels.items() if key != OWNER}
        if not told["labels"]:
            del told["labels"]
    return told


def pool(entry: Pool) -> dict[str, Any]:
    """One entry of ``ipam_config``."""
    told: dict[str, Any] = {"subnet": entry.subnet}
    for key in ("iprange", "gateway"):
        if getattr(entry, key):
            told[key] = getattr(entry, key)
    if entry.aux_addresses:
        told["aux_addresses"] = dict(entry.aux_addresses)
    return told


def endpoint(name: str, settings: Settings) -> dict[str, Any]:
    """One entry of ``networks`` of the ``connection`` module; what says nothing is left out."""
    plain = Settings()
    told: dict[str, Any] = {"name": name}
    for each in fields(settings):
        value = getattr(settings, each.name)
        if value != getattr(plain, each.name):
            told[each.name] = (
                dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
            )
    return told


def route(live: LiveRoute) -> dict[str, Any]:
    """One entry of ``routes`` of the ``route`` module; what says nothing is left out."""
    told: dict[str, Any] = {"destination": live.destination}
    if live.gateway:
        told["gateway"] = live.gateway
    elif live.via:
        told["via"] = live.via
    if live.network and (live.onlink or not (live.gateway or live.via)):
        told["network"] = live.network
    if live.metric not in (0, 1024 if live.version == 6 else 0):
        told["metric"] = live.metric
    if live.table != TABLES["main"]:
        told["table"] = _TABLE_NAMES.get(live.table, str(live.table))
    if live.onlink:
        told["onlink"] = True
    if live.type != "unicast":
        told["type"] = live.type
    return told


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of both that are not the same in the other."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: before[key] for key in keys if key in before}, {key: after[key] for key in keys if key in after}
