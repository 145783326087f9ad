# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes inside a container whose image has no tool and whose capabilities lack NET_ADMIN; judged by ``ip -json``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab_host import LabHost
from resident import Resident, resident

Shown = tuple[str, str, str, int, str, bool]
"""Type, destination, gateway, metric, table, onlink."""
FOREIGN = (
    ("-4", "192.0.2.128/25", "via", "10.90.0.99"),
    ("-4", "blackhole", "198.18.0.0/15", "table", "300"),
    ("-6", "2001:db8:99::/48", "via", "fd90::99"),
)


@pytest.fixture
def lab(host: LabHost) -> Resident:
    """``s1`` on ``lab`` with routes of somebody else's; ``gateway`` on ``lab`` and ``back``; ``far`` on ``back``."""
    found = resident(host)
    found.docker("network", "create", "--ipv6", "--subnet", "10.90.0.0/24", "--subnet", "fd90::/64", "lab")
    found.docker("network", "create", "--subnet", "10.91.0.0/24", "back")
    found.start("s1", "--network", "lab", "--ip", "10.90.0.11", "--ip6", "fd90::11")
    found.start("gateway", "--network", "lab", "--ip", "10.90.0.3", "--ip6", "fd90::3")
    found.start("far", "--network", "back")
    found.docker("network", "connect", "--ip", "10.91.0.3", "back", "gateway")
    for family, *words in FOREIGN:
        found.inside("s1", "ip", family, "route", "add", *words)
    return found


def shown(lab: Resident, container: str = "s1") -> set[Shown]:
    """The routes of both families as ``ip`` shows them, without those of the kernel."""
    return {
        (
            each.get("type", "unicast"),
            each["dst"],
            each.get("gateway", ""),
            each.get("metric", 0),
            str(each.get("table", "main")),
            "onlink" in each.get("flags", ()),
        )
        for family in (4, 6)
        for each in lab.routes(container, family)
    }


def route(destination: str, gateway: str = "", metric: int = 0, table: str = "main", kind: str = "unicast") -> Shown:
    """A route as it is shown; IPv6 ones have the metric 1024 where nobody gave another."""
    return (kind, destination, gateway, metric or (1024 if ":" in destination else 0), table, False)


