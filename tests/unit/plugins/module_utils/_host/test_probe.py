# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop and the listeners, on this machine's loopback; lab tests do the rest in namespaces of their own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import probe
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.probe import (
    Cell,
    Expectation,
    Measured,
    Place,
    Probe,
)

HOST = Place("host")


@pytest.fixture
def service() -> Iterator[int]:
    """The port of a TCP service on all addresses."""
    with socket.socket() as one:
        one.bind(("0.0.0.0", 0))
        one.listen()
        yield one.getsockname()[1]


def free(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def cell(protocol: str, port: int, to: str = "127.0.0.1", bind: str | None = None, source: Place = HOST) -> Cell:
    expectation = Expectation(bind or source.name, to, protocol, port, path="expectations[0]")
    return Cell(expectation, source, HOST, "127.0.0.1", bind)


def measure(*cells: Cell) -> tuple[Measured, ...]:
    return probe.measure(Probe(tuple(each.expectation for each in cells), reply_timeout=5.0), cells)


@pytest.mark.parametrize(("protocol", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_a_listener_is_opened_and_gone_afterwards(protocol: str, kind: socket.SocketKind) -> None:
    port = free(kind)
    (found,) = measure(cell(protocol, port))
    assert (found.outcome, found.listener) == ("pass", "opened")
    assert found.latency is not None
    with socket.socket(type=kind) as one:
        one.bind(("127.0.0.1", port))  # nothing is left of it, no TIME_WAIT either


def test_a_service_that_is_there_keeps_its_port(service: int) -> None:
    (found,) = measure(cell("tcp", service))
    assert (found.outcome, found.listener) == ("pass", "existing")


def test_results_are_in_the_order_of_the_cells_however_many_go_at_once(
    service: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_AT_ONCE", 3)
    port = free(socket.SOCK_STREAM)
    cells = [cell("tcp", service if n % 3 else port) for n in range(10)]
    # Those that are expected to be dropped are measured first.
    cells[1::2] = [replace(each, expectation=replace(each.expectation, expect="drop")) for each in cells[1::2]]
    assert [each.listener for each in measure(*cells)] == ["existing" if n % 3 else "opened" for n in range(10)]


def test_many_cells_share_one_listener() -> None:
    port = free(socket.SOCK_STREAM)
    assert {each.listener for each in measure(*[cell("tcp", port)] * 200)} == {"opened"}


def test_an_address_to_send_from() -> None:
    (found,) = measure(cell("tcp", free(socket.SOCK_STREAM), bind="127.0.0.9"))
    assert found.outcome == "pass"


def test_an_address_that_the_host_has_not() -> None:
    with pytest.raises(DeclarationError, match=r"^expectations\[0\]\.from: the host has no address 192\.0\.2\.77$"):
        measure(cell("tcp", 80, bind="192.0.2.77"))


def test_a_container_that_has_stopped_meanwhile() -> None:
    with pytest.raises(HostError, match=r"^container 'web' has stopped meanwhile$"):
        measure(cell("tcp", free(socket.SOCK_STREAM), source=Place("web", "/proc/0/ns/net")))
