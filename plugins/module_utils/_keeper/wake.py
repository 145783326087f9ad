# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wakes a keeper: the engine's events, and what others do to nftables; each told as a reason to look."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

from .._host.engine import DockerEngine
from .._model.engine import EngineAddress
from .._model.errors import HostError

RELOADED = "the engine was reloaded"
"""Why there is a look when the engine's own settings may have changed."""
FILTERED = "the packet filter was changed"
"""Why there is a look when something of ours was taken from nftables."""
_RETRY = 0.2
"""Seconds between attempts to reach an engine that is gone."""
_NETLINK_NETFILTER, _NFTABLES_GROUP, _SUBSYSTEM = 12, 7, 10
_NEW_RULE, _REMOVALS, _OUT_OF_SET = 6, frozenset((2, 5, 8, 11)), 14
"""Messages of nf_tables: a rule is added; a table, chain, rule or set goes; an element goes."""
_OURS = (b"breakwater-", b"BREAKWATER\0", b"DOCKER-USER\0", b"BWR-", b"BWT-", b"BWX-", b"BW-", b"BW4-", b"BW6-")


@dataclass(frozen=True)
class Wake:
    """A reason to look: what happened, and when; ``engine`` is what is wrong with the engine, None if it is no news."""

    why: str
    at: float
    engine: str | None = None


class Wakes:
    """The reasons to look, as they come in."""

    def __init__(self, where: EngineAddress) -> None:
        self._queue: Queue[Wake | None] = Queue()
        self._where = where

    def start(self) -> None:
        for each in (self._follow_engine, self._follow_nftables):
            threading.Thread(target=each, daemon=True, name=each.__name__).start()

    def stop(self) -> None:
        """End the waiting: no reason comes any more."""
        self._queue.put(None)

    def wait(self, seconds: float) -> list[Wake] | None:
        """All reasons that there are, as soon as there is one; none after ``seconds``, None at the end."""
        found: list[Wake] = []
        try:
            each = self._queue.get(timeout=max(0.0, seconds))
            while each is not None:
                found.append(each)
                each = self._queue.get_nowait()
        except Empty:
            return found
        return None

    def _follow_engine(self) -> None:
        told = ""
        while True:
            try:
                events = DockerEngine(self._where).events()
                self._tell("the engine answers", engine="")
                told = ""
                for event in events:
                    self._queue.put(_of_engine(event))
            except HostError as error:
                if str(error) != told:
                    told = str(error)
                    self._tell("the engine is gone", engine=told)
            time.sleep(_RETRY)

    def _follow_nftables(self) -> None:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
            netlink.bind((0, 1 << (_NFTABLES_GROUP - 1)))
            while True:
                try:
                    data = netlink.recv(1 << 20)
                except OSError:  # more was changed than the socket holds
                    self._tell(FILTERED)
                    continue
                if any(_concerns_us(kind, body) for kind, body in _messages(data)):
                    self._tell(FILTERED)

    def _tell(self, why: str, engine: str | None = None) -> None:
        self._queue.put(Wake(why, time.time(), engine))


def _of_engine(event: dict[str, Any]) -> Wake:
    at = event.get("timeNano", 0) / 1e9
    if event.get("Type") == "daemon":
        return Wake(RELOADED, at)
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    who = attributes.get("name") or str(actor.get("ID"))[:12]
    return Wake(f"{event.get('Type')} {who}: {event.get('Action')}", at)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and the body of each message of nf_tables in what a netlink socket has received."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if length < 16:
            return
        if kind >> 8 == _SUBSYSTEM:
            yield kind & 0xFF, data[16:length]
        data = data[(length + 3) & ~3 :]


def _concerns_us(kind: int, body: bytes) -> bool:
    """Whether something of ours was removed, or somebody has put himself before it."""
    # Elements come and go with each container, by our own hand: only those that say who is judged must stay.
    must = {_NEW_RULE: (b"DOCKER-USER\0",), _OUT_OF_SET: (b"bridges\0", b"governed")}
    if kind not in _REMOVALS and not any(each in body for each in must.get(kind, ())):
        return False
    return any(each in body for each in _OURS)
