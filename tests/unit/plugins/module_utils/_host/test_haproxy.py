# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime API and a balancer's files, with a master process in memory behind real sockets."""

from __future__ import annotations

import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import blue_green, haproxy
from ansible_collections.breakwater.docker.plugins.module_utils._host.blue_green import HostStand
from ansible_collections.breakwater.docker.plugins.module_utils._host.haproxy import Runtime, read_traffic
from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import Record, Switch
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError

STATISTICS = """\
# pxname,svname,scur,status,weight,hrsp_5xx,req_tot,
users,FRONTEND,9,OPEN,,3,700,
live,blue,4,no check,{blue},2,,
live,green,1,no check,{green},1,,
live,BACKEND,5,UP,100,3,700,
blue,FRONTEND,4,OPEN,,2,600,
blue-gate,FRONTEND,0,OPEN,,5,5,
blue,b1_8080,4,UP,1,2,,
blue,b2_8080,0,DOWN,1,0,,
blue,BACKEND,4,UP,1,2,605,
green,FRONTEND,1,OPEN,,7,107,
green,g1_8080,1,UP 1/3,1,7,,
green,BACKEND,1,UP,1,7,107,
"""
FORMER = "# pxname,svname,scur,status,weight,hrsp_5xx,req_tot,\nlive,blue,2,no check,100,0,,\n"
PROCESSES = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          1 [failed: 0]   0d00h00m17s     2.6.12
# workers
12              worker          0               0d00h00m01s     2.6.12
# old workers
8               worker          1               0d00h00m17s     2.6.12
# programs

"""


class FakeMaster:
    """A master process: weights, a description that a reload reads from the configuration, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.weights = {"blue": 100, "green": 0}
        self.description = "first"
        self.next = "second"
        self.asked: list[str] = []
        self.gate = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self._sockets = [self._serve(folder / name) for name in ("master.sock", "green-gate.sock")]

    def _serve(self, path: Path) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=self._answer, args=(listener, "gate" in path.name), daemon=True).start()
        return listener

    def _answer(self, listener: socket.socket, gate: bool) -> None:
        with suppress(OSError):
            while True:
                peer = listener.accept()[0]
                with peer:
                    asked = peer.recv(4096).decode().strip()
                    self.asked.append(asked.splitlines()[0])
                    peer.sendall(self.gate if gate else self.answer(asked).encode())

    def answer(self, command: str) -> str:
        if command.startswith("@1 set weight live/"):
            name, weight = command.removeprefix("@1 set weight live/").split()
            if name not in self.weights:
                return "No such server.\n"
            self.weights[name] = int(weight)
        if command == "reload":
            self.description = self.next
        return {
            "show proc": PROCESSES,
            "@1 show info": f"Name: HAProxy\ndescription: {self.description}\nPid: 12\n",
            "@1 show stat": STATISTICS.format(**self.weights),
            "@!8 show stat": FORMER,
            "@1 show servers state live": f"1\n# be_id\n3 live {self.weights}\n\n",
        }.get(command, "")

    def close(self) -> None:
        for each in self._sockets:
            each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = tmp_path / "shop" / "run"
    run.mkdir(parents=True)
    return tmp_path


@pytest.fixture
def master(folder: Path) -> Iterator[FakeMaster]:
    found = FakeMaster(folder / "shop" / "run")
    with patch.object(haproxy, "_PATIENCE", 0.2), patch.object(blue_green, "_RELOAD", 0.5):
        yield found
    found.close()


def test_what_the_statistics_say_of_the_environments() -> None:
    found = read_traffic(STATISTICS.format(blue=90, green=10), "description: abc\n")
    assert found.fingerprint == "abc"
    assert found.shares == {"blue": 90, "green": 10}
    assert found.sessions == {"blue": 4, "green": 1}
    assert (found.requests, found.errors) == ({"blue": 600, "green": 107}, {"blue": 2, "green": 7})
    assert found.servers == {"blue": {"b1_8080": "UP", "b2_8080": "DOWN"}, "green": {"g1_8080": "UP 1/3"}}


def test_the_sessions_of_former_workers_count(master: FakeMaster, folder: Path) -> None:
    runtime = Runtime(folder / "shop" / "run")
    assert runtime.answers()
    assert runtime.traffic().sessions == {"blue": 6, "green": 1}
    runtime.cut("blue")
    assert master.asked[-2:] == [
        "@1 shutdown sessions server live/blue",
        "@!8 shutdown sessions server live/blue",
    ]


