# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that does not run: as it was last seen, or for what has nothing to do with engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .._model.engine import Engine
from .._model.errors import HostError
from . import files

PATH = Path("/var/lib/breakwater/engine.json")


def keep(identity: Mapping[str, Any], networks: Iterable[Mapping[str, Any]]) -> None:
    """Write down what will be known of the engine when it does not run."""
    files.write_changed(PATH, {**identity, "networks": list(networks)})


def live_restore() -> bool:
    """Whether the engine's containers outlive it, and so keep the addresses that they have."""
    return bool((files.read(PATH, {}) or {}).get("live_restore"))


def last_seen() -> Asleep:
    """The engine of that file; HostError if there is none."""
    found = files.read(PATH, None)
    if found is None:
        raise HostError(f"{PATH} is not there: the keeper has not seen the engine yet")
    try:
        return Asleep(Engine(tuple(found["version"]), tuple(found["api"])), found["networks"])
    except (KeyError, TypeError) as error:
        raise files.garbled(PATH) from error


class Asleep:
    """An engine that does not run: it has its networks and no container, and refuses to be changed."""

    def __init__(self, engine: Engine | None = None, networks: Iterable[dict[str, Any]] = ()) -> None:
        self._engine = engine or Engine((0, 0), (0, 0))
        self._networks = list(networks)

    def facts(self) -> Engine:
        return self._engine

    def networks(self) -> list[dict[str, Any]]:
        return self._networks

    def containers(self) -> list[dict[str, Any]]:
        return []

    def inspect(self, ids: Iterable[str]) -> list[dict[str, Any]]:
        raise _refusal()

    def create_network(self, body: Mapping[str, Any]) -> str:
        raise _refusal()

    def remove_network(self, network_id: str) -> None:
        raise _refusal()

    def connect(self, network: str, container_id: str, endpoint: Mapping[str, Any]) -> None:
        raise _refusal()

    def disconnect(self, network: str, container_id: str) -> None:
        raise _refusal()


def _refusal() -> HostError:
    return HostError("the engine does not run")
