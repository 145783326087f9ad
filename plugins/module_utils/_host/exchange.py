# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cell asks of its packets: whether they pass, and which way they take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from .._model.probe import Cell, Measured, Probe
from .flow import Flow
from .listener import Listener
from .packet import Event

_MOST_HOPS = 8
_ARRIVED = "the service gave no answer; the datagram was seen to arrive"


class Wave(Protocol):
    """What an exchange needs of the wave of cells that it is measured in."""

    probe: Probe

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call back when so many seconds have gone."""

    def flow(self, cell: Cell, exchange: Exchange) -> Flow:
        """New sockets for a cell."""

    def attend(self, exchange: Exchange) -> None:
        """Have ``exchange`` read whatever comes back."""

    def dismiss(self, exchange: Exchange) -> None:
        """Close its sockets."""

    def trace(self, cell: Cell, done: Callable[[tuple[str, ...], str], None]) -> None:
        """Find out the hops of a cell's way; ``done`` takes them, and a note."""


class Exchange:
    """One flow, turn by turn: a packet sent, sent again until something comes back, and then silence."""

    def __init__(self, wave: Wave, cell: Cell) -> None:
        self.wave = wave
        self.cell = cell
        self.flow = wave.flow(cell, self)
        self.sent = 0.0
        self.is_over = False
        self._turn = 0

    def turn(self, hops: int | None = None) -> None:
        """Send, and wait for what comes back; ``hops`` is how far the packets shall get."""
        self._turn += 1
        probe = self.wave.probe
        for n in range(1, probe.tries if self.flow.resends else 1):
            self.wave.after(probe.reply_timeout * n / probe.tries, partial(self._send, self._turn, hops))
        self.wave.after(probe.reply_timeout, partial(self._end, self._turn))
        self._send(self._turn, hops)

    def _send(self, turn: int, hops: int | None) -> None:
        if self.is_over or turn != self._turn:
            return
        self.sent = time.monotonic()
        event = self.flow.send(hops)
        self.wave.attend(self)
        if event:
            self.heard(event)

    def _end(self, turn: int) -> None:
        if not self.is_over and turn == self._turn:
            self.silent()

    def read(self) -> None:
        for event in () if self.is_over else self.flow.read():
            if not self.is_over:
                self.heard(event)

    def finish(self) -> None:
        self.is_over = True
        self.wave.dismiss(self)

    def heard(self, event: Event) -> None:
        raise NotImplementedError

    def silent(self) -> None:
        raise NotImplementedError


class Reach(Exchange):
    """Whether a cell's packets pass."""

    def __init__(self, wave: Wave, cell: Cell, listener: Listener | None, done: Callable[[Measured], None]) -> None:
        super().__init__(wave, cell)
        self._arrived = False
        self._note = listener.note if listener else ""
        self._listener = listener.state if listener else "none"
        self._done = done

    def arrived(self) -> None:
        self._arrived = True

    def heard(self, event: Event) -> None:
        if event.kind == "reply":
            self._conclude("pass", (time.monotonic() - self.sent) * 1000)
        elif event.kind == "local":
            self._conclude("drop", note=event.note)
        else:
            self._conclude("refused", (time.monotonic() - self.sent) * 1000, event.note)

    def silent(self) -> None:
        if self._arrived:
            self._conclude("pass", note=_ARRIVED)
        else:
            self._conclude("drop")

    def _conclude(self, outcome: str, latency: float | None = None, note: str = "") -> None:
        self.finish()
        found = Measured(outcome, latency, self._listener, note=note or self._note)
        if outcome == "pass" and self.cell.hops:
            self.wave.trace(self.cell, lambda hops, way: self._done(replace(found, hops=hops, note=way or found.note)))
        else:
            self._done(found)


class Trace(Exchange):
    """Which routers lie on the way, hop by hop, until the one that is looked for."""

    def __init__(self, wave: Wave, cell: Cell, done: Callable[[tuple[str, ...], str], None]) -> None:
        super().__init__(wave, cell)
        self._limit = 0
        self._found: list[str] = []
        self._done = done

    def begin(self) -> None:
        self._limit = 1
        self.turn(1)

    def heard(self, event: Event) -> None:
        if event.kind != "exceeded":
            self._conclude("" if self._found or self._limit > 1 else "no router lies on the way")
        elif event.by not in self._found:
            self._found.append(event.by)
            if event.by in self.cell.hops:
                self._conclude("")
            else:
                self.silent()

    def silent(self) -> None:
        if self._limit >= _MOST_HOPS:
            self._conclude("")
            return
        self._limit += 1
        self.turn(self._limit)

    def _conclude(self, note: str) -> None:
        self.finish()
        self._done(tuple(self._found), note)
