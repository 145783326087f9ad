# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends real packets between many network namespaces of one machine at once; one JSON line in, one out.

A *place* is a network namespace with a process of its own, which serves (each TCP client gets a greeting, each datagram
comes back under the place's name) and asks. Orders:

``{"do": "place", "place": name, "pid": n, "listen": [["tcp", 9000], ...]}``: a process in the namespace of ``pid``, or
in this one for 0; a former one of that name ends.
``{"do": "ask", "cells": {place: [cell, ...]}, "wait": s}``: all cells at once; ``{place: [measure, ...]}`` comes back.
``{"do": "watch", "cells": {place: [cell, ...]}, "every": s}``: from here on, ask each of them over and over.
``{"do": "watched", "places": [...]}``: end that; ``{place: {"counts": [[asked, answered], ...], "heard": {...}}}`` with
how many connections and datagrams from each address arrived there meanwhile, answered or not, and in ``failed`` when
which cell got no answer, as ``[number, since the epoch, measure]``.
``{"do": "hold", "place": name, "cells": [...]}``: open a TCP connection for each cell and keep it.
``{"do": "held", "places": [...], "wait": s}``: ``{place: [measure, ...]}``, which of them still carry a message.

A cell is ``[protocol, source address, destination address, port, server, expected]``, a measure ``pass``, ``drop`` or
``refused`` (something came back, but not the answer of ``server``). Where ``pass`` is expected and nothing came, it is
asked a second time. A datagram's source port is the cell's own and stays: what was let through once is an established
flow for the next order. What is awaited is silence: it ends ``wait`` seconds after the start, but not before what must
pass has passed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

PATIENCE = 1.0  # for each of the two tries of what must pass
ICMP6_FILTER = 1
ECHO_REPLY = {4: 0, 6: 129}
ECHO_REQUEST = {4: 8, 6: 128}


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def end_by_reset(one: socket.socket) -> None:
    """Let nothing of a connection linger: what the kernel still sent for it would reach who has its addresses next."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Question:
    """One cell on its way: ``measure`` is None until something decides it."""

    def __init__(self, place: Place, number: int, cell: list[Any]) -> None:
        self.place, self.number = place, number
        self.protocol, self.source, self.destination, self.port, self.server, self.expected = cell
        self.measure: str | None = None
        self.socket: socket.socket | None = None
        self.tries = 0

    def ask(self) -> None:
        self.tries += 1
        self.token = f"{self.place.round}.{self.number}.{self.tries}".encode()
        try:
            {"tcp": self._tcp, "udp": self._udp, "icmp": self._icmp}[self.protocol]()
        except OSError as error:
            self._failed(error)

    def again(self) -> None:
        self.close()
        self.ask()

    def close(self) -> None:
        """End what belongs to this try alone."""
        if self.protocol == "tcp" and self.socket is not None:
            self.place.forget(self.socket)
            self.socket = None

    def answered(self, data: bytes) -> None:
        """What an answer to this try says."""
        self._decide("pass" if data.split(b" ")[0] == self.server.encode() else "refused")

    def _decide(self, measure: str) -> None:
        if self.measure is None:
            self.measure = measure
            self.place.open.discard(self)

    def _failed(self, error: OSError) -> None:
        # Any other error is this machine's own (no route, a drop on the way out): nothing came back.
        back = error.errno in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH)
        self._decide("refused" if back else "drop")

    def _tcp(self) -> None:
        self.socket = one = socket.socket(family(self.destination), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        end_by_reset(one)
        one.bind((self.source, 0))
        self.place.watch(one, selectors.EVENT_READ, self._greeted)
        with contextlib.suppress(BlockingIOError):
            one.connect((self.destination, self.port))

    def _greeted(self) -> None:
        assert self.socket is not None
        try:
            data = self.socket.recv(100)
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(error)
        else:
            self.answered(data) if data else self._decide("refused")
        self.close()

    def _udp(self) -> None:
        one = self.place.flow(self)
        for attempt in range(3):
            try:
                one.send(self.token)
                return
            except OSError:  # what came back to an earlier datagram is reported at the next one
                if attempt == 2:
                    raise

    def _icmp(self) -> None:
        version = 6 if ":" in self.destination else 4
        number = struct.pack("!HH", self.number, self.place.round * 2 + self.tries & 0xFFFF)
        data = bytes([ECHO_REQUEST[version], 0]) + b"\0\0" + number
        if version == 4:
            total = sum(struct.unpack("!4H", data))
            total = (total >> 16) + (total & 0xFFFF)
            data = data[:2] + struct.pack("!H", ~total & 0xFFFF) + data[4:]
        self.place.echoes(version, self.source).sendto(data, (self.destination, 0))


class Place:
    """What one process does in its namespace: it serves all the time, and asks when it is told."""

    def __init__(self, name: str, listen: list[list[Any]]) -> None:
        self.name = name
        self.selector = selectors.DefaultSelector()
        self.round = 0
        self.questions: list[Question] = []
        self.open: set[Question] = set()
        self._flows: dict[tuple[str, str, int], socket.socket] = {}
        self._echoes: dict[tuple[int, str], socket.socket] = {}
        self.heard: Counter[str] = Counter()
        for protocol, port in listen:
            self._serve(protocol, port)

    def watch(self, one: socket.socket, events: int, call: Callable[[], None]) -> None:
        self.selector.register(one, events, call)

    def forget(self, one: socket.socket) -> None:
        self.selector.unregister(one)
        one.close()

    def step(self, timeout: float) -> None:
        for key, _events in self.selector.select(max(0.0, timeout)):
            key.data()

    def ask(self, cells: list[list[Any]], wait: float) -> list[str]:
        self._begin(cells)
        start = time.monotonic()
        for question in self.questions:
            question.ask()
            if question.number % 16 == 0:
                self.step(0)
        must = [question for question in self.questions if question.expected == "pass"]
        asked = time.monotonic()
        while True:
            now = time.monotonic()
            waiting = [question for question in must if question in self.open]
            if not self.open or (not waiting and now - start > wait):
                break
            if waiting and now - asked > PATIENCE:
                if waiting[0].tries > 1:
                    break
                asked = now
                for question in waiting:
                    question.again()
            self.step(0.01)
        for question in self.questions:
            question.close()
        return [question.measure or "drop" for question in self.questions]

    def echoes(self, version: int, source: str) -> socket.socket:
        """The socket by which echo requests leave from one address."""
        if (version, source) not in self._echoes:
            protocol = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
            one = socket.socket(family(source), socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
            one.bind((source, 0))
            if version == 6:
                nothing_but_replies = [0xFFFFFFFF] * 8
                nothing_but_replies[ECHO_REPLY[6] >> 5] &= ~(1 << (ECHO_REPLY[6] & 31)) & 0xFFFFFFFF
                one.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("8I", *nothing_but_replies))
            self._echoes[version, source] = one
            self.watch(one, selectors.EVENT_READ, lambda: self._echo(one, version))
        return self._echoes[version, source]

    def _echo(self, one: socket.socket, version: int) -> None:
        data, sender = one.recvfrom(2000)
        if version == 4:
            data = data[(data[0] & 15) * 4 :]
        if data[0] != ECHO_REPLY[version]:
            return
        number, tried = struct.unpack("!HH", data[4:8])
        if number < len(self.questions):
            question = self.questions[number]
            if (question.protocol, question.destination) == ("icmp", sender[0]) and tried in (
                self.round * 2 + tries & 0xFFFF for tries in range(1, question.tries + 1)
            ):
                question.answered(question.server.encode())

    def flow(self, question: Question) -> socket.socket:
        """The lasting socket of a datagram cell."""
        key = question.source, question.destination, question.port
        if key not in self._flows:
            one = socket.socket(family(question.source), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                one.bind((question.source, 0))
                one.connect((question.destination, question.port))
            except OSError:
                one.close()
                raise
            self._flows[key] = one
            self.watch(one, selectors.EVENT_READ, lambda: self._datagram(one))
        return self._flows[key]

    def _datagram(self, one: socket.socket) -> None:
        try:
            data = one.recv(2000)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return
            for question in list(self.open):  # an ICMP error names no try
                if question.protocol == "udp" and self.flow(question) is one:
                    question._failed(error)
            return
        words = data.split(b" ")
        round_, number, tries = (int(word) for word in words[-1].split(b"."))
        if round_ == self.round and number < len(self.questions) and tries <= self.questions[number].tries:
            self.questions[number].answered(data)

    def _begin(self, cells: list[list[Any]]) -> None:
        self.round += 1
        self.questions = [Question(self, number, cell) for number, cell in enumerate(cells)]
        self.open = set(self.questions)

    def _serve(self, protocol: str, port: int) -> None:
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        for each in (socket.AF_INET, socket.AF_INET6):
            one = socket.socket(each, kind | socket.SOCK_NONBLOCK)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # the outside node serves several hosts' tests
            if each == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # A reply must leave from the address that was asked.
            option = (socket.IPPROTO_IP, 8) if each == socket.AF_INET else (socket.IPPROTO_IPV6, 49)
            one.setsockopt(*option, 1)
            one.bind(("::" if each == socket.AF_INET6 else "0.0.0.0", port))
            if protocol == "tcp":
                one.listen(1024)
                self.watch(one, selectors.EVENT_READ, lambda one=one: self._accept(one))
            else:
                self.watch(one, selectors.EVENT_READ, lambda one=one: self._reflect(one))

    def _accept(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, address = one.accept()
                self.heard[address[0]] += 1
                client.setblocking(False)
                end_by_reset(client)
                client.send(self.name.encode() + b" hello\n")
                self.watch(client, selectors.EVENT_READ, lambda client=client: self._talk(client))

    def _talk(self, client: socket.socket) -> None:
        try:
            data = client.recv(2000)
            if data:
                client.send(data)
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.forget(client)

    def _reflect(self, one: socket.socket) -> None:
        # Where to is told by the packet; with it as ancillary data the reply comes from the same address.
        with contextlib.suppress(OSError):
            while True:
                data, ancillary, _flags, sender = one.recvmsg(2000, 200)
                self.heard[sender[0]] += 1
                one.sendmsg([self.name.encode() + b" " + data], _from_there(ancillary), 0, sender)


def _from_there(ancillary: list[Any]) -> list[Any]:
    """The packet information of a request as that of its reply."""
    found = []
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, 8):  # in_pktinfo: interface, address of ours, destination
            found.append((level, kind, struct.pack("I", 0) + data[8:12] + data[8:12]))
        elif (level, kind) == (socket.IPPROTO_IPV6, 50):
            found.append((level, kind, data[:16] + struct.pack("I", 0)))
    return found


class Watch:
    """Asks the same cells over and over, from beside the loop of a place."""

    def __init__(self, place: Place, cells: list[list[Any]], every: float) -> None:
        self.place, self.every, self.last = place, every, 0.0
        self.cells, self.counts = cells, [[0, 0] for _cell in cells]
        self.failed: list[list[Any]] = []
        self.running: list[tuple[int, Question, float]] = []

    @property
    def due(self) -> float:
        """In how many seconds the next round begins."""
        return max(0.0, self.last + self.every - time.monotonic())

    def step(self) -> None:
        """Begin what is due, and count what has been answered; a try that is older than a second has failed."""
        if self.due:
            return
        self.last = now = time.monotonic()
        self.settle(now, 1.0)
        for number, cell in enumerate(self.cells):
            self.counts[number][0] += 1
            question = Question(self.place, len(self.place.questions), cell)
            self.place.questions.append(question)
            self.place.open.add(question)
            question.ask()
            self.running.append((number, question, now))

    def settle(self, now: float, patience: float) -> None:
        left = []
        for number, question, since in self.running:
            if question.measure is None and now - since < patience:
                left.append((number, question, since))
                continue
            if question.measure == "pass":
                self.counts[number][1] += 1
            elif len(self.failed) < 1000:
                self.failed.append([number, time.time() - (now - since), question.measure or "drop"])
            question.close()
            self.place.open.discard(question)
        self.running = left


def inhabit(name: str, listen: list[list[Any]]) -> None:
    """The life of a place: orders by standard input."""
    place = Place(name, listen)
    stream = os.fdopen(0, "rb", buffering=0)
    os.set_blocking(0, False)
    waiting, lines = bytearray(), []
    watch: Watch | None = None
    held: list[socket.socket] = []

    def read() -> None:
        data = stream.read(1 << 20)
        if data is None:
            return
        if not data:
            os._exit(0)
        waiting.extend(data)
        while b"\n" in waiting:
            line, _, rest = bytes(waiting).partition(b"\n")
            waiting[:] = rest
            lines.append(json.loads(line))

    place.selector.register(0, selectors.EVENT_READ, read)
    print("{}", flush=True)
    while True:
        place.step(watch.due if watch else 3600)
        if watch:
            watch.step()
        while lines:
            order = lines.pop(0)
            answer: Any = {}
            if order["do"] == "ask":
                answer = place.ask(order["cells"], order["wait"])
            elif order["do"] == "watch":
                place._begin([])
                place.heard.clear()
                watch = Watch(place, order["cells"], order["every"])
            elif order["do"] == "watched" and watch:
                end = time.monotonic() + 1
                while watch.running and time.monotonic() < end:
                    place.step(0.01)
                    watch.settle(time.monotonic(), 0.5)
                answer, watch = {"counts": watch.counts, "heard": place.heard, "failed": watch.failed}, None
            elif order["do"] == "hold":
                for protocol, source, destination, port, _server, _expected in order["cells"]:
                    assert protocol == "tcp"
                    one = socket.create_connection((destination, port), timeout=2, source_address=(source, 0))
                    end_by_reset(one)
                    assert one.recv(100)
                    held.append(one)
            elif order["do"] == "held":
                answer = _held(place, held, order["wait"])
            print(json.dumps(answer), flush=True)


def _held(place: Place, held: list[socket.socket], wait: float) -> list[str]:
    # An echo that an earlier order did not wait for says nothing of this one.
    message = f"still there at {time.monotonic_ns()}?\n".encode()
    measures = ["drop"] * len(held)
    echoes = [b""] * len(held)
    for number, one in enumerate(held):
        one.setblocking(False)
        try:
            one.send(message)
        except OSError:
            measures[number] = "refused"
    until = time.monotonic() + wait
    while time.monotonic() < until and set(measures) != {"pass"}:
        place.step(0.01)
        for number, one in enumerate(held):
            with contextlib.suppress(BlockingIOError):
                try:
                    data = one.recv(2000)
                    echoes[number] += data
                    if not data:
                        measures[number] = "refused"
                    elif echoes[number].endswith(message):
                        measures[number] = "pass"
                except ConnectionError:
                    measures[number] = "refused"
    return measures


def main() -> None:
    places: dict[str, subprocess.Popen[str]] = {}

    def tell(name: str, order: dict[str, Any]) -> None:
        stream = places[name].stdin
        assert stream
        stream.write(json.dumps(order) + "\n")
        stream.flush()

    def hear(name: str) -> Any:
        stream = places[name].stdout
        assert stream
        line = stream.readline()
        assert line, f"the process at {name} has ended"
        return json.loads(line)

    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "place":
            name = order["place"]
            if name in places:
                former = places.pop(name)
                former.kill()
                former.communicate()
            there = ["nsenter", f"--net=/proc/{order['pid']}/ns/net"] if order["pid"] else []
            argv = [*there, sys.executable, __file__, name, json.dumps(order["listen"])]
            places[name] = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            answer = hear(name)
        elif "cells" in order and isinstance(order["cells"], dict):
            for name, cells in order["cells"].items():
                tell(name, {**order, "cells": cells})
            answer = {name: hear(name) for name in order["cells"]}
        elif "place" in order:
            tell(order["place"], order)
            answer = hear(order["place"])
        else:
            for name in order["places"]:
                tell(name, order)
            answer = {name: hear(name) for name in order["places"]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        inhabit(sys.argv[1], json.loads(sys.argv[2]))
    else:
        main()