CASES: tuple[tuple[str, list[dict[str, Any]], set[Shown]], ...] = (
    ("gateway", [{"destination": "192.0.2.0/24", "gateway": "10.90.0.3"}], {route("192.0.2.0/24", "10.90.0.3")}),
    ("via", [{"destination": "10.91.0.0/24", "via": "gateway"}], {route("10.91.0.0/24", "10.90.0.3")}),
    (
        "via on a network",
        [{"destination": "10.91.0.0/24", "via": "gateway", "network": "lab"}],
        {route("10.91.0.0/24", "10.90.0.3")},
    ),
    ("network", [{"destination": "192.0.2.0/24", "network": "lab"}], {route("192.0.2.0/24")}),
    ("a host", [{"destination": "192.0.2.7", "gateway": "10.90.0.3"}], {route("192.0.2.7", "10.90.0.3")}),
    (
        "onlink",
        [{"destination": "192.0.2.0/24", "gateway": "203.0.113.1", "network": "lab", "onlink": True}],
        {("unicast", "192.0.2.0/24", "203.0.113.1", 0, "main", True)},
    ),
    (
        "metrics side by side",
        [
            {"destination": "192.0.2.0/24", "gateway": "10.90.0.3"},
            {"destination": "192.0.2.0/24", "gateway": "10.90.0.4", "metric": 50},
            {"destination": "192.0.2.0/24", "network": "lab", "metric": 4294967295},
        ],
        {
            route("192.0.2.0/24", "10.90.0.3"),
            route("192.0.2.0/24", "10.90.0.4", 50),
            route("192.0.2.0/24", "", 4294967295),
        },
    ),
    (
        "tables",
        [
            {"destination": "192.0.2.0/24", "gateway": "10.90.0.3", "table": "100"},
            {"destination": "192.0.2.0/24", "gateway": "10.90.0.4", "table": "default"},
            {"destination": "default", "gateway": "10.90.0.3", "table": "4000000000"},
        ],
        {
            route("192.0.2.0/24", "10.90.0.3", table="100"),
            route("192.0.2.0/24", "10.90.0.4", table="default"),
            route("default", "10.90.0.3", table="4000000000"),
        },
    ),
    (
        "types that lead nowhere",
        [
            {"destination": "192.0.2.0/26", "type": "blackhole"},
            {"destination": "192.0.2.64/27", "type": "unreachable", "metric": 9},
            {"destination": "192.0.2.96/27", "type": "prohibit", "table": "100"},
        ],
        {
            route("192.0.2.0/26", kind="blackhole"),
            route("192.0.2.64/27", metric=9, kind="unreachable"),
            route("192.0.2.96/27", table="100", kind="prohibit"),
        },
    ),
    (
        "another default route beside the engine's",
        [{"destination": "default", "via": "gateway", "metric": 10}],
        {route("default", "10.90.0.3", 10)},
    ),
    (
        "IPv6",
        [
            {"destination": "2001:DB8:5::/48", "gateway": "FD90:0::3"},
            {"destination": "2001:db8:6::/48", "via": "gateway", "metric": 7},
            {"destination": "2001:db8:7::1", "network": "lab"},
            {"destination": "2001:db8:8::/48", "type": "unreachable"},
            {"destination": "2001:db8:9::/48", "gateway": "fe80::1", "network": "lab"},
            {"destination": "::/0", "via": "gateway", "table": "100"},
        ],
        {
            route("2001:db8:5::/48", "fd90::3"),
            route("2001:db8:6::/48", "fd90::3", 7),
            route("2001:db8:7::1"),
            route("2001:db8:8::/48", kind="unreachable"),
            route("2001:db8:9::/48", "fe80::1"),
            ("unicast", "default", "fd90::3", 1024, "100", False),
        },
    ),
)


def test_each_kind(lab: Resident) -> None:
    """Set, unchanged, taken away; what somebody else set and the engine's default route stay as they are."""
    tools = lab.docker(
        "exec", "s1", "sh", "-c", "command -v ip; busybox ip route add blackhole 192.0.2.0/24 2>&1; true"
    )
    assert "Operation not permitted" in tools and "/ip" not in tools, "the container could do it by itself"
    foreign = shown(lab)
    assert {each[1] for each in foreign} >= {"default", "192.0.2.128/25", "198.18.0.0/15", "2001:db8:99::/48"}
    for title, routes, expected in CASES:
        result = lab.cycle("route", lambda: shown(lab), container="s1", routes=routes)
        assert {(step["verb"], tuple(step["cuts"])) for step in result["steps"]} == {("add", ())}, title
        assert shown(lab) - foreign == expected and foreign <= shown(lab), title
        gone = [
            {key: each[key] for key in each if key in ("destination", "metric", "table", "gateway")} for each in routes
        ]
        lab.cycle("route", lambda: shown(lab), container="s1", routes=[{**each, "state": "absent"} for each in gone])
        assert shown(lab) == foreign, title


