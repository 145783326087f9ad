# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import command
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError

ALL = ("ip", "nsenter", "iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore", "nft")


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        (["nsenter"], "the host has no nsenter; install its package util-linux"),
        (
            ["ip", "iptables-save", "ip6tables-save"],
            "the host has no ip, iptables-save, ip6tables-save; install its packages iproute2, iptables",
        ),
    ],
)
def test_each_missing_tool_and_its_package_is_named(
    lacking: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in set(ALL) - set(lacking):
        (tmp_path / tool).touch(0o755)
    monkeypatch.setattr(command, "_PATH", str(tmp_path))
    with pytest.raises(HostError) as refused:
        command.require_tools()
    assert str(refused.value) == message


def test_a_host_that_has_all_of_them_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in ALL:
        (tmp_path / tool).touch(0o755)
    monkeypatch.setattr(command, "_PATH", str(tmp_path))
    command.require_tools()
