# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of one container: every option of an endpoint is compared, and nobody else is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab_host import IMAGE, LabHost
from resident import Resident, resident

SYSCTLS = "com.docker.network.endpoint.sysctls"
IFNAME = "com.docker.network.endpoint.ifname"


@pytest.fixture
def lab(host: LabHost) -> Resident:
    """A lab host with two networks: ``lab`` for IPv4 and IPv6, and ``other``."""
    found = resident(host)
    found.docker("network", "create", "--ipv6", "--subnet", "10.80.0.0/24", "--subnet", "fd80::/64", "lab")
    found.docker("network", "create", "--subnet", "10.81.0.0/24", "other")
    return found


def endpoints(lab: Resident, container: str) -> dict[str, Any]:
    """The endpoints of a container by network; the short ID that old engines list among the aliases left out."""
    raw = lab.inspect(container)
    found: dict[str, Any] = raw["NetworkSettings"]["Networks"]
    for each in found.values():
        each["Aliases"] = sorted(set(each["Aliases"] or ()) - {raw["Id"][:12]})
    return found


def macs(lab: Resident, container: str) -> set[str]:
    """The MAC addresses in use in a container's namespace."""
    return {each["address"] for each in json.loads(lab.inside(container, "ip", "-json", "link"))}


def hops(lab: Resident, container: str) -> set[tuple[str, str]]:
    """The routes of a container but for the default one, as destination and gateway."""
    return {(each["dst"], each["gateway"]) for each in lab.routes(container) if each["dst"] != "default"}


def test_each_option(lab: Resident) -> None:
    """Written, compared, changed and taken back, each in a reconnect that leaves all else as it was."""
    lab.start("peer", "--network", "lab", "--ip", "10.80.0.99")
    lab.start("web", "--network", "other")
    lab.docker("network", "connect", "lab", "web")
    lab.inside("web", "ip", "route", "add", "192.0.2.0/24", "via", "10.80.0.99")
    lab.inside("web", "ip", "route", "add", "198.51.100.0/24", "via", "10.81.0.1")
    routes = hops(lab, "web")
    assert len(routes) == 2
    other, peer = endpoints(lab, "web")["other"], lab.inspect("peer")
    steps: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
        ({"aliases": ["www", "api"]}, {"Aliases": ["api", "www"]}),
        ({"aliases": ["api", "shop"]}, {"Aliases": ["api", "shop"]}),
        ({"ipv4_address": "10.80.0.20"}, {"IPAddress": "10.80.0.20", "Aliases": ["api", "shop"]}),
        ({"ipv4_address": "10.80.0.21", "aliases": []}, {"IPAddress": "10.80.0.21", "Aliases": []}),
        ({"ipv6_address": "FD80:0::0020"}, {"GlobalIPv6Address": "fd80::20", "IPAddress": "10.80.0.21"}),
        ({"ipv6_address": "fd80::21"}, {"GlobalIPv6Address": "fd80::21"}),
        ({"links": ["peer:friend"]}, {"Links": ["peer:friend"], "IPAddress": "10.80.0.21"}),
        ({"links": []}, {"Links": None}),
        ({"driver_opts": {"lab.example/colour": "blue"}}, {"DriverOpts": {"lab.example/colour": "blue"}}),
        ({"driver_opts": {}}, {"DriverOpts": {}}),
    )
    gated: tuple[tuple[tuple[int, int], str, dict[str, Any], dict[str, Any]], ...] = (
        ((28, 0), "gw_priority", {"gw_priority": 100}, {"GwPriority": 100}),
        ((28, 0), "gw_priority", {"gw_priority": -3}, {"GwPriority": -3}),
        (
            (27, 0),
            SYSCTLS,
            {"driver_opts": {SYSCTLS: "net.ipv4.conf.IFNAME.log_martians=1"}},
            {"DriverOpts": {SYSCTLS: "net.ipv4.conf.IFNAME.log_martians=1"}},
        ),
        ((28, 0), IFNAME, {"driver_opts": {IFNAME: "lab0"}}, {"DriverOpts": {IFNAME: "lab0"}}),
    )

    def declare(given: dict[str, Any], told: dict[str, Any]) -> None:
        known = endpoints(lab, "web")["lab"]["EndpointID"]
        arguments = {"container": "web", "networks": [{"name": "lab", **given}]}
        result = lab.cycle("connection", lambda: [lab.inspect("web"), lab.inspect("peer")], **arguments)
        found = endpoints(lab, "web")
        for key, value in told.items():
            assert found["lab"][key] == value, f"{given}: {key} is {found['lab'][key]}"
        assert found["lab"]["EndpointID"] != known, given
        assert found["other"] == other, given
        assert hops(lab, "web") == routes, given
        assert {each for step in result["steps"] for each in step["cuts"]} == {"web"}, given

    for given, told in steps:
        declare(given, told)
    for since, gate, given, told in gated:
        if lab.version >= since:
            declare(given, told)
            continue
        before = lab.inspect("web")
        refusal = str(lab.refusal("connection", container="web", networks=[{"name": "lab", **given}]))
        versions = f"needs Docker Engine {since[0]}.{since[1]}, found {lab.version[0]}.{lab.version[1]}"
        assert refusal.startswith("networks[0].") and f"{gate} {versions}" in refusal, refusal
        assert lab.inspect("web") == before
    if lab.version >= (28, 0):
        assert "lab0" in lab.inside("web", "ip", "-brief", "link")
        declare({"driver_opts": {}, "gw_priority": 7}, {"GwPriority": 7})
        assert [each["gateway"] for each in lab.routes("web") if each["dst"] == "default"] == ["10.80.0.1"]
    assert endpoints(lab, "web")["lab"]["IPAddress"] == "10.80.0.21"
    assert lab.inspect("peer") == peer


