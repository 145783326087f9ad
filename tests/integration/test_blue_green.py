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
from lab_host import IMAGE, THERE, Failed, LabHost

PORT = 8090
SWITCHES = 10
REQUESTS = {"trixie": 20_000}
"""The least that the users of a host ask for; elsewhere a quarter of it."""
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

    def __init__(self, host: LabHost) -> None:
        self.host = host
        self.settled = False

    def build(self) -> None:
        self.host.run(
            "sh", "-c", f"cat > {THERE}/app.py", given=Path(__file__).with_name("load").joinpath("app.py").read_bytes()
        )
        self.host.play("blue_green", **self.declared())

    def declared(self) -> dict[str, Any]:
        environments = [
            {
                "name": name,
                "containers": [{"name": each, "command": f"python3 /app.py {name}"} for each in APPS[name]],
                "image": IMAGE,
                "options": {"volumes": [f"{THERE}/app.py:/app.py:ro"], "stop_signal": "KILL"},
            }
            for name in NAMES
        ]
        return {
            "name": "shop",
            "environments": environments,
            "balancer": {"image": IMAGE},
            "port": PORT,
            "keeper": False,
        }

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
        address = json.loads(self.host.run("ip", "-json", "-4", "address", "show", "eth0"))[0]["addr_info"][0]["local"]
        code = Path(__file__).with_name("load").joinpath("client.py").read_text()
        process = subprocess.Popen(
            ["docker", "exec", "-i", outside, "python3", "-c", code, address, str(PORT), *crowd],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        met: dict[str, Any] = {}
        try:
            yield met
        finally:
            told, _errors = process.communicate(timeout=60)
            met.update(json.loads(told))

    def who(self) -> str:
        """The environment that answers now."""
        with self.users("new=1") as met:
            time.sleep(0.5)
        (name,) = met["answers"]
        return str(name)


@pytest.fixture
def shop(host: LabHost) -> Shop:
    found = Shop(host)
    found.build()
    return found


KILLED = {
    "in the gate": ("_host.haproxy", "Runtime", "request", 2),
    "before the first weight": ("_host.haproxy", "Runtime", "weigh", 1),
    "between weights and files": ("_host.haproxy", "Runtime", "state", 2),
    "as it becomes live": ("_host.blue_green", "HostStand", "keep", 5),
    "at the end of the drain": ("_host.blue_green", "HostStand", "keep", 6),
}


def test_nobody_notices(shop: Shop) -> None:
    wanted = REQUESTS.get(shop.host.name, 5_000)
    began = time.monotonic()
    with shop.users(*CROWD) as met:
        with shop.users("posting=2") as posted:
            for number in range(SWITCHES):
                target = NAMES[(number + 1) % 2]
                done = shop.switch(target)
                assert (done["live"], done["steps"][-1]["cut"]) == (target, 0), done
            again = shop.switch(target)
            assert (again["changed"], again["steps"]) == (False, [])
            canary = shop.switch("green", canary=[10, 50, 100], canary_seconds=2)
            shop.host.docker("kill", "-s", "HUP", "shop-balancer")  # a reload, under the users' hands
            for moment, where in KILLED.items():
                live = shop.state()["live"]
                target = NAMES[1 - NAMES.index(live)]
                assert shop.switch(target, canary=[10, 50], kill_at=where) == {}, moment
                time.sleep(0.5)
                left = shop.state()["switch"]
                assert left["target"] == target, moment
                done = shop.switch(target, canary=[10, 50])
                assert (done["live"], done["switch"]) == (target, {}), moment
        if shop.state()["live"] != "blue":
            shop.switch("blue")
        broken(shop)
        while time.monotonic() - began < 150 and requests(shop) < wanted:
            time.sleep(1)
    holds = {each["share"]: each["requests"] for each in canary["steps"] if each["verb"] == "hold"}
    total = sum(met["requests"].values()) + sum(posted["requests"].values())
    print(
        f"\n{shop.host.name}: {total} requests in {met['seconds']:.0f} s, of which failed:"
        f" {len(met['failures']) + len(posted['failures'])}; {met['requests']}, {posted['requests']}; canary {holds}"
    )
    assert met["failures"] + posted["failures"] == []
    assert total >= wanted
    assert all(met["requests"][kind] > 20 for kind in ("new", "kept", "slow", "stream", "upgraded"))
    shop.host.docker("kill", "-s", "HUP", "shop-balancer")
    time.sleep(1)
    assert shop.who() == "blue"
    shop.host.docker("restart", "shop-balancer")
    time.sleep(1)
    assert shop.who() == "blue"


def requests(shop: Shop) -> int:
    """The users' requests since the applications started."""
    return sum(shop.counted().values())


def broken(shop: Shop) -> None:
    """A release that is broken has no more users than its canary share, and none for long."""
    shop.release("green", broken=50)
    before = shop.counted()
    began = time.monotonic()
    with pytest.raises(Failed, match=r"green was rolled back: \d+ of \d+ requests failed \(.*; blue is live") as failed:
        shop.switch("green", canary=[10, 50, 100], canary_seconds=5)
    after = shop.counted()
    assert failed.value.result["live"] == "blue"
    assert failed.value.result["last"]["outcome"] == "rolled back"
    had = {name: after[name] - before[name] for name in NAMES}
    print(
        f"\n{shop.host.name}: of {sum(had.values())} requests the broken release has had {had['green']},"
        f" for {time.monotonic() - began:.1f} s"
    )
    assert 0 < had["green"] <= 0.1 * sum(had.values()) + 2