def test_a_master_without_a_worker_is_no_balancer(master: FakeMaster, folder: Path) -> None:
    runtime = Runtime(folder / "shop" / "run")
    complaint = "Can't find the target PID\nmatching the prefix '@1'.\n"
    with (
        patch.object(master, "answer", lambda _command: complaint),
        pytest.raises(HostError, match="Can't find the target PID matching the prefix"),
    ):
        runtime.traffic()
    assert read_traffic("", "").shares == read_traffic("Unknown\ncommand\n", "").shares == {}
    assert runtime.traffic().shares == {"blue": 100, "green": 0}


def test_whoever_gets_users_gets_them_before_the_other_loses_them(master: FakeMaster, folder: Path) -> None:
    Runtime(folder / "shop" / "run").weigh({"blue": 0, "green": 100})
    assert master.asked == ["@1 set weight live/green 100", "@1 set weight live/blue 0"]
    with pytest.raises(HostError, match=r"refused a weight of 5 for red: No such server\."):
        Runtime(folder / "shop" / "run").weigh({"red": 5})


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "GET /health answers 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "GET /health has no answer"),
        (b"nonsense\r\n\r\n", "GET /health has no answer"),
        (b"", "GET /health has no answer"),
    ],
)
def test_an_answer_at_the_gate(master: FakeMaster, folder: Path, answer: bytes, wrong: str) -> None:
    master.gate = answer
    found = Runtime(folder / "shop" / "run").request("green-gate", "/health", 1)
    assert found.startswith(wrong) and bool(found) == bool(wrong)
    assert "has no answer" in Runtime(folder / "shop" / "run").request("blue-gate", "/health", 1)


def test_a_balancer_that_is_not_there(folder: Path) -> None:
    runtime = Runtime(folder / "shop" / "run")
    assert not runtime.answers()
    with patch.object(haproxy, "_PATIENCE", 0.2), pytest.raises(HostError, match="does its container run"):
        runtime.traffic()


def test_a_record_is_read_as_it_was_written(folder: Path) -> None:
    stand = HostStand("shop", folder)
    assert stand.observe().record is None
    for record in (
        Record("blue", "2026-11-21T14:00:00Z"),
        Record("green", "2026-11-21T14:00:00Z", Switch("blue", "canary", 10, "x"), {"target": "green", "cut": 3}),
    ):
        stand.keep(record)
        assert stand.observe().record == record
    assert stat.S_IMODE((folder / "shop.json").stat().st_mode) == 0o600
    for garbled in ("{", "[]", '{"live": "blue"}', '{"live": "b", "since": "", "last": {}, "switch": {"to": 1}}'):
        (folder / "shop.json").write_text(garbled)
        with pytest.raises(HostError, match="is not what the collection wrote"):
            stand.observe()
    stand.remove()
    assert not stand.exists()


def test_without_a_balancer_the_files_are_written_for_its_start(folder: Path) -> None:
    stand = HostStand("shop", folder)
    stand.arrange("the configuration", "first", {"blue": 100, "green": 0})
    assert stand.observe().configuration == "the configuration"
    assert (folder / "shop" / "etc" / "server-state").read_text() == "1\n"


def test_weights_need_no_reload_and_another_configuration_does(master: FakeMaster, folder: Path) -> None:
    stand = HostStand("shop", folder)
    stand.arrange("one", "first", {"blue": 90, "green": 10})
    assert "reload" not in master.asked
    assert master.weights == {"blue": 90, "green": 10}
    assert "90" in (folder / "shop" / "etc" / "server-state").read_text()
    stand.arrange("two", "second", {"blue": 90, "green": 10})
    assert "reload" in master.asked
    assert stand.traffic().fingerprint == "second"


def test_a_configuration_that_is_not_taken_over_is_taken_back(master: FakeMaster, folder: Path) -> None:
    stand = HostStand("shop", folder)
    stand.arrange("one", "first", {"blue": 100, "green": 0})
    master.next = "first"
    with pytest.raises(HostError, match="goes on by the former one"):
        stand.arrange("two", "second", {"blue": 100, "green": 0})
    assert stand.observe().configuration == "one"
