# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in hosts files: who gets which, one block for each topology, and what becomes of those declared no more."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import _loop
from ansible_collections.breakwater.docker.plugins.module_utils._host import hosts_file
from ansible_collections.breakwater.docker.plugins.module_utils._host.host import Host
from ansible_collections.breakwater.docker.plugins.module_utils._kinds import TOPOLOGY
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, NotThere
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost, fake_host

DB = [{"address": "10.80.2.10", "names": ["db"]}]
CACHE = [{"address": "10.80.3.10", "names": ["cache"]}]
BOTH = ["10.80.2.10 db", "10.80.3.10 cache"]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    """``web`` and ``app`` on ``front``, ``hosty`` with the host's network, ``guest`` with that of web, ``idle``."""
    engine = FakeEngine()
    engine.files = tmp_path
    for name, subnet in (("front", "10.70.1.0/24"), ("back", "10.70.2.0/24")):
        engine.create_network({"Name": name, "IPAM": {"Config": [{"Subnet": subnet}]}})
    for name in ("web", "app"):
        engine.run(name, "front")
    engine.run("hosty", "host")
    engine.run("guest", f"container:{engine.known_id('web')}")
    engine.create("idle", "front")
    with fake_host(engine) as found:
        yield found


def block(host: FakeHost, name: str, owner: str = "topology shop") -> list[str]:
    """The lines between the marks, as a person would look for them."""
    lines = host.engine.hosts_file(name).read_text(encoding="utf-8").splitlines()
    if f"# BEGIN breakwater {owner}" not in lines:
        return []
    return lines[lines.index(f"# BEGIN breakwater {owner}") + 1 : lines.index(f"# END breakwater {owner}")]


def apply(host: FakeHost, module: str, **args: Any) -> list[str]:
    """Check, apply, check; the steps."""
    foretold = host.module(module, args, check=True)
    done = host.module(module, args)
    assert foretold["steps"] == done["steps"]
    assert foretold.get("hosts_files") == done.get("hosts_files")
    assert host.module(module, args, check=True)["steps"] == []
    return [f"{each['verb']} {each['resource']}" for each in done["steps"]]


def shop(host: FakeHost, *items: dict[str, Any], **args: Any) -> list[str]:
    """The same of a topology with these items."""
    return apply(host, "topology", name="shop", hosts_files=list(items), **args)


def test_module(host: FakeHost) -> None:
    assert apply(host, "hosts_file", container="web", entries=DB) == ["set hosts file of web"]
    assert block(host, "web", "hosts_file") == BOTH[:1] and block(host, "app", "hosts_file") == []
    result = host.module("hosts_file", {"network": "front", "entries": DB + CACHE})
    assert [each["resource"] for each in result["steps"]] == ["hosts file of app", "hosts file of web"]
    assert result["hosts_files"] == {"web": BOTH, "app": BOTH}
    assert result["volatile"] == ["hosts files on front: gone when a container restarts"]
    diff = next(each for each in result["diff"] if each["before"])
    assert (diff["before"], diff["after"]) == (
        "# /etc/hosts\n10.80.2.10 db\n",
        "# /etc/hosts\n10.80.2.10 db\n10.80.3.10 cache\n",
    )
    host.engine.stop("app")
    host.engine.start("app")
    assert apply(host, "hosts_file", network="front", entries=DB + CACHE) == ["set hosts file of app"]
    assert apply(host, "hosts_file", container="web", entries=[]) == ["remove hosts file of web"]
    assert apply(host, "hosts_file", network="front", state="absent") == ["remove hosts file of app"]
    for reference in ("idle", "nobody"):
        assert apply(host, "hosts_file", container=reference, state="absent") == []


@pytest.mark.parametrize(
    ("args", "error", "says"),
    [
        ({"container": "idle"}, NotThere, "container: container 'idle' is not running"),
        ({"container": "wbe"}, NotThere, "container: container 'wbe' does not exist; did you mean 'web'?"),
        ({"container": "hosty"}, DeclarationError, "container: container 'hosty' has the host's network"),
        ({"container": "guest"}, DeclarationError, "container: container 'guest' has the network of another container"),
        ({"network": "frnt"}, DeclarationError, "network: there is no network 'frnt'; did you mean 'front'?"),
    ],
)
def test_refusals(host: FakeHost, args: dict[str, Any], error: type[Exception], says: str) -> None:
    for check in (True, False):
        with pytest.raises(error, match=says.replace("?", r"\?")):
            host.module("hosts_file", {**args, "entries": DB}, check=check)