def test_mac_address(lab: Resident) -> None:
    """Engines before 29.3 heed none at a connect: it is set from the host's side, and compared there."""
    lab.start("web", "--network", "other")
    for mac in ("02:11:22:33:44:55", "02-AB-22-33-44-66"):
        canonical = mac.lower().replace("-", ":")
        given = {"container": "web", "networks": [{"name": "lab", "mac_address": mac}]}
        lab.cycle("connection", lambda: [lab.inspect("web"), macs(lab, "web")], **given)
        assert canonical in macs(lab, "web")
    # A change of something else keeps it.
    given = {"container": "web", "networks": [{"name": "lab", "aliases": ["www"]}]}
    lab.cycle("connection", lambda: [lab.inspect("web"), macs(lab, "web")], **given)
    assert "02:ab:22:33:44:66" in macs(lab, "web")


def test_membership(lab: Resident) -> None:
    """Exactly these networks, or off those; a running container, a stopped one and one that never ran."""
    lab.start("web")
    lab.start("idle", "--network", "lab")
    lab.docker("stop", "-t", "0", "idle")
    lab.docker("create", "--name", "never", "--network", "lab", IMAGE, "sleep", "infinity")
    for name in ("web", "idle", "never"):

        def look(name: str = name) -> Any:
            return lab.inspect(name)

        def on(name: str = name) -> set[str]:
            return set(endpoints(lab, name))

        beside: dict[str, Any] = {"container": name, "networks": [{"name": "other", "aliases": ["www"]}]}
        lab.cycle("connection", look, **beside)
        assert "other" in on() and len(on()) == 2, name
        lab.cycle("connection", look, **beside, exclusive=True)
        assert on() == {"other"}, name
        both: dict[str, Any] = {
            "container": lab.inspect(name)["Id"][:12],
            "networks": [
                {"name": lab.inspect("network", "lab")["Id"], "ipv4_address": "10.80.0.30"},
                {"name": lab.inspect("network", "other")["Id"][:12]},
            ],
        }
        lab.cycle("connection", look, **both)
        assert on() == {"lab", "other"}, name
        off: dict[str, Any] = {"container": name, "networks": [{"name": "other"}], "state": "absent"}
        lab.cycle("connection", look, **off)
        assert on() == {"lab"}, name
        for unknown in ("other", "bridge", "never-there"):
            off["networks"] = [{"name": unknown}]
            assert not lab.module("connection", **off)["changed"], unknown
        lab.cycle("connection", look, container=name, networks=[{"name": "bridge"}])
        assert on() == {"lab", "bridge"}, name
        lab.cycle("connection", look, container=name, networks=[{"name": "bridge"}], state="absent")
        assert on() == {"lab"}, name
        if name != "web":
            lab.docker("start", name)
        assert endpoints(lab, name)["lab"]["IPAddress"] == "10.80.0.30", name
        assert "10.80.0.30/24" in lab.inside(name, "ip", "-brief", "addr"), name
        lab.cycle("connection", look, container=name, exclusive=True)
        assert on() == set(), name


