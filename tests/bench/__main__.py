# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the collection beside its peers and against the floor: ``python -m tests.bench`` in the checkout.

Every measurement is a whole ``ansible-playbook`` process over ssh to one lab host. There is no pass or fail.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import fleet_plan, tunnels
from .report import Report
from .scene import PING, Scene, Task, commands, docker_containers, iptables, loop, topology
from .stand import PlayFailed, Sample, Stand, standing

_ROUNDS = 3
_DATAPATH_ROUNDS = 5
_BEYOND = "10.250.0.0/24"
_RESTARTS, _IDLE = 200, 130
_ENOUGH = 60.0
"""Seconds after which a case has no further round."""
_ALONE = {"fleet_plan": fleet_plan.measure, "tunnels": tunnels.measure}
"""What needs another stand than the one lab host, or none."""


@dataclass(frozen=True)
class Way:
    """How something is done, and whose way that is: ours, a peer's, or the engine's own (``bare``)."""

    name: str
    role: str
    tasks: Sequence[Task] = ()


class Bench:
    """The measurements, one case after the other."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.report = Report(stand.version())
        self._start = time.monotonic()
        self._say("warming up: the first connection")
        stand.play([PING])

    def networks(self) -> None:
        """(a) 20 networks."""
        scene = Scene(networks=20)
        declared = scene.declared_networks()
        self._case(
            "20 networks",
            [
                Way("topology, one task", "ours", topology(networks=declared)),
                Way("network, a loop", "ours", loop("breakwater.docker.network", declared)),
                Way("docker_network, a loop", "peer", loop("community.docker.docker_network", declared)),
            ],
            reset=lambda: self.stand.furnish(scene),
            bare=lambda: self.stand.bare(networks=declared),
        )

    def connections(self) -> None:
        """(b) 60 connections, then 100 routes, on as many networks as in (a)."""
        scene = Scene(networks=20, containers=20, routes_each=5)
        connections, routes = scene.declared_connections(), scene.declared_routes()
        attached = topology(connections=connections)
        self._case(
            "60 connections",
            [
                Way("topology, one task", "ours", attached),
                Way("connection, a loop by container", "ours", loop("breakwater.docker.connection", connections)),
                Way("docker_container, a loop by container", "peer", docker_containers(connections)),
            ],
            reset=lambda: self.stand.furnish(scene, networks=True),
            bare=lambda: self.stand.bare(connections=connections),
        )

        def without_routes() -> None:
            self.stand.furnish(scene, networks=True)
            self.stand.play(attached)

        self._case(
            "100 routes",
            [
                Way("topology, one task", "ours", topology(connections=connections, routes=routes)),
                Way("route, a loop by container", "ours", loop("breakwater.docker.route", routes)),
                Way("command: nsenter … ip route replace, a loop", "peer", commands(routes)),
            ],
            reset=without_routes,
        )

    def whole(self) -> None:
        """(c) an unchanged topology of 50 networks, 150 connections and 200 routes."""
        scene = Scene(networks=50, containers=50, routes_each=4, inner=True)
        tasks = topology(
            networks=scene.declared_networks(),
            connections=scene.declared_connections(),
            routes=scene.declared_routes(),
        )
        self._case(
            "50 networks, 150 connections, 200 routes",
            [Way("topology, one task", "ours", tasks)],
            reset=lambda: self.stand.furnish(scene),
            again=4,
        )

    def rules(self) -> None:
        """(d) 1,000 rules in DOCKER-USER; the peer has a tenth of them, for it takes a task a rule."""
        rules = Scene.rules(1000)
        self._case(
            "1,000 rules",
            [
                Way("firewall, one task", "ours", [{"breakwater.docker.firewall": {"name": "bench", "rules": rules}}]),
                Way("iptables, a loop over 100 of them", "peer", iptables(rules[:100])),
            ],
            reset=lambda: self.stand.furnish(Scene(networks=0)),
        )

    def policy(self) -> None:
        """(e) 1,000 policy entries over 100 containers, and what 0, 10 and 1,000 of them cost two containers."""
        scene = Scene(networks=1, containers=100)
        network = scene.declared_networks()[0]["name"]
        tasks: list[Task] = [{"breakwater.docker.policy": scene.policy(1000)}]

        def without() -> None:
            self.stand.play([{"breakwater.docker.policy": {"name": "bench", "state": "absent"}}])

        self.stand.furnish(scene, networks=True, on=network)
        self._case(
            "1,000 entries over 100 containers", [Way("policy, one task", "ours", tasks)], reset=without, again=3
        )
        client, server = scene.names[:2]
        for round_ in range(1, _DATAPATH_ROUNDS + 1):
            self._say(f"datapath: round {round_}")
            for entries in (0, 10, 1000):
                without()
                if entries:
                    self.stand.play([{"breakwater.docker.policy": scene.policy(entries)}])
                found = self.stand.datapath(client, server, network)
                self.report.datapath(entries, found)
                self._say(
                    f"datapath: {entries} entries: " + ", ".join(f"{key} {each:,.0f}/s" for key, each in found.items())
                )

    def keeper(self) -> None:
        """(f) how soon a keeper of 100 containers heals one that restarts, and what it costs while nothing happens."""
        scene = Scene(networks=1, containers=100)
        network = scene.declared_networks()[0]
        first, second = scene.names[:2]
        self._say("keeper: 100 containers")
        self.stand.furnish(scene, networks=True, on=network["name"])
        declared = topology(
            networks=[network],
            connections=[{"container": each, "networks": [{"name": network["name"]}]} for each in scene.names],
            routes=[{"container": first, "routes": [{"destination": _BEYOND, "via": second}]}],
            policy={"allow": [{"from": each, "to": first, "ports": [8080]} for each in scene.names[1:]]},
        )
        self.stand.play([{"ansible.builtin.include_role": {"name": "breakwater.docker.keeper"}}, *declared])
        self._say(f"keeper: {_RESTARTS} restarts, and {_IDLE} s in which nothing happens")
        found = self.stand.script("latency.py", first, _BEYOND, str(_RESTARTS), str(_IDLE))
        self.report.keeper({**found, "looks": self.stand.script("look.py")})
        gone = {"name": "breakwater.docker.keeper"}
        self.stand.play([{"ansible.builtin.include_role": gone, "vars": {"breakwater_keeper_state": "absent"}}])

    def _case(
        self,
        what: str,
        ways: Sequence[Way],
        reset: Callable[[], None],
        bare: Callable[[], Sample] | None = None,
        again: int = 1,
    ) -> None:
        """Rounds of all the ways in turn: each from what ``reset`` leaves, then ``again`` on its own outcome.

        The floor is measured beside each of them: where the machine is busy, it is busy for all.
        """
        start = time.monotonic()
        for round_ in range(1, _ROUNDS + 1):
            self._say(f"{what}: round {round_}")
            if bare:
                reset()
                self._note(f"{what}: create", Way("bare SDK calls on the host", "bare"), bare())
            for way in ways:
                reset()
                self._note(f"{what}: create", way, self.stand.play(way.tasks))
                for _ in range(again):
                    self.report.ping(what, self.stand.play([PING]))
                    self._note(f"{what}: unchanged", way, self.stand.play(way.tasks))
            if time.monotonic() - start > _ENOUGH:
                break

    def _note(self, case: str, way: Way, sample: Sample) -> None:
        self.report.add(case, way.name, way.role, sample)
        self._say(f"{case}: {way.name}: {sample.seconds:.2f} s")

    def _say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._start:5.0f} s] {text}", flush=True)


def main() -> int:
    """Measure, print the table, write the JSON."""
    cases = {
        "networks": Bench.networks,
        "connections": Bench.connections,
        "whole": Bench.whole,
        "rules": Bench.rules,
        "policy": Bench.policy,
        "keeper": Bench.keeper,
    }
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[*cases, *_ALONE], help="measure one case alone")
    parser.add_argument("--keep", action="store_true", help="leave the fleet standing for the next run")
    asked = parser.parse_args()
    for name, measure_alone in _ALONE.items():
        if asked.only in (None, name):
            print(measure_alone(lambda text: print(text, flush=True)), flush=True)
    if asked.only in _ALONE:
        return 0
    with tempfile.TemporaryDirectory() as folder, standing(Path(folder), asked.keep) as stand:
        bench = Bench(stand)
        try:
            for name, measure in cases.items():
                if asked.only in (None, name):
                    measure(bench)
        except PlayFailed as error:
            print(f"bench: a play failed:\n{error}", file=sys.stderr)
            return 1
    print(f"\n{bench.report.table()}\n\nwritten to {bench.report.write()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
