# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene that faults befall: six containers and the host call each other all the time, and few may be heard."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from lab_host import IMAGE, LabHost

THERE = "/var/lib/faults"
PATIENCE = 60.0
"""Seconds until all that is allowed must pass again."""
FRESH = 0.5
"""Who was heard within so many seconds is heard now."""

CONTAINERS: dict[str, dict[str, Any]] = {
    "gw": {"front": 2, "labels": {"role": "gw"}, "options": ["--sysctl=net.ipv4.ip_forward=1"]},
    "web": {"front": 10, "labels": {"tier": "edge"}},
    "app": {"front": 11},
    "db": {"back": 12},
    "spy": {"front": 13},
    "mole": {"back": 14},
}
SUBNETS = {"front": ("10.81.1.", "fd00:81:1::"), "back": ("10.81.2.", "fd00:81:2::")}
SPARE = (20, 21)
"""Addresses that containers come to have, beside those that they have at first."""

POLICY = {
    "default": "deny",
    "allow": [
        {"from": "web", "to": "app", "ports": ["7000/udp"]},
        {"from": {"labels": "tier=edge"}, "to": {"labels": "role=gw"}, "ports": ["7000/udp"]},
        {"from": "app", "to": "db", "ports": ["7000/udp"]},
        {"from": {"network": "back"}, "to": "gw", "ports": ["7000/udp"]},
        {"from": "host", "to": "web", "ports": ["7000/udp"]},
        {"from": {"labels": "tier=crowd"}, "to": "app", "ports": ["7000/udp"]},
    ],
}
ALLOWED = {
    *product(("from", "back"), (4, 6), ("web",), ("app", "gw")),
    *product(("from", "back"), (4,), ("app",), ("db",)),
    *product(("from", "back"), (4, 6), ("db",), ("gw",)),
    *product(("from", "back"), (4, 6), ("host",), ("web",)),
}
"""Who is heard: kind, IP version, source, target."""
MAY = ALLOWED | set(product(("from", "back"), (6,), ("app",), ("db",)))
"""And who has no way, but needs no leave."""
RULED = {("mole", "gw")}
"""Whom the policy allows, and a rule in iptables does not."""
TOPOLOGY: dict[str, Any] = {
    "name": "shop",
    "networks": [
        {"name": name, "ipam_config": [{"subnet": f"{four}0/24"}, {"subnet": f"{six}/64"}], "enable_ipv6": True}
        for name, (four, six) in SUBNETS.items()
    ],
    "connections": [
        {"container": "gw", "networks": [{"name": name, "ipv4_address": f"{SUBNETS[name][0]}2"} for name in SUBNETS]},
        {
            "container": "app",
            "networks": [
                {"name": "front", "ipv4_address": "10.81.1.11", "ipv6_address": "fd00:81:1::b", "aliases": ["api"]}
            ],
        },
        {"container": "db", "networks": [{"name": "back", "ipv4_address": "10.81.2.12"}]},
    ],
    "routes": [
        {"container": "app", "routes": [{"destination": "10.81.2.0/24", "via": "gw"}]},
        {"container": "db", "routes": [{"destination": "10.81.1.0/24", "via": "gw"}]},
    ],
    "rules": [{"action": "drop", "source": "mole", "destination": "gw", "protocol": "udp", "ports": [7000]}],
    "policy": POLICY,
    "hosts_files": [{"network": "back", "entries": [{"address": "10.82.1.10", "names": ["far.edge1"]}]}],
}
VOICE_UNIT = f"""[Service]
ExecStart=/usr/bin/python3 {THERE}/voice.py host {THERE}
RuntimeMaxSec=1800
[Install]
WantedBy=multi-user.target
"""
Key = tuple[str, int, str, str]
Heard = dict[Key, list[tuple[float, float]]]


