# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection keeps on a host: root's alone, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .._model.connection import LiveEndpoint, Settings
from .._model.errors import HostError
from .._model.ipam import Pool
from .._model.journal import Journal
from .._model.network import Definition, LiveNetwork
from .._model.route import LiveRoute
from .._model.sysctl import Parameter
from .._model.topology import Memory

TOPOLOGIES = Path("/etc/breakwater")
COPIES = Path("/var/lib/breakwater/topologies")
"""Each memory once more: whatever becomes of the one in /etc, what was declared last is not lost."""
JOURNALS = Path("/var/lib/breakwater/recreate")


class Memories(Mapping[str, Memory]):
    """The memory of each topology, by name, read when it is asked for."""

    def __getitem__(self, topology: str) -> Memory:
        return self._read(TOPOLOGIES / f"{topology}.json")

    @staticmethod
    def _read(path: Path) -> Memory:
        return memory(_read(path), path)

    def __iter__(self) -> Iterator[str]:
        return _names(TOPOLOGIES)

    def __len__(self) -> int:
        return sum(1 for _each in self)


class LastingMemories(Memories):
    """The same for the keeper: where a memory is garbled, its copy stands in, and ``refused`` says why."""

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}

    def __getitem__(self, topology: str) -> Memory:
        try:
            return super().__getitem__(topology)
        except HostError as error:
            copy = COPIES / f"{topology}.json"
            try:
                found = self._read(copy)
            except (KeyError, HostError):
                raise error from None
            self.refused[topology] = f"{error}; until then {copy}, the last good one, is what is kept"
            return found


class Journals(Mapping[str, Journal]):
    """The journals of recreates that were cut off, by the network's name."""

    def __getitem__(self, network: str) -> Journal:
        path = JOURNALS / f"{network}.json"
        found = _read(path)
        try:
            return Journal(
                _network(found["network"]),
                {each: _endpoint(endpoint) for each, endpoint in found["endpoints"].items()},
                {each: tuple(LiveRoute(**route) for route in routes) for each, routes in found["routes"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise garbled(path) from error

    def __iter__(self) -> Iterator[str]:
        return _names(JOURNALS)

    def __len__(self) -> int:
        return sum(1 for _each in self)


def memory(found: Any, path: Path) -> Memory:
    """The memory of a topology as ``as_written`` made it; HostError where it is garbled."""
    try:
        return Memory(
            found["declared"],
            frozenset((container, network) for container, network in found["made"]["connections"]),
            frozenset((container, (key[0], key[1], key[2])) for container, key in found["made"]["routes"]),
            frozenset(str(network) for network in found["made"].get("networks", ())),
            frozenset(str(each) for each in found["made"].get("filters", ())),
            frozenset((owner, Parameter(*key)) for owner, key in found["made"].get("sysctls", ())),
            bool(found["made"].get("hosts_files")),
            frozenset(str(each) for each in found["made"].get("tunnels", ())),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise garbled(path) from error


def as_written(memory: Memory) -> dict[str, Any]:
    """A memory as it is written."""
    made = {
        "connections": sorted(memory.connections),
        "routes": sorted(memory.routes),
        "networks": sorted(memory.networks),
        "filters": sorted(memory.filters),
        "sysctls": sorted(memory.sysctls),
        "hosts_files": memory.hosts_files,
        "tunnels": sorted(memory.tunnels),
    }
    return {"declared": memory.declared, "made": made}


def remember(topology: str, memory: Memory | None) -> None:
    """Write the memory of a topology, or take it away."""
    paths = [folder / f"{topology}.json" for folder in (TOPOLOGIES, COPIES)]
    if memory is None:
        for path in paths:
            remove(path)
        return
    for path in reversed(paths):  # the one that counts comes last: what could not be written is not declared
        _write(path, as_written(memory))


def keep_journal(journal: Journal) -> None:
    """Write down what a recreate owes, before the first endpoint is cut."""
    _write(JOURNALS / f"{journal.network.name}.json", asdict(journal))


def drop_journal(network: str) -> None:
    """All is back: nothing is owed any more."""
    remove(JOURNALS / f"{network}.json")


def _network(found: Mapping[str, Any]) -> LiveNetwork:
    definition = dict(found["definition"])
    definition["ipam_config"] = tuple(Pool(**pool) for pool in definition["ipam_config"])
    return LiveNetwork(found["id"], Definition(**definition))


def _endpoint(found: Mapping[str, Any]) -> LiveEndpoint:
    settings: dict[str, Any] = {
        key: tuple(each) if isinstance(each, list) else each for key, each in found["settings"].items()
    }
    return LiveEndpoint(**{**found, "settings": Settings(**settings), "gateways": tuple(found["gateways"])})


def read(path: Path, otherwise: Any) -> Any:
    """What a file of ours holds; ``otherwise`` if there is none, HostError where it is garbled."""
    try:
        return _read(path)
    except KeyError:
        return otherwise


def write_changed(path: Path, value: Any) -> None:
    """Write a file of ours, unless it holds just that."""
    wanted = text(value)
    try:
        if path.read_text(encoding="utf-8") == wanted:
            return
    except (OSError, ValueError):
        pass  # what cannot be read is written anew
    write_text(path, wanted)


def _read(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        raise KeyError(str(path)) from None
    except PermissionError as error:
        raise HostError(f"{path} is root's; the task needs become: true") from error
    except (OSError, ValueError) as error:
        raise garbled(path) from error


def garbled(path: Path) -> HostError:
    """The refusal of a file that is not as it was written."""
    return HostError(f"{path} is not what the collection wrote; restore it, or move it away to start afresh")


def _names(folder: Path) -> Iterator[str]:
    try:
        found = sorted(folder.glob("*.json"))
    except FileNotFoundError:
        return iter(())
    except PermissionError as error:
        raise HostError(f"{folder} is root's; the task needs become: true") from error
    return (each.name[: -len(".json")] for each in found)


def _write(path: Path, value: Any) -> None:
    write_text(path, text(value))


def text(value: Any) -> str:
    """A value as the files of the collection hold it: what is the same has the same text."""
    return json.dumps(value, indent=2, sort_keys=True)


def write_text(path: Path, content: str, mode: int = 0o600) -> None:
    """Write a file of root's, whole or not at all."""
    write_bytes(path, content.encode(), mode)


def write_bytes(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file of root's, whole or not at all."""
    folder = path.parent
    try:
        for each in (*reversed(folder.parents), folder):
            each.mkdir(0o700, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=folder, prefix=".draft-")  # 0600 by itself
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink()
            raise
        _sync(folder)
    except PermissionError as error:
        raise HostError(f"{path} is root's; the task needs become: true") from error
    except OSError as error:
        raise HostError(f"{path} could not be written: {error.strerror}") from error


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    try:
        path.unlink()
        _sync(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"{path} could not be removed: {error.strerror}") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
