# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer on its host: its record, its files, its sockets."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from .._model.blue_green import FOLDER, Record, Seen, Switch, Traffic
from .._model.errors import HostError
from . import files
from .haproxy import Runtime

_RELOAD = 15.0
"""Seconds within which a new worker has taken over."""


class Stand(Protocol):
    """What a switch asks of a balancer and of its host; HostError where one of them refuses."""

    def observe(self) -> Seen: ...

    def keep(self, record: Record) -> None: ...

    def arrange(self, configuration: str, fingerprint: str, shares: Mapping[str, int]) -> None: ...

    def traffic(self) -> Traffic: ...

    def knock(self, environment: str, path: str, timeout: float) -> str: ...

    def cut(self, environment: str) -> None: ...

    def remove(self) -> None: ...

    def now(self) -> str: ...

    def clock(self) -> float: ...

    def pause(self, seconds: float) -> None: ...


class HostStand:
    """The balancer ``name`` of this host."""

    def __init__(self, name: str, folder: Path = Path(FOLDER)) -> None:
        self._record = folder / f"{name}.json"
        self._folder = folder / name
        self._configuration = self._folder / "etc" / "haproxy.cfg"
        self._state = self._folder / "etc" / "server-state"
        self._runtime = Runtime(self._folder / "run")

    def observe(self) -> Seen:
        """What there is of it."""
        try:
            configuration = self._configuration.read_text(encoding="utf-8")
        except FileNotFoundError:
            configuration = ""
        except OSError as error:
            raise HostError(f"{self._configuration} could not be read: {error.strerror}; become: true?") from error
        return Seen(self._read(), configuration, self._runtime.traffic() if self._runtime.answers() else None)

    def _read(self) -> Record | None:
        found = files.read(self._record, None)
        if found is None:
            return None
        try:
            switch = found["switch"]
            return Record(found["live"], found["since"], Switch(**switch) if switch else None, dict(found["last"]))
        except (KeyError, TypeError, ValueError) as error:
            raise files.garbled(self._record) from error

    def keep(self, record: Record) -> None:
        """Write down who is live, and how far a switch has come."""
        files.write_changed(self._record, asdict(record))

    def arrange(self, configuration: str, fingerprint: str, shares: Mapping[str, int]) -> None:
        """Have the weights in the files, by which a balancer starts, and in the one that runs; reload it if need be."""
        former = self._write(configuration)
        if not self._runtime.answers():
            return
        if self._runtime.traffic().fingerprint != fingerprint:
            self._reload(fingerprint, former)
        self._runtime.weigh(shares)
        files.write_text(self._state, self._runtime.state(), mode=0o644)

    def _write(self, configuration: str) -> str:
        for folder, mode in ((self._folder.parent, 0o700), (self._folder, 0o755), (self._folder / "run", 0o755)):
            try:
                folder.mkdir(mode, parents=True, exist_ok=True)
            except OSError as error:
                raise HostError(f"{folder} could not be made: {error.strerror}; become: true?") from error
        (self._folder / "etc").mkdir(0o755, exist_ok=True)
        try:
            former = self._configuration.read_text(encoding="utf-8")
        except FileNotFoundError:
            former = ""
        if former != configuration:
            files.write_text(self._configuration, configuration, mode=0o644)
        if not self._state.exists():
            files.write_text(self._state, "1\n", mode=0o644)  # an empty one, of version 1
        return former

    def _reload(self, fingerprint: str, former: str) -> None:
        self._runtime.reload()
        until = self.clock() + _RELOAD
        while self.clock() < until:
            self.pause(0.2)
            if self._runtime.traffic().fingerprint == fingerprint:
                return
        if former:
            files.write_text(self._configuration, former, mode=0o644)
        raise HostError(
            "the balancer has not taken its new configuration over, and goes on by the former one;"
            " its container's log says why"
        )

    def traffic(self) -> Traffic:
        """What the balancer tells of itself."""
        return self._runtime.traffic()

    def knock(self, environment: str, path: str, timeout: float) -> str:
        """What is wrong with an environment's answer, by the balancer's own way to it; empty where nothing is."""
        return self._runtime.request(f"{environment}-gate", path, timeout)

    def cut(self, environment: str) -> None:
        """End the sessions of an environment."""
        self._runtime.cut(environment)

    def remove(self) -> None:
        """Leave nothing of it."""
        files.remove(self._record)
        shutil.rmtree(self._folder, ignore_errors=True)

    def exists(self) -> bool:
        """Whether there is anything of it."""
        return self._record.exists() or self._folder.exists()

    def now(self) -> str:
        """The time, as a record holds it."""
        return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def clock(self) -> float:
        """Seconds that only go up."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
