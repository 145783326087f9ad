# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers at the target of a probe: a listener opened for its length, or the service that is there."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from .._model.address import version_of
from .._model.probe import Place
from .flow import make_socket, reset_on_close
from .packet import udp_payload

_BACKLOG = 512
_AT_A_TURN = 64
"""Datagrams or connections taken before others have their turn."""

Knows = Callable[[bytes], bool]
"""Takes what a datagram carries; whether it is the probe's own."""


class Listener:
    """One address and port of one namespace. ``state`` is ``opened``, ``existing`` or ``none``.

    ``socket`` is what to wait for, if anything; ``read`` serves it. At a UDP service that exists it is a raw socket,
    which gets a copy of what has passed the packet filter: so a datagram is seen to arrive, whatever the service says.
    """

    def __init__(self, place: Place | None, address: str, protocol: str, port: int, knows: Knows) -> None:
        self.state, self.note = "none", ""
        self.socket: socket.socket | None = None
        self._version = version_of(address)
        self._knows = knows
        self._accepted: list[socket.socket] = []
        self.read: Callable[[], None] = {"tcp": self._accept, "udp": self._echo}[protocol]
        if place is not None:
            self._open(place, address, protocol, port)

    def _open(self, place: Place, address: str, protocol: str, port: int) -> None:
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        self.socket = make_socket(place, self._version, kind)
        try:
            if self._version == 6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if protocol == "tcp":
                # Past connections of the port do not matter then. For UDP it would take a service's place.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((address, port))
            if protocol == "tcp":
                self.socket.listen(_BACKLOG)
        except OSError as error:
            self.close()
            if error.errno != errno.EADDRINUSE:
                self.note = f"no listener could be opened: {os.strerror(error.errno or 0)}"
                return
            self.state = "existing"
            if protocol == "udp":
                self.read = self._witness
                self.socket = make_socket(place, self._version, socket.SOCK_RAW, socket.IPPROTO_UDP)
                self.socket.bind((address, 0))
            return
        self.state = "opened"

    def close(self) -> None:
        """Be gone without a trace, and all connections with it."""
        for each in self._accepted:
            reset_on_close(each)
            each.close()
        if self.socket:
            self.socket.close()
        self.socket = None

    def _accept(self) -> None:
        # Kept until the end: a connection that is reset at once may look refused to who has not looked yet.
        for _each in range(_AT_A_TURN):
            try:
                self._accepted.append(self._there().accept()[0])
            except OSError:
                return

    def _echo(self) -> None:
        for _each in range(_AT_A_TURN):
            try:
                data, sender = self._there().recvfrom(65536)
                if self._knows(data):
                    self._there().sendto(data, sender)
            except OSError:
                return

    def _witness(self) -> None:
        for _each in range(_AT_A_TURN):
            try:
                self._knows(udp_payload(self._version, self._there().recv(65536)))
            except OSError:
                return

    def _there(self) -> socket.socket:
        if self.socket is None:
            raise OSError(errno.EBADF, "closed")
        return self.socket
