# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for hosts files as they are declared: one line for each address, and nothing that could become another line."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.hosts_file import SPEC, HostsFile, lines


def read(*entries: dict[str, Any], **args: Any) -> HostsFile:
    """What a user writes, for the container web."""
    return HostsFile.read(spec.read(SPEC, {"container": "web", "entries": list(entries), **args}), "hosts_files[1]")


def entry(address: str = "10.80.2.10", *names: str) -> dict[str, Any]:
    """One entry."""
    return {"address": address, "names": list(names)}


def test_one_line_for_each_address() -> None:
    found = read(
        entry("fd00:80:2:0::10", "db"),
        entry("10.80.2.10", "db.edge1", "db", "db"),
        entry("FD00:80:2::10", "db", "db6"),
        entry("10.80.2.10", "Main_1"),
    )
    assert lines(found.entries) == ("10.80.2.10 db.edge1 db Main_1", "fd00:80:2::10 db db6")
    assert lines(()) == ()


def test_whose() -> None:
    assert str(read()) == "hosts file of web"
    assert str(read(container=None, network="front")) == "hosts files on front"
    assert read(entries=None, state="absent").entries == ()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "db\n10.0.0.1 evil",
        "db evil",
        "db\tevil",
        "db#",
        "# END breakwater topology shop",
        "-db",
        "db-",
        "db..edge",
        ".db",
        "db.",
        "x" * 64,
        ".".join(["x" * 63] * 4) + ".x",
        "10.80.2.10",
        "d\u00e4tenbank",
    ],
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(DeclarationError, match="is not a host's name") as refusal:
        read(entry("10.80.2.9", "fine"), entry("10.80.2.10", "db", name))
    assert refusal.value.field == "hosts_files[1].entries[1].names[1]"
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["d", "x" * 63, "shop_db_1", "1.example", ".".join(["x" * 62] * 4)])
def test_names(name: str) -> None:
    assert read(entry("10.80.2.10", name)).entries[0].names == (name,)


@pytest.mark.parametrize(
    ("args", "field", "says"),
    [
        ({"entries": [entry("10.80.2.300", "db")]}, "entries[0].address", "is not an IP address"),
        ({"entries": [entry("10.80.2.0/24", "db")]}, "entries[0].address", "is not an IP address"),
        ({"entries": [entry("fe80::1%eth0", "db")]}, "entries[0].address", "has a zone"),
        ({"entries": [entry("fe80::1%x\n10.0.0.1 evil", "db")]}, "entries[0].address", "has a zone"),
        ({"entries": [entry()]}, "entries[0].names", "lists no name"),
        ({"entries": [{"address": "10.80.2.10"}]}, "hosts_files[1].entries[0].names", "is required"),
        ({"entries": None}, "entries", "is required; an empty list"),
        ({"container": None}, "container", "found neither"),
        ({"network": "front"}, "container", "found both"),
    ],
)
def test_refused(args: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(DeclarationError) as refusal:
        HostsFile.read(spec.read(SPEC, {"container": "web", "entries": [], **args}, "hosts_files[1]"), "hosts_files[1]")
    assert refusal.value.field.endswith(field) and says in str(refusal.value)