def test_change_and_purge(lab: Resident) -> None:
    """One of the same destination, metric and table is replaced; purge takes all that nobody declares but defaults."""
    foreign = shown(lab)
    to = "192.0.2.0/25"
    lab.module("route", container="s1", routes=[{"destination": to, "gateway": "10.90.0.3"}])
    for after, expected in (
        ({"gateway": "10.90.0.4"}, route(to, "10.90.0.4")),
        ({"network": "lab"}, route(to)),
        ({"type": "blackhole"}, route(to, kind="blackhole")),
        ({"type": "prohibit"}, route(to, kind="prohibit")),
        ({"via": "gateway"}, route(to, "10.90.0.3")),
        ({"gateway": "203.0.113.1", "network": "lab", "onlink": True}, ("unicast", to, "203.0.113.1", 0, "main", True)),
    ):
        result = lab.cycle("route", lambda: shown(lab), container="s1", routes=[{"destination": to, **after}])
        assert [step["verb"] for step in result["steps"]] == ["change"], after
        assert shown(lab) - foreign == {expected}, after
    six = {"destination": "2001:db8:5::/48"}
    lab.module("route", container="s1", routes=[{**six, "gateway": "fd90::3"}])
    for after, expected in (
        ({"gateway": "fd90::4"}, route("2001:db8:5::/48", "fd90::4")),
        ({"type": "blackhole"}, route("2001:db8:5::/48", kind="blackhole")),
        ({"network": "lab"}, route("2001:db8:5::/48")),
    ):
        result = lab.cycle("route", lambda: shown(lab), container="s1", routes=[{**six, **after}])
        assert [each for each in shown(lab) if each[1] == six["destination"]] == [expected], after
    lab.cycle(
        "route",
        lambda: shown(lab),
        container="s1",
        purge=True,
        routes=[{"destination": "192.0.2.64/26", "via": "gateway"}],
    )
    defaults = {each for each in foreign if each[1] == "default"}
    assert shown(lab) == defaults | {route("192.0.2.64/26", "10.90.0.3")}
    lab.cycle("route", lambda: shown(lab), container="s1", purge=True)
    assert shown(lab) == defaults


def test_default_route(lab: Resident) -> None:
    """The engine's choice is replaced where another one is declared, and nowhere else."""
    foreign = shown(lab)
    for family, chosen, via in ((4, "10.90.0.1", "10.90.0.3"), (6, "fd90::1", "fd90::3")):
        destination = "default" if family == 4 else "::/0"
        assert ("unicast", "default", chosen) in {each[:3] for each in foreign}
        lab.cycle("route", lambda: shown(lab), container="s1", routes=[{"destination": destination, "via": "gateway"}])
        gateways = {each["gateway"] for each in lab.routes("s1", family) if each["dst"] == "default"}
        assert gateways == {via}
        assert {each for each in shown(lab) if each[1] != "default"} == {
            each for each in foreign if each[1] != "default"
        }


def test_routes_come_back_by_network(lab: Resident) -> None:
    """A reconnect or a restart takes them, and gives interfaces other names: the next run sets them as before."""
    lab.docker("network", "connect", "back", "s1")
    lab.docker("create", "--name", "idle", "--network", "lab", "breakwater/workload:latest", "sleep", "infinity")
    given: dict[str, Any] = {
        "container": "s1",
        "routes": [
            {"destination": "192.0.2.0/24", "via": "gateway", "network": "lab"},
            {"destination": "198.51.100.0/24", "network": "back"},
            {"destination": "203.0.113.0/24", "type": "blackhole"},
        ],
    }
    expected = {route("192.0.2.0/24", "10.90.0.3"), route("198.51.100.0/24"), route("203.0.113.0/24", kind="blackhole")}

    def holds() -> bool:
        back = lab.inspect("s1")["NetworkSettings"]["Networks"]["back"]["IPAddress"]
        links = json.loads(lab.inside("s1", "ip", "-json", "-4", "addr"))
        names = {each["local"]: link["ifname"] for link in links for each in link["addr_info"]}
        leaves = [each["dev"] for each in lab.routes("s1") if each["dst"] == "198.51.100.0/24"]
        return expected <= shown(lab) and leaves == [names[back]]

    lab.cycle("route", lambda: shown(lab), **given)
    assert holds()
    lab.docker("network", "disconnect", "lab", "s1")
    lab.docker("network", "connect", "lab", "s1")
    lab.cycle("route", lambda: shown(lab), **given)
    assert holds()
    lab.docker("restart", "-t", "0", "s1")
    assert not expected & shown(lab)
    lab.cycle("route", lambda: shown(lab), **given)
    assert holds()


