# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer and its host in memory: users come, environments answer or do not, and whoever asks may be killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import Record, Seen, Traffic
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError


class Killed(BaseException):
    """SIGKILL: nothing of the process runs on."""


@dataclass
class FakeStand:
    """``per_second`` users' requests, of which an environment fails ``broken`` percent; ``ill`` ones fail their gate.

    ``sessions`` end by one a second where their environment has no users. ``left`` is the number of changes until the
    process is killed: half of what makes up a change has been done then.
    """

    runs: bool = True
    record: Record | None = None
    configuration: str = ""
    fingerprint: str = ""
    shares: dict[str, int] = field(default_factory=dict)
    per_second: int = 100
    broken: dict[str, float] = field(default_factory=dict)
    ill: set[str] = field(default_factory=set)
    sessions: dict[str, float] = field(default_factory=dict)
    left: int = -1
    seconds: float = 0.0
    requests: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    cut_off: list[str] = field(default_factory=list)
    reloads: int = 0

    def observe(self) -> Seen:
        return Seen(self.record, self.configuration, self.traffic() if self.runs else None)

    def keep(self, record: Record) -> None:
        self._change()
        self.record = record
        self._change()

    def arrange(self, configuration: str, fingerprint: str, shares: Mapping[str, int]) -> None:
        self._change()
        self.configuration = configuration
        self._change()
        if self.runs:
            self.reloads += self.fingerprint != fingerprint
            self.fingerprint = fingerprint
            for name, share in sorted(shares.items(), key=lambda each: -each[1]):
                self.shares[name] = share
                self.most[name] = max(self.most.get(name, 0), share)
                self._change()

    def traffic(self) -> Traffic:
        if not self.runs:
            raise HostError("the balancer does not answer")
        servers = {name: {f"{name}-1": "DOWN" if name in self.ill else "UP"} for name in ("blue", "green")}
        return Traffic(
            self.fingerprint,
            dict(self.shares),
            {name: int(count) for name, count in self.sessions.items()},
            {name: int(count) for name, count in self.requests.items()},
            {name: int(count) for name, count in self.errors.items()},
            servers,
        )

    def knock(self, environment: str, _path: str, _timeout: float) -> str:
        self._change()
        return "GET / answers 503" if environment in self.ill else ""

    def cut(self, environment: str) -> None:
        self._change()
        self.cut_off.append(environment)
        self.sessions[environment] = 0

    def now(self) -> str:
        return f"at {self.seconds:.1f}"

    def clock(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self._change()
        self.seconds += seconds
        for name, share in self.shares.items():
            came = self.per_second * seconds * share / 100
            self.requests[name] = self.requests.get(name, 0) + came
            self.errors[name] = self.errors.get(name, 0) + came * self.broken.get(name, 0) / 100
            if not share:
                self.sessions[name] = max(0.0, self.sessions.get(name, 0) - seconds)

    def _change(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed
