# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that does not run, as it was last seen: its networks are as they were, its containers are gone."""

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


class LastSeen:
    """The engine of that file; it refuses to be changed."""

    def __init__(self) -> None:
        found = files.read(PATH, None)
        if found is None:
            raise HostError(f"{PATH} is not there: the keeper has not seen the engine yet")
        try:
            self._engine = Engine(tuple(found["version"]), tuple(found["api"]))
            self._networks: list[dict[str, Any]] = list(found["networks"])
        except (KeyError, TypeError) as error:
            raise files.garbled(PATH) from error

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
