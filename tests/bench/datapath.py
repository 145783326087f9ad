# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a lab host: how fast two containers talk. ``datapath.py CLIENT_PID SERVER_PID ADDRESS``.

Where they are on two hosts, it runs on both, with ``-`` for the process of the other one.

Prints JSON, all per second: ``requests`` of one byte and their answers over one TCP connection, ``echoes`` that the
kernel itself answers (``ping -f``), and ``throughput`` of one TCP stream in bytes. All are bounded in time.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

_PINGS = 40000
_SECONDS = 2.0
_PORT = 5201
_CHUNK = 1 << 20
_CLONE_NEWNET = 0x40000000


def enter(pid: str) -> None:
    """Go to the network namespace that the process lives in."""
    with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
        os.setns(namespace.fileno(), _CLONE_NEWNET)


def serve(pid: str) -> None:
    """Take one connection and read it to its end, then another one and answer each byte."""
    enter(pid)
    with socket.create_server(("", _PORT)) as server:
        server.settimeout(60)
        stream, _peer = server.accept()
        with stream:
            while stream.recv(_CHUNK):
                pass
        stream, _peer = server.accept()
        with stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while asked := stream.recv(1):
                stream.send(asked)


def connected(address: str) -> socket.socket:
    """A connection to the server, as soon as it is there."""
    until = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection((address, _PORT), 2)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def throughput(address: str) -> float:
    """Bytes per second that one stream carries."""
    with connected(address) as stream:
        data, sent, start = memoryview(bytes(_CHUNK)), 0, time.monotonic()
        while time.monotonic() - start < _SECONDS:
            sent += stream.send(data)
        return sent / (time.monotonic() - start)


def requests(address: str) -> float:
    """Requests per second, each sent when the one before has been answered."""
    with connected(address) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answered, start = 0, time.monotonic()
        while time.monotonic() - start < _SECONDS:
            stream.send(b"x")
            answered += len(stream.recv(1))
        return answered / (time.monotonic() - start)


def echoes(address: str) -> float:
    """Echoes per second, each asked for when the one before has come back."""
    argv = ["ping", "-f", "-q", "-c", str(_PINGS), "-w", "20", address]
    # Who is too slow for all of them within the time ends with 1, and has answered many.
    told = subprocess.run(argv, capture_output=True, check=False, text=True).stdout
    found = re.search(r"(\d+) received.* time (\d+)ms", told)
    assert found, told
    return int(found[1]) / (int(found[2]) / 1000)


def main() -> None:
    """Measure, or be what is measured against."""
    client, server, address = sys.argv[1:]
    if client == "-":
        serve(server)
        return
    child = os.fork() if server != "-" else -1
    if child == 0:
        serve(server)
        os._exit(0)
    enter(client)
    found = {"throughput": throughput(address), "requests": requests(address)}
    if child > 0:
        os.waitpid(child, 0)
    print(json.dumps({**found, "echoes": echoes(address)}))


main()
