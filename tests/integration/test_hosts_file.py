# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in the hosts files of containers; judged by ``getent hosts`` and ``cat`` inside, by the inode outside.

That the keeper keeps them, ``test_keeper.py`` shows.
"""

from __future__ import annotations

from typing import Any

import pytest
from lab_host import LabHost
from resident import Resident, resident

ENTRIES = [
    {"address": "10.80.2.10", "names": ["db.edge1.example", "db"]},
    {"address": "FD00:80:2:0::10", "names": ["db6"]},
]
BLOCK = ["10.80.2.10 db.edge1.example db", "fd00:80:2::10 db6"]
OTHER = [{"address": "10.80.3.10", "names": ["cache"]}]


@pytest.fixture
def lab(host: LabHost) -> Resident:
    """``web`` and ``app`` on ``front``."""
    found = resident(host)
    found.docker("network", "create", "--subnet", "10.70.1.0/24", "front")
    found.docker("network", "create", "--subnet", "10.70.2.0/24", "back")
    for name in ("web", "app"):
        found.start(name, "--network", "front")
    return found


def within(lab: LabHost, container: str, *argv: str) -> str:
    """What a command of the container prints in it."""
    pid = lab.docker("inspect", "-f", "{{.State.Pid}}", container)
    return lab.run("nsenter", "-t", pid, "-m", "--", *argv, check=False).strip()


def asked(lab: LabHost, container: str, name: str) -> list[str]:
    """What the container's own resolver answers."""
    return within(lab, container, "getent", "hosts", name).split()


def seen(lab: LabHost, *containers: str) -> Any:
    """The hosts files as their containers have them."""
    return [within(lab, each, "cat", "/etc/hosts") for each in containers or ("web", "app")]


def inode(lab: LabHost, container: str) -> str:
    """The file that the engine has mounted."""
    return lab.run("stat", "-c", "%i %a %U", lab.docker("inspect", "-f", "{{.HostsPath}}", container))


def test_container(lab: Resident) -> None:
    before, file = seen(lab), inode(lab, "web")
    result = lab.cycle("hosts_file", lambda: seen(lab), container="web", entries=ENTRIES)
    assert result["hosts_files"] == {"web": BLOCK}
    assert result["volatile"] == ["hosts file of web: gone when it restarts"]
    assert asked(lab, "web", "db") == ["10.80.2.10", "db.edge1.example", "db"]
    assert asked(lab, "web", "db6") == ["fd00:80:2::10", "db6"]
    assert asked(lab, "web", "10.80.2.10") == ["10.80.2.10", "db.edge1.example", "db"]
    assert asked(lab, "app", "db") == [] and inode(lab, "web") == file

    # What an engine does to the file leaves the block alone, and the block what the engine does.
    lab.docker("network", "connect", "back", "web")
    assert not lab.module("hosts_file", container="web", entries=ENTRIES)["changed"]
    assert "10.70.2." in seen(lab)[0] and asked(lab, "web", "db")
    lab.cycle("hosts_file", lambda: seen(lab), container="web", entries=OTHER)
    lab.docker("network", "disconnect", "back", "web")
    assert asked(lab, "web", "cache") and not asked(lab, "web", "db") and "10.70.2." not in seen(lab)[0]

    # What is wrong with it is put right: a second block, one without end, none.
    for harm in (
        "sed p /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts",
        "sed '/^# END/d' /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts",
        "printf '10.0.0.1 mine' > /etc/hosts",
    ):
        within(lab, "web", "sh", "-c", harm)
        lab.cycle("hosts_file", lambda: seen(lab), container="web", entries=OTHER)
        assert seen(lab, "web")[0].count("cache") == 1
    assert asked(lab, "web", "mine") and inode(lab, "web") == file
    lab.cycle("hosts_file", lambda: seen(lab), container="web", state="absent")
    assert seen(lab, "web") == ["10.0.0.1 mine"]
    lab.docker("restart", "-t", "0", "web")
    assert seen(lab) == before


def test_refusals(lab: Resident) -> None:
    lab.run("sh", "-c", "echo '10.0.0.1 mine' > /run/own-hosts")
    lab.start("hosty", "--network", "host")
    lab.start("guest", "--network", "container:web")
    lab.start("own", "--network", "front", "--volume", "/run/own-hosts:/etc/hosts")
    lab.start("closed", "--network", "front", "--read-only")
    lab.docker("create", "--name", "idle", "--network", "front", "breakwater/workload:latest")
    before = seen(lab, "web", "app", "hosty", "own", "closed")
    for container, says in (
        ("hosty", "has the host's network"),
        ("guest", "has the network of another container, and its hosts file"),
        ("own", "that was mounted there"),
        ("idle", "is not running"),
        ("wbe", "did you mean 'web'?"),
    ):
        for check in (True, False):
            failure = lab.refusal("hosts_file", check=check, container=container, entries=ENTRIES)
            assert says in str(failure) and failure.result["field"] == "container"
    bad = [{"address": "10.80.2.10", "names": ["db\n10.0.0.1 evil"]}]
    assert lab.refusal("hosts_file", container="web", entries=bad).result["field"] == "entries[0].names[0]"
    assert seen(lab, "web", "app", "hosty", "own", "closed") == before
    warned = lab.cycle("hosts_file", lambda: seen(lab), network="front", entries=ENTRIES)["warnings"]
    assert "the hosts file of own is left as it is: the container has a file at /etc/hosts that was" in str(warned)
    assert asked(lab, "closed", "db") and lab.run("cat", "/run/own-hosts") == "10.0.0.1 mine\n"


def test_topology(lab: Resident) -> None:
    before = seen(lab)
    topology: dict[str, Any] = {
        "name": "shop",
        "connections": [{"container": "app", "networks": [{"name": "back"}]}],
        "hosts_files": [
            {"network": "back", "entries": ENTRIES},
            {"container": "app", "entries": OTHER},
            {"container": "later", "entries": OTHER},
        ],
    }
    result = lab.cycle("topology", lambda: seen(lab), **topology)
    assert result["pending"] == ["hosts file of later: container 'later' does not exist"]
    assert asked(lab, "app", "db") and asked(lab, "app", "cache") and not asked(lab, "web", "db")
    lab.cycle("hosts_file", lambda: seen(lab), container="app", entries=OTHER)
    assert seen(lab)[1].count("cache") == 2, "the block of a topology and that of the module are two"
    lab.cycle("hosts_file", lambda: seen(lab), container="app", state="absent")
    fewer = {**topology, "hosts_files": topology["hosts_files"][1:]}
    lab.cycle("topology", lambda: seen(lab), **fewer)
    assert asked(lab, "app", "cache") and not asked(lab, "app", "db")
    none = {**topology, "hosts_files": []}
    assert not lab.module("topology", **none)["changed"]
    lab.cycle("topology", lambda: seen(lab), **none, prune=True)
    lab.cycle("topology", lambda: seen(lab), **topology)
    lab.cycle("topology", lambda: seen(lab), name="shop", state="absent")
    web, app = seen(lab)
    # At a disconnect, engines before 28 take out the line of every network.
    assert web == before[0] and before[1].startswith(app) and app
