# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks on the demo's inventory, from an empty fleet back to an empty one: judged by docker, ping and rules."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import playbook
import pytest
from lab_host import LabHost, fleet
from playbook import FLEET, Run

play = partial(playbook.play, "inventories/demo")


def traces(host: LabHost) -> dict[str, Any]:
    """All that the playbooks may leave on a host."""
    rules = [host.run(f"{tool}-save") for tool in ("iptables", "ip6tables")]
    return {
        "containers": host.docker("ps", "--all", "--format", "{{.Names}}").split(),
        "networks": sorted(host.docker("network", "ls", "--format", "{{.Name}}").split()),
        "rules": sorted(line for text in rules for line in text.splitlines() if "BREAKWATER" in line or "BW-" in line),
        "files": host.run("find", *PLACES, "-type", "f", "-path", "*breakwater*", check=False).split(),
    }


PLACES = ("/etc", "/usr/local", "/var/lib/breakwater")
EMPTY = {"containers": [], "networks": ["bridge", "host", "none"], "rules": [], "files": []}


@dataclass(frozen=True)
class Site:
    """The demo as it stands, and the runs that brought it up."""

    hosts: list[LabHost]
    foreseen: Run
    untouched: list[dict[str, Any]]
    first: Run


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    hosts = fleet()
    for each in hosts:
        each.wipe()
        each.play("keeper", state="absent")
    foreseen = play("site", "--check", "--diff")
    untouched = [traces(each) for each in hosts]
    first = play("site")
    yield Site(hosts, foreseen, untouched, first)
    for each in hosts:
        each.wipe()


def test_check_mode_lists_exactly_what_the_run_then_does(site: Site) -> None:
    assert site.untouched == [EMPTY] * len(site.hosts)
    for host in site.hosts:
        assert sorted(site.foreseen.done[host.name]) == sorted(site.first.done[host.name])
        assert len(site.first.done[host.name]) > 20


def test_a_second_run_foresees_nothing(site: Site) -> None:
    assert play("site", "--check", "--diff").changed == {host.name: 0 for host in site.hosts}


def test_what_happened_behind_its_back_is_put_right(site: Site) -> None:
    for host in site.hosts:
        host.docker("restart", "-t", "0", "s1")  # its routes are gone
        host.docker("stop", "-t", "0", "s2")
        host.docker("rm", "-f", "lb1")
        host.docker("network", "connect", "bridge", "gateway")
    foreseen, done = play("site", "--check"), play("site")
    for host in site.hosts:
        assert sorted(foreseen.done[host.name]) == sorted(done.done[host.name])
        assert sorted(host.inspect("gateway")["NetworkSettings"]["Networks"]) == ["backend", "frontend", "loadbalancer"]
        for one, other in (("s1", "10.0.1.10"), ("s2", "10.0.2.10"), ("lb1", "10.0.0.10")):
            assert "ttl=63" in host.inside(one, "ping", "-n", "-c1", "-W2", other), f"{host.name}: {one} to {other}"


def test_no_way_leads_out_of_the_internal_networks_or_in(site: Site) -> None:
    for host in site.hosts:
        lan = json.loads(host.run("ip", "-j", "-4", "address", "show", "eth0"))[0]["addr_info"][0]["local"]
        inside = {
            each["Name"]: each["IPv4Address"].partition("/")[0]
            for name in ("internal-network", "data-network")
            for each in host.inspect("network", name)["Containers"].values()
        }
        assert len(inside) == 10
        ways_out = host.run("sh", "-c", _all_at_once(PING_FROM, inside))
        assert ways_out.split() == ["web-frontend"], f"{host.name}: who reaches the outside"  # it is public, too
        # The outside node is a neighbour on the LAN: it may take the host for its router to the subnets.
        _outside("ip", "route", "replace", "172.16.0.0/12", "via", lan)
        ways_in = _outside("sh", "-c", _all_at_once(PING_TO, inside))
        _outside("ip", "route", "delete", "172.16.0.0/12")
        assert ways_in.split() == [], f"{host.name}: who is reached from the outside"
        fetch = f"import urllib.request as u; print(u.urlopen('http://{lan}/', timeout=5).status)"
        assert _outside("python3", "-c", fetch).strip() == "200", f"{host.name}: the published port"


PING_FROM = (
    "nsenter --net=/proc/$(docker inspect -f '{{{{.State.Pid}}}}' {name})/ns/net ping -c1 -W2 198.51.100.10 >/dev/null"
)
PING_TO = "ping -c1 -W2 {address} >/dev/null"


def _all_at_once(command: str, addresses: dict[str, str]) -> str:
    """A script that prints the names for which ``command`` succeeds."""
    each = (f"( {command.format(name=name, address=at)} && echo {name} ) &" for name, at in addresses.items())
    return "\n".join([*each, "wait"])


def _outside(*argv: str) -> str:
    argv = ("docker", "exec", f"breakwater-{FLEET}-outside", *argv)
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout


def test_the_keeper_puts_right_what_happens_behind_its_back(site: Site) -> None:
    """What is expected is proven then, and another run has nothing to do."""
    play("site", keeper=True)
    for host in site.hosts:
        host.docker("restart", "-t", "0", "s1", "s2", "cdn-lb", "postgres-users")
        host.docker("network", "disconnect", "frontend", "gateway")
        host.run("nft", "flush", "ruleset")
        host.run("systemctl", "restart", "docker")
    for host in site.hosts:
        until = time.monotonic() + 60
        while '"holds": true' not in host.run("breakwater", "status", "--json", check=False):
            assert time.monotonic() < until, host.run("breakwater", "status", check=False)
            time.sleep(0.5)
    assert play("verify").changed == {host.name: 0 for host in site.hosts}
    assert play("site", keeper=True).changed == {host.name: 0 for host in site.hosts}


def test_teardown_leaves_nothing(site: Site) -> None:
    for host in site.hosts:  # as containers go, a keeper takes them out of the policy before the run can
        host.run("systemctl", "stop", "breakwater-keeper")
    foreseen = play("teardown", "--check", "--diff")
    done = play("teardown")
    for host in site.hosts:
        assert sorted(foreseen.done[host.name]) == sorted(done.done[host.name])
        assert traces(host) == EMPTY
    assert play("teardown").changed == {host.name: 0 for host in site.hosts}
