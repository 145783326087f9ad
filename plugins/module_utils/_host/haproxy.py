# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime API, over the socket of its master process, which lasts through reloads."""

from __future__ import annotations

import csv
import http.client
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from .._model.blue_green import Traffic
from .._model.errors import HostError

_SECONDS = 5.0
"""Within which HAProxy answers a command."""
_PATIENCE = 3.0
"""Seconds for which the master may be deaf, or without a worker, while it reloads."""
_STATISTICS = "# pxname,"


class Runtime:
    """The balancer whose sockets are in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answers(self) -> bool:
        """Whether it runs."""
        try:
            return "worker" in self._once("show proc")
        except OSError:
            return False

    def traffic(self) -> Traffic:
        """What it tells of itself; HostError where it does not answer."""
        found = read_traffic(self._ask("@1 show stat", _STATISTICS), self._ask("@1 show info"))
        sessions = dict(found.sessions)
        for pid in self._former():
            # One that ends at this moment has no sessions, and no statistics.
            for name, count in read_traffic(self._ask(f"@!{pid} show stat"), "").sessions.items():
                sessions[name] = sessions.get(name, 0) + count
        return Traffic(found.fingerprint, found.shares, sessions, found.requests, found.errors, found.servers)

    def weigh(self, shares: Mapping[str, int]) -> None:
        """Give each environment its weight; the greater first, so that somebody has users at any time."""
        for name, share in sorted(shares.items(), key=lambda each: -each[1]):
            complaint = self._ask(f"@1 set weight live/{name} {share}").strip()
            if complaint:
                raise HostError(f"the balancer refused a weight of {share} for {name}: {complaint}")

    def state(self) -> str:
        """The weights as HAProxy reads them from its server-state file."""
        return self._ask("@1 show servers state live").rstrip("\n") + "\n"

    def reload(self) -> None:
        """Start a new worker on the configuration; the former one ends with its connections."""
        self._ask("reload")

    def cut(self, environment: str) -> None:
        """End all sessions of an environment."""
        for process in ("1", *(f"!{pid}" for pid in self._former())):
            self._ask(f"@{process} shutdown sessions server live/{environment}")

    def request(self, entrance: str, path: str, timeout: float) -> str:
        """What is wrong with the answer to one request at an entrance; empty where nothing is."""
        connection = _UnixConnection(self._folder / f"{entrance}.sock", timeout)
        try:
            connection.request("GET", path, headers={"Host": "localhost", "User-Agent": "breakwater"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            return f"GET {path} has no answer: {error or type(error).__name__}"
        finally:
            connection.close()
        return "" if 200 <= answer.status < 400 else f"GET {path} answers {answer.status}"

    def _former(self) -> list[str]:
        """The process IDs of workers that a reload has left behind."""
        _head, _mark, rest = self._ask("show proc").partition("# old workers\n")
        return [line.split()[0] for line in rest.partition("\n#")[0].splitlines() if line[:1].isdigit()]

    def _ask(self, command: str, beginning: str = "") -> str:
        """The answer, which has this beginning; HostError where there is none for a while."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                answer = self._once(command)
                if answer.startswith(beginning):
                    return answer
                reason = " ".join(answer.split())[:80] or "an empty answer"
            except OSError as error:
                reason = error.strerror or str(error)
            if time.monotonic() > until:
                raise HostError(
                    f"the balancer does not answer at {self._folder}/master.sock ({reason}); does its container run?"
                )
            time.sleep(0.1)

    def _once(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(_SECONDS)
            stream.connect(str(self._folder / "master.sock"))
            stream.sendall(command.encode() + b"\n")
            stream.shutdown(socket.SHUT_WR)
            parts = []
            while part := stream.recv(65536):
                parts.append(part)
            return b"".join(parts).decode("utf-8", "replace")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP to a socket in the file system."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def read_traffic(statistics: str, info: str) -> Traffic:
    """What ``show stat`` and ``show info`` say of the environments."""
    told = statistics.removeprefix("# ").splitlines() if statistics.startswith(_STATISTICS) else []
    rows = list(csv.DictReader(told))
    known = {row["svname"]: row for row in rows if row["pxname"] == "live" and row["svname"] != "BACKEND"}
    fronts = {row["pxname"]: row for row in rows if row["svname"] == "FRONTEND" and row["pxname"] in known}
    servers: dict[str, dict[str, str]] = {name: {} for name in known}
    for row in rows:
        if row["pxname"] in known and row["svname"] not in ("FRONTEND", "BACKEND"):
            servers[row["pxname"]][row["svname"]] = row["status"]
    marks = [line.partition(": ")[2] for line in info.splitlines() if line.startswith("description: ")]
    return Traffic(
        marks[0] if marks else "",
        {name: int(row["weight"] or 0) for name, row in known.items()},
        {name: int(row["scur"] or 0) for name, row in known.items()},
        {name: int(row["req_tot"] or 0) for name, row in fronts.items()},
        {name: int(row["hrsp_5xx"] or 0) for name, row in fronts.items()},
        servers,
    )
