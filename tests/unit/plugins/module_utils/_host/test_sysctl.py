# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where kernel parameters come from and go to: modules, files at boot, refusals, what is garbled."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import sysctl
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import RestoreSysctl, SetSysctl
from ansible_collections.breakwater.docker.plugins.module_utils._model.sysctl import HOST, Kept, Live, Parameter

MAX = Parameter("net.netfilter.nf_conntrack_max")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host's files, with one parameter and no kernel module loaded."""
    for name in ("PROC", "KEPT", "MODULES", "LOADED"):
        monkeypatch.setattr(sysctl, name, tmp_path / name)
    monkeypatch.setattr(sysctl, "DROP_IN", tmp_path / "sysctl.d" / "60-breakwater.conf")
    monkeypatch.setattr(sysctl, "FOLDERS", (tmp_path / "sysctl.d", tmp_path / "usr"))
    (tmp_path / "PROC" / "vm").mkdir(parents=True)
    (tmp_path / "PROC" / "vm" / "swappiness").write_text("60\n")
    (tmp_path / "LOADED").write_text("")
    return tmp_path


def modprobe(folder: Path, monkeypatch: pytest.MonkeyPatch, found: str) -> list[str]:
    """Stand in for kmod: modinfo says ``found``, and modprobe makes the parameter appear; what was run."""
    ran: list[str] = []

    def run(argv: list[str]) -> str:
        ran.append(" ".join(argv))
        if argv[0] == "modprobe":
            path = folder / "PROC" / "net" / "netfilter" / "nf_conntrack_max"
            path.parent.mkdir(parents=True)
            path.write_text("65536\n")
        return found

    monkeypatch.setattr(sysctl, "run", run)
    return ran


def test_a_module_is_loaded_first_and_at_boot(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = modprobe(folder, monkeypatch, "/lib/modules/nf_conntrack.ko\n")
    live = sysctl.Spaces({}, {})[HOST].live
    assert live[MAX] == Live(module="nf_conntrack") and MAX in live
    sysctl.apply(SetSysctl(HOST, "", MAX, "123456", "nf_conntrack"), None)
    assert ran[-1] == "modprobe nf_conntrack"
    space = sysctl.Spaces({}, {})[HOST]
    assert space.kept[MAX] == Kept("65536", "123456", "123456")
    assert space.drop_in == {MAX.name: "123456"} and space.modules == {"nf_conntrack"}
    assert sysctl.DROP_IN.stat().st_mode & 0o777 == sysctl.MODULES.stat().st_mode & 0o777 == 0o644
    assert (sysctl.KEPT / "host.json").stat().st_mode & 0o777 == 0o600
    sysctl.apply(RestoreSysctl(HOST, "", MAX, "65536"), None)
    assert sysctl.read(MAX.name) == "65536"
    assert not sysctl.DROP_IN.exists() and not sysctl.MODULES.exists() and not (sysctl.KEPT / "host.json").exists()


def test_what_is_built_in_is_not_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modprobe(folder, monkeypatch, "(builtin)\n")
    assert MAX not in sysctl.Spaces({}, {})[HOST].live


def test_what_is_loaded_is_known_without_a_tool(folder: Path) -> None:
    (folder / "LOADED").write_text("nf_conntrack 200704 5 nf_nat, Live 0x0\n")
    assert sysctl.Spaces({}, {})[HOST].live[MAX].module == "nf_conntrack"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EINVAL, "out of range, or of another kind"),
        (errno.EPERM, "not permitted here"),
        (errno.EACCES, "not permitted here"),
        (errno.EROFS, "mounted read-only"),
        (errno.EBUSY, "Device or resource busy"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_why_the_kernel_refuses(number: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(number, "Device or resource busy")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(HostError, match=says) as refusal:
        sysctl.apply(SetSysctl(HOST, "", Parameter("vm.swappiness"), "7", path="values.vm.swappiness"), None)
    assert refusal.value.result() == {"field": "values.vm.swappiness"}
    assert not list(sysctl.KEPT.glob("*"))


def test_of_two_files_of_one_name_the_first_counts(folder: Path) -> None:
    for where, value in (("sysctl.d", 1), ("usr", 2)):
        (folder / where).mkdir()
        (folder / where / "99-x.conf").write_text(f"vm.swappiness = {value}\n")
    (folder / "usr" / "70-y.conf").write_text("vm/swappiness=3\nkernel.sysrq=1\n")
    assert sysctl.Spaces({}, {})[HOST].later == {
        "vm.swappiness": (str(folder / "sysctl.d" / "99-x.conf"), "1"),
        "kernel.sysrq": (str(folder / "usr" / "70-y.conf"), "1"),
    }


@pytest.mark.parametrize("text", ["{", '{"": {"vm.swappiness": 7}}', "[]"])
@pytest.mark.usefixtures("folder")
def test_a_garbled_record_is_refused(text: str) -> None:
    sysctl.KEPT.mkdir()
    (sysctl.KEPT / "host.json").write_text(text)
    with pytest.raises(HostError, match="is not what the collection wrote"):
        sysctl.Spaces({}, {})[HOST]


def test_what_the_kernel_does_not_tell(folder: Path) -> None:
    (folder / "PROC" / "vm" / "compact_memory").write_text("")
    (folder / "PROC" / "vm" / "compact_memory").chmod(0o200)
    (folder / "PROC" / "vm" / "stat_refresh").write_text("")
    (folder / "PROC" / "vm" / "stat_refresh").chmod(0o444)
    space = sysctl.Spaces({}, {})[HOST]
    assert not space.live[Parameter("vm.compact_memory")].readable
    assert not space.live[Parameter("vm.stat_refresh")].writable
    assert Parameter("vm") not in space.live
    assert sorted(space.siblings(Parameter("vm.x"))) == ["vm.compact_memory", "vm.stat_refresh", "vm.swappiness"]
    assert list(space.siblings(Parameter("nosuch.x"))) == []
