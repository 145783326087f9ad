# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures cells with real packets, all at once: one process, one loop, a socket for each end."""

from __future__ import annotations

import errno
import heapq
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache, partial
from itertools import count

from .._model.address import version_of
from .._model.errors import DeclarationError
from .._model.probe import HOST, MOST, Cell, Measured, Place, Probe
from .detour import detour
from .exchange import Exchange, Reach, Trace
from .flow import FAMILY, EchoFlow, EchoSocket, Flow, TcpFlow, UdpFlow, identity
from .listener import Listener

_AT_ONCE = 500
"""Cells in flight, as far as files may be open: a sender, a listener and an accepted connection each."""
_FILES_EACH, _FILES_BESIDE = 3, 64
_GRACE = 0.5
"""Seconds by which what has come already goes before a deadline that has passed."""
_HOP_BURST, _HOP_SECONDS = 3, 1.1
"""A kernel tells one address of one exceeded hop limit a second, after a burst of six (net.ipv4.icmp_ratelimit)."""


def measure(probe: Probe, cells: Iterable[Cell]) -> tuple[Measured, ...]:
    """What becomes of the packets of ``cells``, in their order.

    DeclarationError where a cell asks for an address that the host has not; HostError where a namespace is gone.
    """
    if probe.via:
        cells = list(cells)
        with detour((each.address for each in cells), probe.via):
            return measure(replace(probe, via=None), cells)
    settled = [_settled(each) for each in cells]
    # Silence takes its time, so it is waited for together.
    order = sorted(range(len(settled)), key=lambda n: settled[n].expectation.expect)
    at_once, pace = _at_once(), _Pace()
    found: dict[int, Measured] = {}
    for start in range(0, len(order), at_once):
        chosen = order[start : start + at_once]
        wave = _Wave(probe, pace)
        try:
            found.update(zip(chosen, wave.run([settled[n] for n in chosen])))
        finally:
            wave.close()
    return tuple(found[n] for n in range(len(settled)))


