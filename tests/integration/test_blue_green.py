# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of every kind, without pause, while their environment is switched, breaks, and loses its control side."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lab_host import IMAGE, THERE, Failed
from resident import Resident

from ansible_collections.breakwater.docker.plugins.filter.blue_green import blue_green

PORT = 8090
SWITCHES = 10
REQUESTS, PAUSE = {"trixie": 20_000}, {"trixie": 0.02}
"""The least that the users of a host ask for, and the seconds between two requests of one; the others are calmer."""
CROWD = ("new=4", "kept=4", "slow=4", "stream=3", "upgraded=3")
NAMES = ("blue", "green")
APPS = {name: [f"{name}-{number}" for number in (1, 2)] for name in NAMES}
PAIR: dict[str, Any] = {
    "name": "shop",
    "environments": [{"name": name, "servers": [f"{each}:8080" for each in APPS[name]]} for name in NAMES],
    "port": PORT,
}
QUICK = {"canary": [], "canary_seconds": 1, "gate_passes": 3, "gate_timeout": 20, "drain_timeout": 20}


class Shop:
    """A pair on a host, with users from outside."""

    def __init__(self, host: Resident) -> None:
        self.host = host

    def build(self) -> None:
        self.host.run(
            "sh", "-c", f"cat > {THERE}/app.py", given=Path(__file__).with_name("load").joinpath("app.py").read_bytes()
        )
        self.host.play("blue_green", **self.declared())
        self.healthy()

    def declared(self) -> dict[str, Any]:
        environments = [
            {
                "name": name,
                "containers": [{"name": each, "command": f"python3 /app.py {name}"} for each in APPS[name]],
                "start": {"image": IMAGE, "volumes": [f"{THERE}/app.py:/app.py:ro"], "stop_signal": "KILL"},
            }
            for name in NAMES
        ]
        return {
            "name": "shop",
            "environments": environments,
            "balancer": {"image": IMAGE},
            "networks": {name: {"ipam_config": [{"subnet": f"10.82.{n}.0/24"}]} for n, name in enumerate(NAMES)},
            "port": PORT,
            "keeper": False,
        }

    def apply(self) -> None:
        """What the keeper would do when a container has moved: the policy knows its new address."""
        variables = {key: value for key, value in self.declared().items() if key != "keeper"}
        topology = blue_green(variables)["topology"]
        self.host.module("topology", **{key: value for key, value in topology.items() if key != "containers"})

    def switch(self, target: str, **args: Any) -> dict[str, Any]:
        return self.host.module("blue_green", **{**PAIR, **QUICK, "target": target, **args})

    def state(self) -> dict[str, Any]:
        return self.host.module("blue_green_info", name="shop")

    def ask(self, container: str, path: str) -> dict[str, Any]:
        """What an application itself answers, in its own namespace."""
        code = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080{path}', timeout=5).read().decode())"
        found: dict[str, Any] = json.loads(self.host.inside(container, "python3", "-c", code))
        return found

    def counted(self) -> dict[str, int]:
        """The users' requests that each environment has had."""
        return {name: sum(self.ask(each, "/counted")["counted"] for each in APPS[name]) for name in NAMES}

    def release(self, name: str, **how: int) -> None:
        """Have an environment's containers be another release of the application."""
        query = "&".join(f"{key}={value}" for key, value in how.items())
        for each in APPS[name]:
            self.ask(each, f"/release?{query}")

    @contextmanager
    def users(self, *crowd: str) -> Iterator[dict[str, Any]]:
        """People from outside, meanwhile; afterwards what they met is in the dictionary."""
        outside = f"{self.host.container.rpartition('-')[0]}-outside"
        code = Path(__file__).with_name("load").joinpath("client.py").read_text()
        argv = [*("docker", "exec", "-i", outside, "python3", "-c", code), self.host.address, str(PORT)]
        argv += [str(PAUSE.get(self.host.name, 0.08)), *crowd]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        met: dict[str, Any] = {}
        try:
            yield met
        finally:
            told, _errors = process.communicate(timeout=60)
            met.update(json.loads(told))

    def who(self) -> set[str]:
        """The environments that answer now."""
        with self.users("new=2") as met:
            time.sleep(1)
        assert met["failures"] == []
        return {*met["answers"]}

    def reload(self) -> None:
        """What an operator does, behind our back."""
        self.host.docker("kill", "-s", "HUP", "shop-balancer")
        time.sleep(1)

    def restart(self) -> None:
        """The balancer's container comes again."""
        self.host.docker("restart", "shop-balancer")
        self.healthy()

    def healthy(self) -> None:
        """Wait until the balancer has found both environments well."""
        for _try in range(100):
            servers = self.state().get("servers", {})
            if servers and all(state == "UP" for each in servers.values() for state in each.values()):
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.host.name}: {servers}")