def test_who_cannot_have_it_is_told(host: FakeHost) -> None:
    host.engine.hosts_file("app").unlink()
    result = host.module("hosts_file", {"network": "front", "entries": DB})
    (warning,) = result["warnings"]
    assert warning.startswith("the hosts file of app is left as it is: the container has a hosts file that cannot be w")
    assert block(host, "web", "hosts_file") == BOTH[:1]
    assert "has the host's network" in host.module("hosts_file", {"network": "host", "entries": DB})["warnings"][0]
    assert not host.module("hosts_file", {"network": "host", "state": "absent"})["warnings"]


def test_all_items_make_one_block(host: FakeHost) -> None:
    items = (
        {"network": "front", "entries": CACHE},
        {"container": "web", "entries": DB},
        {"container": "app", "state": "absent"},
        {"container": "later", "entries": DB},
    )
    for shuffled in itertools.islice(itertools.permutations(items), 0, 24, 5):
        args = {"name": "shop", "hosts_files": [*shuffled]}
        result = host.module("topology", args)
        assert result["pending"] == ["hosts file of later: container 'later' does not exist"]
        assert (block(host, "web"), block(host, "app")) == (BOTH, BOTH[1:])
    result = host.module("topology", {**args, "expected_containers": ["later"]}, check=True)
    assert [each["resource"] for each in result["steps"]] == ["hosts file of later"] and not result["pending"]
    assert "hosts file of later: gone when it restarts" in host.module("topology", args)["volatile"]
    apply(host, "hosts_file", container="web", entries=DB)
    assert host.module("topology", args)["steps"] == [], "the module's block is another one"


def test_a_container_that_the_topology_attaches(host: FakeHost) -> None:
    connections = [{"container": "app", "networks": [{"name": "back"}]}]
    item = {"network": "back", "entries": DB}
    assert shop(host, item, connections=connections) == ["connect connection app to back", "set hosts file of app"]
    gone = [{**connections[0], "state": "absent"}]
    assert shop(host, item, connections=gone, prune=True) == [
        "disconnect connection app to back",
        "remove hosts file of app",
    ]


def test_prune_and_absent(host: FakeHost) -> None:
    web, front = {"container": "web", "entries": DB}, {"network": "front", "entries": CACHE}
    apply(host, "hosts_file", container="web", entries=DB)
    shop(host, web, front)
    assert shop(host, front) == ["set hosts file of web"], "what is said of a container is its whole block"
    assert shop(host) == []
    assert block(host, "web") == BOTH[1:], "without prune it stays"
    assert shop(host, prune=True) == ["remove hosts file of app", "remove hosts file of web"]
    shop(host, web, front)
    shop(host)
    removed = apply(host, "topology", name="shop", state="absent")
    assert removed == ["remove hosts file of app", "remove hosts file of web"]
    assert block(host, "web", "hosts_file") == BOTH[:1]


def test_without_prune_nobody_else_is_looked_at(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    shop(host, {"container": "web", "entries": DB})
    seen: list[str] = []
    inspect = host.engine.inspect

    def watched(ids: Iterable[str]) -> list[dict[str, Any]]:
        seen.extend(asked := list(ids))
        return inspect(asked)

    monkeypatch.setattr(host.engine, "inspect", watched)
    host.module("topology", {"name": "shop", "hosts_files": [{"container": "web", "entries": DB}]})
    assert set(seen) == {host.engine.known_id("web")}


def test_a_container_that_undoes_it_does_not_stop_the_keeper(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    args = {"name": "shop", "hosts_files": [{"network": "front", "entries": DB}]}
    declared = host.declared("topology", args)
    host.module("topology", args)
    host.engine.stop("web")
    host.engine.start("web")
    done = _loop.converge(TOPOLOGY, declared.kept(), Host(host.engine), check_mode=False)
    assert [each["resource"] for each in done["steps"]] == ["hosts file of web"] and block(host, "web") == BOTH[:1]

    monkeypatch.setattr(hosts_file, "_write", lambda _descriptor, text: len(text))
    host.engine.hosts_file("web").write_text("127.0.0.1 localhost\n", encoding="utf-8")
    done = _loop.converge(TOPOLOGY, declared.kept(), Host(host.engine), check_mode=False)
    assert [each["resource"] for each in done["steps"]] == ["hosts file of web"]
    with pytest.raises(Exception, match="did not hold; still to do: set hosts file of web"):
        _loop.converge(TOPOLOGY, declared, Host(host.engine), check_mode=False)
