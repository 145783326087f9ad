# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts files on disk: written in place, a block for each owner, whatever a container has made of them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._host import hosts_file
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import Container
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import SetHostsFile
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases

FOUND = "127.0.0.1\tlocalhost\n10.70.1.2\tabc\n"


def web(folder: Path, content: str | bytes = FOUND) -> tuple[Container, Path]:
    """A running container and its hosts file."""
    path = folder / "id-web" / "hosts"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Container("id-web", "web", True, netns="/proc/7/ns/net", hosts_path=str(path)), path


def put(container: Container, *lines: str, owner: str = "topology shop") -> None:
    """Write one block."""
    hosts_file.apply(SetHostsFile(container.id, container.name, owner, lines), container)


def obstacle(container: Container) -> str:
    """What is said of a file that cannot be written, before and after it is tried."""
    said = hosts_file.HostsFiles({container.id: container})[container.id].obstacle
    with pytest.raises(HostError) as failure:
        put(container, "10.80.2.10 db")
    assert str(failure.value) == f"container 'web' {said}"
    return said


def test_a_block_in_place(tmp_path: Path) -> None:
    container, path = web(tmp_path)
    with path.open(encoding="utf-8") as mounted:
        put(container, "10.80.2.10 db")
        put(container, "10.80.2.10 db", owner="hosts_file")
        put(container, "10.80.2.11 db", "fd00::1 db")
        assert mounted.read() == (
            f"{FOUND}# BEGIN breakwater hosts_file\n10.80.2.10 db\n# END breakwater hosts_file\n"
            "# BEGIN breakwater topology shop\n10.80.2.11 db\nfd00::1 db\n# END breakwater topology shop\n"
        )
        put(container)
        put(container, owner="hosts_file")
        put(container, owner="nobody")
    assert path.read_text(encoding="utf-8") == FOUND


_LINES = st.sampled_from(
    (
        "127.0.0.1\tlocalhost",
        "10.80.2.10 db",
        "",
        "# BEGIN breakwater topology shop",
        "# END breakwater topology shop",
        "# BEGIN breakwater topology other",
        "# END breakwater topology other",
        "# BEGIN breakwater ",
    )
)


@cases(300)
@given(st.lists(_LINES, max_size=12), st.booleans(), st.binary(max_size=4), st.sampled_from(((), ("10.80.2.10 db",))))
def test_whatever_was_there(there: list[str], ended: bool, noise: bytes, wanted: tuple[str, ...]) -> None:
    """One write makes it so, and so does a second one; what is nobody's, or another one's, stays."""
    with tempfile.TemporaryDirectory() as folder:
        content = noise + "\n".join(there).encode() + b"\n" * ended
        container, path = web(Path(folder), content)
        foreign = _foreign(path.read_bytes())
        before = hosts_file.HostsFiles({container.id: container})[container.id].blocks
        for _time in range(2):
            put(container, *wanted)
            now = hosts_file.HostsFiles({container.id: container})[container.id].blocks
            assert now.get("topology shop", ()) == wanted
            assert {each: found for each, found in now.items() if each != "topology shop"} == {
                each: found for each, found in before.items() if each != "topology shop"
            }
            assert _foreign(path.read_bytes()) == foreign


def _foreign(content: bytes) -> list[bytes]:
    """The lines outside of all blocks, counted by another hand: no mark, or an end, comes before them."""
    found, inside = [], False
    for line in content.removesuffix(b"\n").split(b"\n") if content else []:
        if line.startswith(b"# BEGIN breakwater ") and len(line) > 19:
            inside = True
        elif line.startswith(b"# END breakwater ") and len(line) > 17:
            inside = False
        elif not inside:
            found.append(line)
    return found


def test_what_is_not_ours_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    container, path = web(tmp_path)
    own = Container("id-other", "web", True, netns="/proc/7/ns/net", hosts_path=str(path))
    assert obstacle(own) == "has a file at /etc/hosts that was mounted there, and is not the engine's"
    path.write_text("x" * (hosts_file._MOST + 1), encoding="utf-8")
    assert "more than 1048576 bytes" in obstacle(container)
    path.unlink()
    assert obstacle(container) == "has a hosts file that cannot be written: No such file or directory"
    (tmp_path / "passwd").write_text(FOUND, encoding="utf-8")
    path.symlink_to(tmp_path / "passwd")
    assert "Too many levels of symbolic links" in obstacle(container)
    path.unlink()
    os.mkfifo(path)
    assert obstacle(container) == "has no regular hosts file"
    path.unlink()
    path.write_text(FOUND, encoding="utf-8")
    with monkeypatch.context() as full:
        full.setattr(hosts_file.os, "write", lambda *_args: 3)
        with pytest.raises(HostError, match="is the disk full"):
            put(container, "10.80.2.10 db")
    assert (tmp_path / "passwd").read_text(encoding="utf-8") == FOUND


def test_nobody_looks_where_nobody_runs(tmp_path: Path) -> None:
    container, path = web(tmp_path)
    stopped = Container("id-web", "web", False, hosts_path=str(path))
    hosty = Container("id-web", "web", True, "host", netns="/proc/7/ns/net", hosts_path=str(path))
    put(container, "10.80.2.10 db")
    for each in (stopped, hosty):
        files = hosts_file.HostsFiles({each.id: each})
        assert files[each.id].blocks == {} and list(files) == ["id-web"] and len(files) == 1