def _at_once() -> int:
    """How many cells may be in flight; this process's own limit of open files is raised for them where it can be."""
    wanted = _AT_ONCE * _FILES_EACH + _FILES_BESIDE
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < wanted:
        limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    return _AT_ONCE if limit == resource.RLIM_INFINITY else max(1, (min(limit, wanted) - _FILES_BESIDE) // _FILES_EACH)


def _settled(cell: Cell) -> Cell:
    """``cell`` with the host as its target where the address is the host's own."""
    expected = cell.expectation
    if cell.bind and not _is_held(cell.bind):
        raise DeclarationError(expected.at("from"), f"the host has no address {cell.bind}")
    if expected.to == HOST and cell.network and not _is_held(cell.address):
        raise DeclarationError(
            expected.at("to"),
            f"the host does not hold {cell.address}, the gateway of '{cell.network}'; write the address that is meant",
        )
    if cell.target is None and _is_held(cell.address):
        return replace(cell, target=Place(HOST))
    return cell


@lru_cache(maxsize=MOST)
def _is_held(address: str) -> bool:
    try:
        with socket.socket(FAMILY[version_of(address)], socket.SOCK_DGRAM) as one:
            one.bind((address, 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL)
    return True


class _Pace:
    """When the next hop of a sender may be asked for, so that its routers' limits on answers are kept."""

    def __init__(self) -> None:
        self._booked: dict[tuple[int, int], float] = {}

    def wait(self, cell: Cell) -> float:
        """Seconds to wait from now on."""
        sender = (identity(cell.source), version_of(cell.address))
        now = time.monotonic()
        booked = max(self._booked.get(sender, 0), now)
        self._booked[sender] = booked + _HOP_SECONDS
        return max(0.0, booked - now - (_HOP_BURST - 1) * _HOP_SECONDS)


class _Loop:
    """Calls back whoever's socket is ready, and whoever's time has come."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._watched: set[socket.socket] = set()

    def watch(self, one: socket.socket, call: Callable[[], None], writes: bool = False) -> None:
        if one in self._watched:
            return
        self._watched.add(one)
        self._selector.register(one, selectors.EVENT_WRITE if writes else selectors.EVENT_READ, call)

    def forget(self, one: socket.socket) -> None:
        if one in self._watched:
            self._watched.remove(one)
            self._selector.unregister(one)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), call))

    def run(self, goes_on: Callable[[], bool]) -> None:
        while goes_on():
            due = self._timers[0][0]
            ready = self.poll(max(0.0, due - time.monotonic()))
            # On a busy machine an answer may wait for us longer than we were to wait for it.
            now = time.monotonic()
            if ready and now < due + _GRACE:
                continue
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()

    def poll(self, seconds: float = 0.0) -> bool:
        """Call back who is ready, or will be in so many seconds; whether anybody was."""
        ready = self._selector.select(seconds)
        for key, _mask in ready:
            key.data()
        return bool(ready)

    def close(self) -> None:
        self._selector.close()


class _Wave:
    """As many cells as are measured at once, with their listeners and their sockets."""

    def __init__(self, probe: Probe, pace: _Pace) -> None:
        self.probe = probe
        self.loop = _Loop()
        self._pace = pace
        self._listeners: dict[tuple[int, str, str, int], Listener] = {}
        self._echoes: dict[tuple[int, int, str | None], EchoSocket] = {}
        self._exchanges: dict[Flow, Exchange] = {}
        self._nonces: dict[bytes, Exchange] = {}

    def run(self, cells: list[Cell]) -> list[Measured]:
        found: dict[int, Measured] = {}
        listeners = [self._listener(each) for each in cells]
        reaches = [
            Reach(self, cell, listener, partial(found.__setitem__, n))
            for n, (cell, listener) in enumerate(zip(cells, listeners))
        ]
        for each in reaches:
            each.turn()
            self.loop.poll()  # an answer that waited for all to be sent would seem late
        self.loop.run(lambda: len(found) < len(cells))
        return [found[n] for n in range(len(cells))]

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        self.loop.after(seconds, call)

    def trace(self, cell: Cell, done: Callable[[tuple[str, ...], str], None]) -> None:
        self.loop.after(self._pace.wait(cell), lambda: Trace(self, cell, done).begin())

    def flow(self, cell: Cell, exchange: Exchange) -> Flow:
        flow: Flow
        if cell.expectation.protocol == "icmp":
            flow = EchoFlow(cell, self._echo_socket(cell))
        else:
            flow = TcpFlow(cell) if cell.expectation.protocol == "tcp" else UdpFlow(cell)
        self._exchanges[flow] = exchange
        if flow.nonce:
            self._nonces[flow.nonce] = exchange
        return flow

    def attend(self, exchange: Exchange) -> None:
        """Listen to what comes back, from the first packet on: a socket that has sent none looks broken off."""
        flow = exchange.flow
        if not isinstance(flow, EchoFlow) and flow in self._exchanges:
            self.loop.watch(flow.socket, exchange.read, flow.writes)

    def dismiss(self, exchange: Exchange) -> None:
        flow = exchange.flow
        if not isinstance(flow, EchoFlow):
            self.loop.forget(flow.socket)
        flow.close()
        self._exchanges.pop(flow, None)

    def _echo_socket(self, cell: Cell) -> EchoSocket:
        version = version_of(cell.address)
        key = (identity(cell.source), version, cell.bind)
        if key not in self._echoes:
            self._echoes[key] = shared = EchoSocket(cell.source, version, cell.bind)
            self.loop.watch(shared.socket, lambda: self._answered(shared))
        return self._echoes[key]

    def _answered(self, shared: EchoSocket) -> None:
        for flow, event in shared.read():
            exchange = self._exchanges.get(flow)
            if exchange and not exchange.is_over:
                exchange.heard(event)

    def _listener(self, cell: Cell) -> Listener | None:
        protocol, port = cell.expectation.protocol, cell.expectation.port
        if port is None:
            return None
        key = (identity(cell.target) if cell.target else 0, cell.address, protocol, port)
        if key not in self._listeners:
            self._listeners[key] = opened = Listener(cell.target, cell.address, protocol, port, self._knows)
            if opened.socket:
                self.loop.watch(opened.socket, opened.read)
        return self._listeners[key]

    def _knows(self, payload: bytes) -> bool:
        exchange = self._nonces.get(payload)
        if isinstance(exchange, Reach):
            exchange.arrived()
        return exchange is not None

    def close(self) -> None:
        """Leave nothing open, whatever happened."""
        for flow in [*self._exchanges]:
            flow.close()
        for listener in self._listeners.values():
            listener.close()
        for shared in self._echoes.values():
            shared.socket.close()
        self.loop.close()
