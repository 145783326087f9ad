# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept on a host: written whole, read back as it was, root's alone."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import files
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import LiveEndpoint, Settings
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.ipam import Pool
from ansible_collections.breakwater.docker.plugins.module_utils._model.journal import Journal
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition, LiveNetwork
from ansible_collections.breakwater.docker.plugins.module_utils._model.route import LiveRoute
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import Memory

MEMORY = Memory(
    {"networks": [{"name": "front"}], "connections": [], "routes": []},
    frozenset({("web", "front"), ("db", "back")}),
    frozenset({("web", ("10.0.0.0/8", 254, 0)), ("web", ("::/0", 100, 1024))}),
    frozenset({"cast"}),
)
JOURNAL = Journal(
    LiveNetwork(
        "f" * 64,
        Definition(
            "front",
            driver_options={"a": "1"},
            ipam_config=(Pool("10.0.0.0/24", "10.0.0.0/25", "10.0.0.1", {"p": "10.0.0.9"}), Pool("fd00::/64")),
            enable_ipv6=True,
            labels={"team": "blue"},
        ),
    ),
    {
        "c1": LiveEndpoint(
            "f" * 64,
            "front",
            Settings("10.0.0.5", None, ("169.254.1.1",), ("a", "b"), ("db:x",), None, {"k": "v"}, 5),
            "10.0.0.5",
            "fd00::5",
            "02:00:00:00:00:05",
            ("10.0.0.1", "fd00::1"),
        ),
        "c2": LiveEndpoint("", "front", Settings()),
    },
    {"c1": (LiveRoute("10.9.0.0/16", "10.0.0.7", "front", 7, 100), LiveRoute("fd09::/16", via="gw", onlink=True))},
)


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path) -> Iterator[None]:
    with (
        patch.object(files, "TOPOLOGIES", tmp_path / "etc"),
        patch.object(files, "COPIES", tmp_path / "copies"),
        patch.object(files, "JOURNALS", tmp_path / "lib" / "own"),
    ):
        yield


def test_nothing_is_there_at_first() -> None:
    assert dict(files.Memories()) == {}
    assert dict(files.Journals()) == {}
    assert (len(files.Memories()), len(files.Journals())) == (0, 0)


def test_a_memory_is_read_as_it_was_written() -> None:
    files.remember("shop", MEMORY)
    assert dict(files.Memories()) == {"shop": MEMORY}


def test_a_journal_is_read_as_it_was_written() -> None:
    files.keep_journal(JOURNAL)
    assert dict(files.Journals()) == {"front": JOURNAL}


def test_what_is_dropped_is_gone_and_stays_gone() -> None:
    files.remember("shop", MEMORY)
    files.keep_journal(JOURNAL)
    for _twice in range(2):
        files.remember("shop", None)
        files.drop_journal("front")
    assert not dict(files.Memories())
    assert not dict(files.Journals())


def test_it_is_roots_alone() -> None:
    files.remember("shop", MEMORY)
    files.keep_journal(JOURNAL)
    for path in (files.TOPOLOGIES / "shop.json", files.JOURNALS / "front.json"):
        assert oct(path.stat().st_mode & 0o777) == "0o600"
        assert oct(path.parent.stat().st_mode & 0o777) == "0o700"


def test_a_write_that_fails_leaves_the_old_one() -> None:
    files.remember("shop", MEMORY)
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        patch("os.fsync", side_effect=full),
        pytest.raises(HostError, match=r"shop\.json could not be written: No space"),
    ):
        files.remember("shop", Memory())
    assert dict(files.Memories()) == {"shop": MEMORY}
    assert [each.name for each in files.TOPOLOGIES.iterdir()] == ["shop.json"]


GARBLED = [
    ("no JSON", "{"),
    ("no text", "\udcff"),
    ("a list", "[]"),
    ("a number", "3"),
    ("another one's", '{"name": "front"}'),
    ("half of it", '{"declared": {}, "made": {"connections": [["web"]], "routes": []}}'),
    ("keys of another kind", '{"declared": {}, "made": {"connections": [], "routes": [["web", "x"]]}}'),
    ("a journal of no network", '{"network": {}, "endpoints": {}, "routes": {}}'),
    ("an endpoint that is none", '{"network": null, "endpoints": {"c": {}}, "routes": {}}'),
]


@pytest.mark.parametrize("text", [each[1] for each in GARBLED], ids=[each[0] for each in GARBLED])
def test_garbled(text: str) -> None:
    for folder in (files.TOPOLOGIES, files.JOURNALS):
        folder.mkdir(parents=True)
        (folder / "n.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(HostError, match="is not what the collection wrote; restore it, or move it away"):
        files.Memories()["n"]
    with pytest.raises(HostError, match="is not what the collection wrote; restore it, or move it away"):
        files.Journals()["n"]


def test_closed_to_who_is_not_root() -> None:
    files.remember("shop", MEMORY)
    closed = PermissionError(errno.EACCES, "Permission denied")
    with patch.object(Path, "open", side_effect=closed), pytest.raises(HostError, match="the task needs become: true"):
        files.Memories()["shop"]
    with patch.object(Path, "mkdir", side_effect=closed), pytest.raises(HostError, match="the task needs become: true"):
        files.remember("shop", Memory())
    with patch.object(Path, "unlink", side_effect=closed), pytest.raises(HostError, match="could not be removed"):
        files.remember("shop", None)
