# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets inside network namespaces, and the flows of packets that a probe sends from them.

A socket belongs to the namespace that it is made in, whoever uses it later: so one process, which enters a namespace
only to make a socket, holds the ends of all flows, and no container needs a tool.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from .._model.address import version_of
from .._model.errors import HostError
from .._model.probe import Cell, Place
from .packet import ICMP_FILTER, RECVERR, Event, echo_answer, echo_request, icmp_filter, queued
from .setns import entered

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_HOP_LIMIT = {4: (socket.IPPROTO_IP, socket.IP_TTL), 6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)}
_ONE_HOP_LIMIT = {4: (socket.IPPROTO_IP, socket.IP_TTL), 6: (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)}
_MSG_ERRQUEUE = 0x2000
_OWN = "/proc/thread-self/ns/net"
_AT_A_TURN = 64
"""Datagrams read from one socket before others have their turn."""
_UNSENT = (errno.EAGAIN, errno.ENOBUFS, errno.EINPROGRESS, errno.EALREADY, errno.EISCONN)
_ONCE_OPEN = (errno.ECONNRESET, errno.EPIPE)
"""Errors of a connection that was established before the other side broke it off."""
_LINGER_RESET = struct.pack("ii", 1, 0)


class Flow(Protocol):
    """The packets of one cell. ``socket`` is what to wait for, ``writes`` whether for it to be writable."""

    socket: socket.socket
    writes: bool
    resends: bool
    nonce: bytes

    def send(self, hops: int | None = None) -> Event | None:
        """Send one packet, that dies after ``hops`` hops; an event where none got away."""

    def read(self) -> list[Event]:
        """What has come back since."""

    def close(self) -> None: ...


def identity(place: Place) -> int:
    """What tells one namespace from another: containers may share one, or the host's."""
    try:
        return os.stat(place.netns or _OWN).st_ino  # noqa: PTH116 - the path is a link that only the kernel can follow
    except OSError as error:
        raise _gone(place, error) from error