def test_stale_references_are_repaired(lab: Resident) -> None:
    """A network that was remade under stopped containers is another one: they could not start (moby keeps its ID)."""
    options = ("--network", "lab", "--ip", "10.80.0.40", "--network-alias", "www")
    lab.start("idle", *options)
    lab.docker("stop", "-t", "0", "idle")
    lab.start("plain", "--network", "lab")
    lab.docker("stop", "-t", "0", "plain")
    lab.docker("create", "--name", "never", "--network", "lab", "--network-alias", "first", IMAGE, "sleep", "infinity")
    lab.docker("network", "connect", "--ip", "10.81.0.41", "other", "never")
    lab.docker("network", "rm", "lab")
    lab.docker("network", "create", "--subnet", "10.80.0.0/24", "lab")
    assert "not found" in lab.run("sh", "-c", "docker start idle 2>&1; true"), "the reference under test is not stale"
    for name in ("idle", "plain", "never"):
        other = endpoints(lab, name).get("other")
        given = {"container": name, "networks": [{"name": "lab"}]}
        if name == "never":
            # It refers to the network by its name alone, and that is a true reference.
            assert not lab.module("connection", **given)["changed"]
        else:
            lab.cycle("connection", lambda name=name: lab.inspect(name), **given)  # type: ignore[misc]
        assert endpoints(lab, name).get("other") == other
        lab.docker("start", name)
    assert endpoints(lab, "idle")["lab"]["IPAddress"] == "10.80.0.40"
    assert endpoints(lab, "idle")["lab"]["Aliases"] == ["www"]
    assert endpoints(lab, "never")["lab"]["Aliases"] == ["first"]
    assert endpoints(lab, "never")["other"]["IPAddress"] == "10.81.0.41"


def test_a_failed_connect_is_no_endpoint(lab: Resident) -> None:
    """Engines list a network that a running container was refused on; it is not there, whatever inspect says."""
    lab.start("web")
    lab.start("rival", "--network", "lab", "--ip", "10.80.0.50")
    lab.run("sh", "-c", "! docker network connect --ip 10.80.0.50 lab web")
    assert "lab" in endpoints(lab, "web") and "10.80.0." not in lab.inside("web", "ip", "-brief", "addr")
    lab.cycle("connection", lambda: lab.inspect("web"), container="web", networks=[{"name": "lab"}])
    assert "10.80.0." in lab.inside("web", "ip", "-brief", "addr")


def test_addresses_change_places(lab: Resident) -> None:
    """Two containers, running or not, take each other's addresses in one call; a third one is not touched."""
    names = ("one", "two", "three")
    for number, name in enumerate(names):
        lab.start(name, "--network", "lab", "--ip", f"10.80.0.6{number}", "--ip6", f"fd80::6{number}")
    lab.inside("one", "ip", "route", "add", "192.0.2.0/24", "via", "10.80.0.62")
    third = lab.inspect("three")
    for turn, (first, second) in enumerate((("1", "0"), ("0", "1"))):
        if turn:
            lab.docker("stop", "-t", "0", "two")
        wanted = {"one": first, "two": second, "three": "2"}
        lab.cycle(
            "topology",
            lambda: [lab.inspect(name) for name in names],
            name="swap",
            connections=[
                {
                    "container": name,
                    "networks": [{"name": "lab", "ipv4_address": f"10.80.0.6{n}", "ipv6_address": f"fd80::6{n}"}],
                }
                for name, n in wanted.items()
            ],
        )
        if turn:
            lab.docker("start", "two")
        for name, number in wanted.items():
            found = endpoints(lab, name)["lab"]
            assert (found["IPAddress"], found["GlobalIPv6Address"]) == (f"10.80.0.6{number}", f"fd80::6{number}"), name
        assert hops(lab, "one") == {("192.0.2.0/24", "10.80.0.62")}
    assert lab.inspect("three") == third