def test_what_cannot_be(lab: Resident) -> None:
    """One sentence that begins with the field, and no route is touched."""
    lab.start("loner", "--network", "none")
    lab.start("hosty", "--network", "host")
    lab.start("twice", "--network", "lab")
    lab.docker("network", "connect", "back", "twice")
    lab.docker("network", "connect", "back", "s1")
    lab.docker("create", "--name", "idle", "--network", "lab", "breakwater/workload:latest", "sleep", "infinity")
    lab.docker("create", "--name", "fixed", "--network", "lab", "--ip", "10.90.0.77", "breakwater/workload:latest")
    before = shown(lab), shown(lab, "loner"), lab.run("ip", "route")
    to = {"destination": "192.0.2.0/24"}
    for container, given, complaint in (
        ("hosti", {**to, "gateway": "10.90.0.3"}, "container: container 'hosti' does not exist; did you mean 'hosty'?"),
        ("idle", {**to, "gateway": "10.90.0.3"}, "container: container 'idle' is not running"),
        ("hosty", {**to, "gateway": "10.90.0.3"}, "container: container 'hosty' was started with network_mode 'host'"),
        (
            "s1",
            {**to, "gateway": "10.92.0.3"},
            "routes[0].gateway: 10.92.0.3 is in no subnet of 's1' (back 10.91.0.0/24",
        ),
        ("s1", {**to, "gateway": "10.90.0.11"}, "routes[0].gateway: 10.90.0.11 is container 's1' itself"),
        (
            "s1",
            {**to, "gateway": "10.90.0.3", "network": "back"},
            "routes[0].gateway: 10.90.0.3 is in no subnet of 'back'",
        ),
        ("s1", {**to, "gateway": "fd90::3"}, "routes[0].gateway: fd90::3 is an IPv6 address"),
        ("s1", {**to, "via": "gatway"}, "routes[0].via: container 'gatway' does not exist; did you mean 'gateway'?"),
        ("s1", {**to, "via": "s1"}, "routes[0].via: container 's1' cannot be its own gateway"),
        ("s1", {**to, "via": "gateway"}, "routes[0].via: container 'gateway' shares back and lab with 's1'; say which"),
        ("s1", {**to, "via": "loner"}, "routes[0].via: container 'loner' shares no network with 's1'"),
        ("s1", {**to, "via": "idle"}, "routes[0].via: container 'idle' is not running and has no fixed address"),
        ("s1", {**to, "via": "far", "network": "lab"}, "routes[0].via: container 'far' is not on network 'lab'"),
        ("s1", {"destination": "2001:db8::/32", "via": "far"}, "routes[0].via: container 'far' has no IPv6 address"),
        ("s1", {**to, "network": "lba"}, "routes[0].network: there is no network 'lba'; did you mean 'lab'?"),
        ("far", {**to, "network": "lab"}, "routes[0].network: container 'far' is not on 'lab' (on back)"),
        ("s1", {**to, "gateway": "203.0.113.1"}, "routes[0].gateway: 203.0.113.1 is in no subnet"),
        (
            "s1",
            {"destination": "192.0.2.1/24", "network": "lab"},
            "routes[0].destination: '192.0.2.1/24' has host bits set",
        ),
        ("s1", {**to, "network": "lab", "table": "local"}, "routes[0].table: the table 'local' is the kernel's own"),
    ):
        for check in (True, False):
            refusal = str(lab.refusal("route", check=check, container=container, routes=[given]))
            assert refusal.startswith(complaint), refusal
        assert (shown(lab), shown(lab, "loner"), lab.run("ip", "route")) == before, given
    # A gateway that does not run has an address all the same where it is a fixed one.
    lab.cycle("route", lambda: shown(lab), container="s1", routes=[{**to, "via": "fixed"}])
    assert route("192.0.2.0/24", "10.90.0.77") in shown(lab)
    # And a namespace without a network can have a route that leads nowhere.
    lab.cycle("route", lambda: shown(lab, "loner"), container="loner", routes=[{**to, "type": "blackhole"}])
    assert shown(lab, "loner") == {route("192.0.2.0/24", kind="blackhole")}