def make_socket(place: Place, version: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that lives in ``place`` and never blocks."""
    with _inside(place):
        try:
            made = socket.socket(FAMILY[version], kind, protocol)
        except OSError as error:
            raise HostError(f"no IPv{version} socket can be made in '{place.name}': {error.strerror}") from error
    made.setblocking(False)
    return made


def reset_on_close(connection: socket.socket) -> None:
    """Leave no TIME_WAIT behind, which would keep a port of the container's from a service that starts next."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)


class TcpFlow:
    """A connection; established is as good as a reply. The kernel repeats what it sends by itself."""

    writes = True
    resends = False
    nonce = b""

    def __init__(self, cell: Cell) -> None:
        self._to = (cell.address, cell.expectation.port or 0)
        self._version = version_of(cell.address)
        self.socket = _outgoing(cell, socket.SOCK_STREAM)

    def send(self, hops: int | None = None) -> Event | None:
        if hops is not None:
            self.socket.setsockopt(*_HOP_LIMIT[self._version], hops)
        return self._judged(self.socket.connect_ex(self._to))

    def read(self) -> list[Event]:
        number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        told = _error_queue(self.socket)
        if number == 0 and not told:
            return [Event("reply")] if _is_connected(self.socket) else []
        event = self._judged(number)
        return told or ([event] if event else [])

    def _judged(self, number: int) -> Event | None:
        if number == 0 or number in _ONCE_OPEN:
            return Event("reply")
        if number == errno.ECONNREFUSED:
            return Event("refused", self._to[0])
        return None if number in _UNSENT else Event("local", note=_unsent(number))

    def close(self) -> None:
        self.socket.close()


class UdpFlow:
    """A datagram that nobody else knows, and any datagram that comes back."""

    writes = False
    resends = True

    def __init__(self, cell: Cell) -> None:
        self._to = (cell.address, cell.expectation.port or 0)
        self._version = version_of(cell.address)
        self._is_connected = False
        self.nonce = secrets.token_bytes(16)
        self.socket = _outgoing(cell, socket.SOCK_DGRAM)

    def send(self, hops: int | None = None) -> Event | None:
        limit = [] if hops is None else [(*_ONE_HOP_LIMIT[self._version], struct.pack("=i", hops))]
        try:
            if not self._is_connected:
                self.socket.connect(self._to)
                self._is_connected = True
            self.socket.sendmsg([self.nonce], limit)
        except OSError as error:
            # The error may be the answer to what was sent before: then the queue tells it better.
            told = _error_queue(self.socket)
            return told[0] if told else _sync(error)
        return None

    def read(self) -> list[Event]:
        events = _error_queue(self.socket)
        try:
            for _each in range(_AT_A_TURN):
                self.socket.recv(65536)
                events.append(Event("reply", self._to[0]))
        except OSError:
            pass  # nothing more to read, or what the error queue has told already
        return events

    def close(self) -> None:
        self.socket.close()


class EchoSocket:
    """A raw socket that all echoes from one address of one namespace share: each raw socket hears every answer."""

    def __init__(self, place: Place, version: int, bind: str | None) -> None:
        self.version = version
        self.socket = make_socket(place, version, socket.SOCK_RAW, _ICMP[version])
        if bind:
            self.socket.bind((bind, 0))
        self.socket.setsockopt(*ICMP_FILTER[version], icmp_filter(version))
        self._ident = secrets.randbelow(0x10000)
        self._sent: list[EchoFlow] = []

    def send(self, flow: EchoFlow, hops: int | None) -> Event | None:
        limit = [] if hops is None else [(*_ONE_HOP_LIMIT[self.version], struct.pack("=i", hops))]
        request = echo_request(self.version, self._ident, len(self._sent) & 0xFFFF, flow.nonce)
        self._sent.append(flow)
        try:
            self.socket.sendmsg([request], limit, 0, (flow.address, 0))
        except OSError as error:
            return _sync(error)
        return None

    def read(self) -> list[tuple[EchoFlow, Event]]:
        """The answers that have come, and the flows that they are for."""
        found = []
        for _each in range(_AT_A_TURN):
            try:
                datagram, sender = self.socket.recvfrom(65536)
            except OSError:
                break
            answer = echo_answer(self.version, datagram, sender[0])
            if answer and answer[0] == self._ident and answer[1] < len(self._sent):
                flow = self._sent[answer[1]]
                if answer[2].kind != "reply" or flow.nonce in datagram:
                    found.append((flow, answer[2]))
        return found


class EchoFlow:
    """ICMP echoes to one address; what comes back is read from the shared socket."""

    writes = False
    resends = True

    def __init__(self, cell: Cell, shared: EchoSocket) -> None:
        self.address = cell.address
        self.nonce = secrets.token_bytes(16)
        self.socket = shared.socket
        self._shared = shared

    def send(self, hops: int | None = None) -> Event | None:
        return self._shared.send(self, hops)

    def read(self) -> list[Event]:
        return []

    def close(self) -> None:
        """The socket is not ours."""


_ICMP = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}


@contextmanager
def _inside(place: Place) -> Iterator[None]:
    """Be in the namespace of ``place``; this thread alone is."""
    with ExitStack() as stack:
        try:
            stack.enter_context(entered(place.netns))
        except OSError as error:
            raise _gone(place, error) from error
        yield


def _gone(place: Place, error: OSError) -> HostError:
    if isinstance(error, FileNotFoundError):
        return HostError(f"container '{place.name}' has stopped meanwhile")
    return HostError(f"the network namespace of '{place.name}' is closed to us ({error.strerror}); become: true?")


def _outgoing(cell: Cell, kind: int) -> socket.socket:
    version = version_of(cell.address)
    made = make_socket(cell.source, version, kind)
    made.setsockopt(*RECVERR[version], 1)
    if cell.bind:
        made.bind((cell.bind, 0))
    return made


def _error_queue(one: socket.socket) -> list[Event]:
    events = []
    own = one.getsockname()[0]
    for _each in range(_AT_A_TURN):
        try:
            _data, ancillary, _flags, _from = one.recvmsg(512, 512, _MSG_ERRQUEUE)
        except OSError:
            break
        event = queued(ancillary, own)
        if event:
            events.append(event)
    return events


def _sync(error: OSError) -> Event | None:
    """The event for an error of a send itself: the kernel of the source kept the packet."""
    number = error.errno or 0
    if number == errno.ECONNREFUSED:
        return Event("refused")
    return None if number in _UNSENT else Event("local", note=_unsent(number))


def _unsent(number: int) -> str:
    return f"no packet got away: {os.strerror(number)}"


def _is_connected(one: socket.socket) -> bool:
    try:
        one.getpeername()
    except OSError:
        return False
    return True