@dataclass
class Scene:
    """A host with the scene on it."""

    host: LabHost

    def build(self) -> None:
        """Declare it, start the keeper, and leave it to the keeper to bring all about as containers start."""
        host = self.host
        host.run(
            "sh", "-c", f"rm -rf {THERE}; mkdir -p {THERE}; cat > /etc/systemd/system/voice.service", given=VOICE_UNIT
        )
        for name in ("voice.py", "heard.py"):
            host.run("sh", "-c", f"cat > {THERE}/{name}", given=Path(__file__).with_name(name).read_bytes())
        host.run("sh", "-c", f"cat > {THERE}/addresses", given=json.dumps(_addresses()))
        host.module("topology", **TOPOLOGY)
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "enable", "voice")
        host.run("systemctl", "restart", "voice")
        host.run("systemctl", "start", "breakwater-keeper")
        host.run("sh", "-c", "\n".join([*(f"{self.start(name)} &" for name in CONTAINERS), "wait"]))
        with self.fault("the scene is built"):
            pass

    def leave(self) -> None:
        self.host.run("systemctl", "disable", "--now", "voice", check=False)
        self.host.run("sh", "-c", f"rm -rf {THERE} /etc/systemd/system/voice.service; systemctl daemon-reload")

    def start(self, name: str, *options: str, like: str = "", at: int = 0, verb: str = "run -d") -> str:
        """The shell line that starts a voice like a container of the scene, at ``at`` or where that is at home."""
        known = CONTAINERS.get(like or name, {})
        network = next((each for each in SUBNETS if each in known), "front")
        four, six = SUBNETS[network]
        at = at or known[network]
        argv = [
            *("docker", *verb.split(), "--restart=always", f"--name={name}", f"--network={network}"),
            # One of them takes its time when the engine stops.
            *(["--stop-timeout=3"] if name == "spy" else ["--stop-signal=KILL"]),
            *(f"--ip={four}{at}", f"--ip6={six}{at:x}", f"--volume={THERE}:{THERE}"),
            *(f"--label={key}={value}" for key, value in known.get("labels", {}).items()),
            *known.get("options", []),
            *(*options, IMAGE, "python3", f"{THERE}/voice.py", name, THERE),
        ]
        return shlex.join(argv) + " >/dev/null"

    def heard(self, since: float) -> tuple[Heard, bool]:
        """Who was heard by whom since then, and when; and whether the keeper says that all is well."""
        script = f"python3 {THERE}/heard.py {THERE} {since}; echo; breakwater status >/dev/null && echo well || true"
        found, _, well = self.sh(script).partition("\n")
        spans = {}
        for key, each in json.loads(found).items():
            kind, version, source, target = key.split(" ")
            spans[kind, int(version), source, target] = [(begin, end) for begin, end in each]
        return spans, well.strip() == "well"

    @contextmanager
    def fault(self, name: str, *, window: float = 0.0, ruled: float = 0.0, well: bool = True) -> Iterator[None]:
        """What is done meanwhile is survived: what is allowed passes again, and nobody else was ever heard.

        ``window`` are the seconds after which at the latest what was physically open is closed again, ``ruled`` the
        same for what rules in iptables alone keep closed; with ``well`` the keeper must say so in the end.
        """
        begin = time.time()
        yield
        end = time.time()
        while True:
            now = time.time()
            heard, is_well = self.heard(begin - 1)
            dumb = [each for each in ALLOWED if each not in heard or heard[each][-1][1] < max(now - FRESH, end)]
            open_ = [key for key, found in leaks(heard).items() if found[-1][1] > now - FRESH]
            if not dumb and not open_ and now > end + FRESH and is_well >= well:
                break
            late = f"{name}: after {PATIENCE:g} s not heard: {_said(dumb)}; open: {_said(open_)}"
            assert now < end + PATIENCE, f"{self.host.name}: {late}\n{self.status()}"
            time.sleep(0.5)  # a look costs the host half a second of its own
        cut, whom = max(_cuts(heard), default=(0.0, None))
        line = f"{self.host.name}: {name}: done in {end - begin:.1f} s, settled {time.time() - end:.1f} s later"
        line += f", cut {cut * 1000:.0f} ms ({_said([whom])})" if whom else ""
        leaked = {key: (found[0][0] - begin, found[-1][1] - begin) for key, found in leaks(heard).items()}
        if leaked:
            first, last = min(b for b, _e in leaked.values()), max(e for _b, e in leaked.values())
            line += f", OPEN {(last - first) * 1000:.0f} ms (from {first:.3f} to {last:.3f} s): {_said(leaked)}"
        print(line)
        for key, (first, last) in leaked.items():
            bound = max(window, ruled if key[2:] in RULED else 0.0)
            assert last - first <= bound, f"{line}; it may be {bound:g} s for {_said([key])}"
            assert bound, line

    def status(self) -> str:
        return self.host.run("breakwater", "status", check=False)

    def is_well(self) -> bool:
        """Whether the keeper says so, by its exit status."""
        return self.sh("breakwater status >/dev/null && echo well || true").strip() == "well"

    def sh(self, script: str) -> str:
        return self.host.run("sh", "-ec", script)

    def until(self, what: str, is_so: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait for it; AssertionError where it does not come to be."""
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, f"{self.host.name}: not within {seconds:g} s: {what}\n{self.status()}"
            time.sleep(0.1)

    def is_whole(self) -> None:
        """Nothing that was declared is missing, as a run of the module sees it: at once, or once the engine is done."""

        def is_so() -> bool:
            found = self.host.module("topology", check=True, **TOPOLOGY)
            return not found["changed"] and not found["pending"]

        self.until("all that is declared holds", is_so, 10)
        for name in (each for each in CONTAINERS if "back" in CONTAINERS[each]):
            found = self.sh(f"nsenter -m -t $(docker inspect -f '{{{{.State.Pid}}}}' {name}) getent hosts far.edge1")
            assert found.split() == ["10.82.1.10", "far.edge1"], name


def _cuts(heard: Heard) -> Iterator[tuple[float, Key]]:
    for key in ALLOWED:
        for (_begin, last), (first, _end) in pairwise(heard[key]):
            yield first - last, key


def leaks(heard: Heard) -> Heard:
    """What of it nobody has allowed."""
    return {key: found for key, found in heard.items() if key not in MAY and key[2] != key[3]}


def _said(keys: Any) -> str:
    pairs = sorted({f"{source}>{target}/{version}" for _kind, version, source, target in keys})
    more = f" and {len(pairs) - 8} more" if len(pairs) > 8 else ""
    return ", ".join(pairs[:8]) + more or "nobody"


def _addresses() -> list[tuple[int, str]]:
    numbers = {
        name: [1, 2, *(each[name] for each in CONTAINERS.values() if name in each and each[name] != 2), *SPARE]
        for name in SUBNETS
    }
    return [
        (version, f"{SUBNETS[name][version // 6]}{n:x}" if version == 6 else f"{SUBNETS[name][0]}{n}")
        for name, each in numbers.items()
        for n in each
        for version in (4, 6)
    ]