@pytest.fixture
def shop(lab: Resident) -> Shop:
    found = Shop(lab)
    found.build()
    return found


KILLED = {
    "in the gate": ("_host.haproxy", "Runtime", "request", 2),
    "before the first weight": ("_host.haproxy", "Runtime", "weigh", 1),
    "between weights and files": ("_host.haproxy", "Runtime", "state", 2),
    "as it becomes live": ("_host.blue_green", "HostStand", "keep", 5),
    "at the end of the drain": ("_host.blue_green", "HostStand", "keep", 6),
}
"""Where the control side dies, in a switch by way of 10 and 50 percent."""
IN_THE_CANARY = ("_host.blue_green", "HostStand", "keep", 3)
IN_THE_ROLLBACK = ("_host.haproxy", "Runtime", "weigh", 2)


def test_users_notice_nothing(shop: Shop) -> None:
    wanted = REQUESTS.get(shop.host.name, 5_000)
    began = time.monotonic()
    with shop.users(*CROWD) as met:
        with shop.users("posting=2") as posted:
            back_and_forth(shop)
            holds = canary(shop)
            shop.reload()
            killed(shop)
        broken_releases(shop)
        while time.monotonic() - began < 150 and sum(shop.counted().values()) < wanted:
            time.sleep(1)
    failures = met["failures"] + posted["failures"]
    total = sum(met["requests"].values()) + posted["requests"]["posting"]
    print(f"\n{shop.host.name}: {total} requests in {met['seconds']:.0f} s, {len(failures)} of them failed")
    print(f"{shop.host.name}: {met['requests']}, {posted['requests']}; at each step of the canary: {holds}")
    assert failures == []
    assert total >= wanted
    assert min(met["requests"].values()) > 20, "each kind of user was there"
    what_lasts(shop)
    what_moves(shop)
    what_is_cut(shop)


def back_and_forth(shop: Shop) -> None:
    for number in range(SWITCHES):
        target = NAMES[(number + 1) % 2]
        foreseen = shop.switch(target, check=True) if number == 0 else None
        done = shop.switch(target)
        assert (done["live"], done["switch"], done["steps"][-1]["cut"]) == (target, {}, 0)
        if foreseen:
            assert [each["step"] for each in done["steps"]] == [each["step"] for each in foreseen["steps"]]
            again = shop.switch(target)
            assert (again["changed"], again["steps"]) == (False, [])


def canary(shop: Shop) -> dict[int, int]:
    """The users' requests that an environment has had at each percentage."""
    before = shop.counted()
    done = shop.switch("green", canary=[10, 50], canary_seconds=2)
    holds = {each["share"]: each["requests"] for each in done["steps"] if each["verb"] == "hold"}
    assert list(holds) == [10, 50, 100]
    # A busy machine answers half as many in these two seconds as in the next: 10 % is told from more, and that is all.
    assert 0 < 2 * holds[10] < min(holds[50], holds[100])
    assert max(holds.values()) <= shop.counted()["green"] - before["green"]
    return holds