def test_what_cannot_be(lab: Resident) -> None:
    """One sentence that begins with the field, and nothing is touched."""
    lab.docker(
        "network",
        "create",
        "--subnet",
        "10.82.0.0/24",
        "--gateway",
        "10.82.0.9",
        "--aux-address",
        "dns=10.82.0.5",
        "kept",
    )
    lab.docker("network", "create", "--config-only", "--subnet", "10.83.0.0/24", "template")
    lab.start("web", "--network", "other")
    lab.start("rival", "--network", "lab", "--ip", "10.80.0.70", "--ip6", "fd80::70")
    for name in ("host", "none", "container:web"):
        lab.start(f"mode-{name.partition(':')[0]}", "--network", name)
    look = lambda: json.loads(lab.run("sh", "-c", "docker inspect $(docker ps -aq); "))  # noqa: E731
    before = look()
    for container, endpoint, complaint in (
        ("wbe", {"name": "lab"}, "container: container 'wbe' does not exist; did you mean 'web'?"),
        ("mode-host", {"name": "lab"}, "container: container 'mode-host' was started with network_mode 'host'"),
        ("mode-none", {"name": "lab"}, "container: container 'mode-none' was started with network_mode 'none'"),
        (
            "mode-container",
            {"name": "lab"},
            "container: container 'mode-container' was started with network_mode 'container:",
        ),
        ("web", {"name": "lba"}, "networks[0].name: there is no network 'lba'; did you mean 'lab'?"),
        ("web", {"name": "host"}, "networks[0].name: 'host' is a network mode"),
        ("web", {"name": "template"}, "networks[0].name: network 'template' is config_only"),
        (
            "web",
            {"name": "lab", "ipv4_address": "10.81.0.5"},
            "networks[0].ipv4_address: 10.81.0.5 is not within the subnet 10.80.0.0/24",
        ),
        ("web", {"name": "lab", "ipv6_address": "fd81::5"}, "networks[0].ipv6_address: fd81::5 is not within"),
        (
            "web",
            {"name": "other", "ipv6_address": "fd81::5"},
            "networks[0].ipv6_address: network 'other' has no IPv6 subnet",
        ),
        (
            "web",
            {"name": "lab", "ipv4_address": "10.80.0.70"},
            "networks[0].ipv4_address: 10.80.0.70 is taken on network 'lab' by container 'rival'",
        ),
        (
            "web",
            {"name": "lab", "ipv6_address": "fd80:0::70"},
            "networks[0].ipv6_address: fd80::70 is taken on network 'lab' by container 'rival'",
        ),
        (
            "web",
            {"name": "kept", "ipv4_address": "10.82.0.9"},
            "networks[0].ipv4_address: 10.82.0.9 is the gateway of network 'kept'",
        ),
        ("web", {"name": "kept", "ipv4_address": "10.82.0.5"}, "networks[0].ipv4_address: 10.82.0.5 is kept for 'dns'"),
        (
            "web",
            {"name": "bridge", "ipv4_address": "172.17.0.99"},
            "networks[0].ipv4_address: the engine's own network 'bridge'",
        ),
        ("web", {"name": "bridge", "aliases": ["www"]}, "networks[0].aliases: the engine's own network 'bridge'"),
        (
            "web",
            {"name": "lab", "mac_address": "01:00:5e:00:00:01"},
            "networks[0].mac_address: '01:00:5e:00:00:01' is a multicast",
        ),
    ):
        for check in (True, False):
            refusal = str(lab.refusal("connection", check=check, container=container, networks=[endpoint]))
            assert refusal.startswith(complaint), refusal
    assert look() == before


def test_those_with_the_labels(lab: Resident) -> None:
    """Each that has them, running or stopped, and nobody else; a second run finds who has come since."""
    label = "com.docker.compose.service=web"
    for name in ("web-1", "web-2"):
        lab.start(name, "--network", "other", "--label", label)
    lab.docker("stop", "-t", "0", "web-2")
    lab.start("db", "--network", "other", "--label", "com.docker.compose.service=db")
    names = ("web-1", "web-2", "db")

    def look() -> dict[str, list[str]]:
        return {name: sorted(endpoints(lab, name)) for name in names}

    wanted = {"labels": label, "networks": [{"name": "lab", "aliases": ["www"]}], "exclusive": True}
    result = lab.cycle("connection", look, **wanted)
    assert look() == {"web-1": ["lab"], "web-2": ["lab"], "db": ["other"]}
    assert set(result["containers"]) == {"web-1", "web-2"}
    lab.start("web-3", "--network", "other", "--label", label)
    names = ("web-3",)
    lab.cycle("connection", look, **wanted)
    assert look() == {"web-3": ["lab"]}
    assert (
        lab.refusal("connection", labels=label, networks=[{"name": "lab", "ipv4_address": "10.80.0.7"}]).result["field"]
        == "networks[0].ipv4_address"
    )