def killed(shop: Shop) -> None:
    """Whenever the control side dies, the users have what they had, and the next run goes on from there."""
    for moment, where in KILLED.items():
        target = NAMES[1 - NAMES.index(shop.state()["live"])]
        assert shop.switch(target, canary=[10, 50], canary_seconds=0, kill_at=where) == {}, moment
        assert shop.state()["switch"]["target"] == target, moment
        done = shop.switch(target, canary=[10, 50], canary_seconds=0)
        assert (done["live"], done["switch"], done["shares"][target]) == (target, {}, 100), moment


def broken_releases(shop: Shop) -> None:
    """A release that is ill has no user, a broken one no more than its canary share, and neither for long."""
    shop.switch("blue")
    shop.release("green", ill=1)
    before = shop.counted()
    with pytest.raises(Failed, match="green was rolled back: it did not pass its health gate within 3 s: green-"):
        shop.switch("green", gate_timeout=3)
    assert shop.counted()["green"] == before["green"]

    shop.release("green", broken=50)
    before = shop.counted()
    with pytest.raises(Failed, match=r"green was rolled back: \d+ of \d+ requests failed .*; blue is live") as failed:
        shop.switch("green", canary=[10, 50], canary_seconds=5)
    after = shop.counted()
    had = {name: after[name] - before[name] for name in NAMES}
    print(
        f"\n{shop.host.name}: the broken release has had {had['green']} of {sum(had.values())} requests; {failed.value}"
    )
    assert 0 < had["green"] <= 0.1 * sum(had.values()) + 2
    assert failed.value.result["live"] == "blue"
    assert failed.value.result["last"]["outcome"] == "rolled back"

    assert shop.switch("green", canary=[10], canary_seconds=5, kill_at=IN_THE_ROLLBACK) == {}
    assert shop.state()["switch"]["phase"] == "rollback"
    with pytest.raises(Failed, match="green was rolled back"):
        shop.switch("green", canary=[10])
    state = shop.state()
    assert (state["live"], state["switch"], state["shares"]) == ("blue", {}, {"blue": 100, "green": 0})
    shop.release("green")


def what_lasts(shop: Shop) -> None:
    """Who is live stays so through a reload and a restart, and so does a canary; back by hand is the same switch."""
    shop.reload()
    assert shop.who() == {"blue"}
    shop.restart()
    assert shop.who() == {"blue"}
    assert shop.switch("green", canary=[10], kill_at=IN_THE_CANARY) == {}
    for once_more in (shop.reload, shop.restart):
        once_more()
        assert shop.state()["shares"] == {"blue": 90, "green": 10}
    assert shop.who() == {"blue", "green"}
    done = shop.switch("blue")
    assert (done["last"]["outcome"], done["last"]["reason"]) == ("rolled back", "by hand")
    assert shop.who() == {"blue"}


def what_moves(shop: Shop) -> None:
    """A container that comes back at another address is found there."""
    at = shop.host.inspect("green-1")["NetworkSettings"]["Networks"]["shop-green"]["IPAddress"]
    shop.host.docker("network", "disconnect", "shop-green", "green-1")
    shop.host.start("squatter", "--network", "shop-green", "--ip", at)
    shop.host.docker("network", "connect", "shop-green", "green-1")
    assert shop.host.inspect("green-1")["NetworkSettings"]["Networks"]["shop-green"]["IPAddress"] != at
    shop.apply()
    shop.healthy()
    before = shop.ask("green-1", "/counted")["counted"]
    shop.switch("green")
    assert shop.who() == {"green"}
    assert shop.ask("green-1", "/counted")["counted"] > before
    shop.switch("blue")


def what_is_cut(shop: Shop) -> None:
    """A drain ends what is left at its time, and says how much that was."""
    with shop.users("stream=3") as met:
        time.sleep(0.5)
        done = shop.switch("green", canary_seconds=0, drain_timeout=0)
    assert 1 <= done["steps"][-1]["cut"] <= 3
    assert len(met["failures"]) == done["last"]["cut"]
    with pytest.raises(Failed, match="target: 'gren' is no environment; did you mean 'green'"):
        shop.switch("gren")
