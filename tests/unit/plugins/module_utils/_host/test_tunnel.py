# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels in a kernel in memory: changed in place, and whom a change is not about does not notice it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import fence, wireguard
from ansible_collections.breakwater.docker.plugins.module_utils._host import tunnel as ours
from ansible_collections.breakwater.docker.plugins.module_utils._host.host import Host
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError, Interrupted
from ansible_collections.breakwater.docker.plugins.module_utils._model.live_tunnel import Fence
from ansible_collections.breakwater.docker.plugins.module_utils._plan import tunnel as planner
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_kernel import KernelRoute, Link
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_tunnel import Device, Ways, drawn
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fleet import (
    BACKENDS,
    HERE,
    HOME,
    device,
    fleet_host,
    leaks,
    peer,
    picture,
    plain,
    tunnel,
)


@pytest.fixture
def host() -> Iterator[FakeHost]:
    with fleet_host() as found:
        yield found


def ways(host: FakeHost) -> Ways:
    return host.engine.kernel.ways


def routes(host: FakeHost) -> dict[str, tuple[str | None, str | None]]:
    """Where the host sends what is for others."""
    found = host.engine.kernel.host.routes
    return {each.destination: (each.gateway, each.dev) for each in found if each.destination.startswith("10.80.")}


def steps(host: FakeHost, args: dict[str, Any]) -> list[dict[str, Any]]:
    """What a run does, as it was foretold."""
    foretold = host.module("tunnel", args, check=True)["steps"]
    done: list[dict[str, Any]] = host.module("tunnel", args)["steps"]
    assert foretold == done
    assert not host.module("tunnel", args)["changed"]
    return done


def told(host: FakeHost, *begin: str) -> list[str]:
    """The commands since the last time, each as a line."""
    found = [" ".join(argv) for argv in ways(host).words(*begin)]
    ways(host).told.clear()
    return found


def declared(backend: str, *numbers: int, **options: Any) -> dict[str, Any]:
    """A tunnel of any backend to these peers."""
    of = peer if backend == "wireguard" else plain
    return tunnel(*(of(each) for each in numbers or (2,)), backend=backend, **options)


def test_wireguard(host: FakeHost) -> None:
    (step,) = steps(host, tunnel())
    assert (step["resource"], step["verb"], step["before"], step["cuts"]) == ("tunnel fleet0", "create", {}, [])
    found = device(host)
    assert (found.private, found.port, found.mtu, found.is_up) == (
        (host.keys / "fleet0.key").read_text().strip(),
        51820,
        1420,
        True,
    )
    other = found.peers[drawn("edge2")]
    assert (other.subnets, other.endpoint, other.keepalive, other.secret) == (
        {"10.80.2.0/24"},
        "10.99.1.12:51820",
        0,
        "",
    )
    assert routes(host) == {"10.80.2.0/24": (None, "fleet0")}
    assert host.engine.kernel.host.link("fleet0").sysctls["rp_filter"] == "0"


def test_vxlan(host: FakeHost) -> None:
    steps(host, declared("vxlan", 2, 3))
    found = device(host)
    assert (found.data, found.mtu) == ({"id": 4789, "local": HERE, "port": 4789}, 1450)
    assert found.neighbours == {"10.99.1.12": "02:00:0a:63:01:0c", "10.99.1.13": "02:00:0a:63:01:0d"}
    assert found.places == {("02:00:0a:63:01:0c", "10.99.1.12"), ("02:00:0a:63:01:0d", "10.99.1.13")}
    assert routes(host) == {"10.80.2.0/24": ("10.99.1.12", "fleet0"), "10.80.3.0/24": ("10.99.1.13", "fleet0")}
    steps(host, declared("vxlan", 3))
    assert found.neighbours.keys() == {"10.99.1.13"} and len(found.places) == 1
    assert routes(host).keys() == {"10.80.3.0/24"}


def test_the_interface_of_a_vxlan_has_the_address_that_peers_expect(host: FakeHost) -> None:
    steps(host, declared("vxlan"))
    (words,) = ways(host).words("ip", "link", "add")
    assert words[words.index("address") + 1] == "02:00:0a:63:01:0b"


@pytest.mark.parametrize("options", [{"vni": 7}, {"listen_port": 8472}, {"local": "10.99.1.77"}])
def test_a_vxlan_that_cannot_be_changed_is_made_anew(host: FakeHost, options: dict[str, Any]) -> None:
    steps(host, declared("vxlan", 2, 3))
    steps(host, declared("vxlan", 2, 3, **options))
    assert len(device(host).neighbours) == 2 and len(routes(host)) == 2


def test_direct(host: FakeHost) -> None:
    steps(host, declared("direct"))
    assert routes(host) == {"10.80.2.0/24": ("10.99.1.12", "eth0")} and not ways(host).devices


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_left_behind(host: FakeHost, backend: str) -> None:
    before = picture(host)
    steps(host, declared(backend, 2, 3))
    (step,) = steps(host, {"name": "fleet0", "state": "absent"})
    assert step["verb"] == "remove" and len(step["cuts"]) == 2 and step["after"] == {}
    assert picture(host) == before and not list(host.records.iterdir())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("former", BACKENDS)
def test_another_backend_leaves_nothing_of_the_former(host: FakeHost, former: str, backend: str) -> None:
    steps(host, declared(former))
    done = steps(host, declared(backend))
    assert [each["verb"] for each in done] == (["remove", "create"] if former != backend else [])
    with fleet_host() as fresh:
        steps(fresh, declared(backend))
        assert picture(host) == picture(fresh)


def test_who_is_as_declared_is_not_named(host: FakeHost) -> None:
    steps(host, tunnel(peer(2), peer(3)))
    told(host)
    (step,) = steps(host, tunnel(peer(2), peer(3, keepalive=25), peer(4)))
    (words,) = [each for each in told(host) if each.startswith("wg set")]
    assert drawn("edge2") not in words and "private-key" not in words and "listen-port" not in words
    assert drawn("edge3") in words and drawn("edge4") in words
    assert step["after"].keys() == {"peer edge3", "peer edge4", "routes", "fence"} and step["cuts"] == []


def test_what_wg_has_to_do_with_it_only(host: FakeHost) -> None:
    steps(host, tunnel())
    told(host)
    steps(host, tunnel(mtu=1400))
    lines = told(host)
    assert "ip link set dev fleet0 mtu 1400 up" in lines
    assert not [each for each in lines if each.startswith(("wg set", "nft -f", "ip link add", "ip -4 route"))]


def test_who_goes_is_cut_and_told(host: FakeHost) -> None:
    steps(host, tunnel(peer(2), peer(3)))
    (step,) = steps(host, tunnel(peer(3)))
    assert step["cuts"] == [drawn("edge2")] and device(host).peers.keys() == {drawn("edge3")}


def test_another_key_cuts_all(host: FakeHost) -> None:
    steps(host, tunnel(peer(2), peer(3)))
    (step,) = steps(host, tunnel(peer(2), peer(3), key="fleet-1"))
    assert step["cuts"] == ["edge2", "edge3"] and step["after"].keys() == {"public_key"}
    assert device(host).private == (host.keys / "fleet-1.key").read_text().strip()


def test_a_subnet_that_changes_hands(host: FakeHost) -> None:
    steps(host, tunnel(peer(2), peer(3)))
    steps(host, tunnel(peer(2, subnets=["10.80.3.0/24"]), peer(3, subnets=["10.80.2.0/24"])))
    held = {each: found.subnets for each, found in device(host).peers.items()}
    assert held == {drawn("edge2"): {"10.80.3.0/24"}, drawn("edge3"): {"10.80.2.0/24"}}


def test_keys_that_are_shared(host: FakeHost) -> None:
    wireguard.keep_preshared("fleet0@edge2", drawn("one"))
    steps(host, tunnel(peer(preshared=True)))
    assert device(host).peers[drawn("edge2")].secret == drawn("one")
    wireguard.keep_preshared("fleet0@edge2", drawn("other"))
    steps(host, tunnel(peer(preshared=True)))
    assert device(host).peers[drawn("edge2")].secret == drawn("other")
    result = host.module("tunnel", tunnel())
    assert device(host).peers[drawn("edge2")].secret == ""
    assert leaks(host, result) == []


def test_routes_are_there_before_others_go(host: FakeHost) -> None:
    """So what is for a subnet that another peer takes over never goes without a way."""
    steps(host, declared("vxlan", 2, 3))
    told(host)
    host.module("tunnel", tunnel(plain(3, subnets=["10.80.2.0/24"]), backend="vxlan"))
    assert [each.split()[3:5] for each in told(host, "ip", "-4", "route")] == [
        ["replace", "10.80.2.0/24"],
        ["delete", "10.80.3.0/24"],
    ]


def test_it_is_closed_before_anybody_may_speak(host: FakeHost) -> None:
    told(host)
    host.module("tunnel", tunnel())
    order = [" ".join(argv[:3]) for argv, _given in ways(host).told]
    assert order.index("nft -f -") < order.index("ip link add") < order.index("wg set fleet0")
    assert order.index("wg set fleet0") < order.index("ip -4 route")


def test_a_route_that_another_tunnel_took_over(host: FakeHost) -> None:
    steps(host, tunnel())
    wireguard.keep_key("fleet1", "present", False)
    steps(host, tunnel(peer(), name="fleet1", listen_port=51821))
    steps(host, tunnel(peer(route=False)))
    assert routes(host) == {"10.80.2.0/24": (None, "fleet1")}


def test_a_route_that_is_gone_meanwhile(host: FakeHost) -> None:
    steps(host, declared("direct", 2, 3))
    run = host.engine.kernel.run

    def raced(argv: list[str], *given: Any, **options: Any) -> Any:
        if argv[3:5] == ["delete", "10.80.2.0/24"]:
            run(argv)
        return run(argv, *given, **options)

    with patch("subprocess.run", raced):
        host.module("tunnel", declared("direct", 3))
    assert routes(host).keys() == {"10.80.3.0/24"}


def test_a_route_that_cannot_go(host: FakeHost) -> None:
    steps(host, declared("direct", 2, 3))
    with refusing(host, "route delete"), pytest.raises(Interrupted, match="Operation not permitted"):
        host.module("tunnel", declared("direct", 3))


class Refusing:
    """A host that refuses the commands that hold some words."""

    def __init__(self, host: FakeHost, words: str) -> None:
        self.run, self.words = host.engine.kernel.run, words

    def __call__(self, argv: list[str], *given: Any, **options: Any) -> Any:
        if self.words in " ".join(argv):
            argv = ["ip", "link", "show", "dev", "none"]
            found = self.run(argv)
            found.stderr = "RTNETLINK answers: Operation not permitted\n"
            return found
        return self.run(argv, *given, **options)


def refusing(host: FakeHost, words: str) -> Any:
    return patch("subprocess.run", Refusing(host, words))


@pytest.mark.parametrize("backend", ["wireguard", "vxlan"])
def test_an_interface_of_somebody_elses(host: FakeHost, backend: str) -> None:
    host.engine.kernel.host.links.append(Link("fleet0", "02:00:00:00:00:01", kind="dummy"))
    ways(host).devices["fleet0"] = Device("dummy")
    before = picture(host)
    with pytest.raises(Interrupted, match="interface 'fleet0' is there already, and somebody else's; choose another"):
        host.module("tunnel", declared(backend))
    assert picture(host) == before
    assert not host.module("tunnel", {"name": "fleet0", "state": "absent"})["changed"]
    assert picture(host) == before


DRIFT = [
    ("its MTU", lambda found: setattr(found, "mtu", 1300)),
    ("its port", lambda found: setattr(found, "port", 1)),
    ("its key", lambda found: setattr(found, "private", drawn("stranger"))),
    ("a peer less", lambda found: found.peers.clear()),
    ("a peer more", lambda found: found.peers.update({drawn("x"): type(found.peers[drawn("edge2")])({"10.7.0.0/24"})})),
    ("other addresses", lambda found: found.peers[drawn("edge2")].subnets.add("10.66.0.0/16")),
    ("keepalive", lambda found: setattr(found.peers[drawn("edge2")], "keepalive", 5)),
    ("a shared key", lambda found: setattr(found.peers[drawn("edge2")], "secret", drawn("x"))),
    ("no endpoint", lambda found: setattr(found.peers[drawn("edge2")], "endpoint", "")),
]


@pytest.mark.parametrize("change", [each[1] for each in DRIFT], ids=[each[0] for each in DRIFT])
def test_drift_is_seen_and_mended(host: FakeHost, change: Any) -> None:
    steps(host, tunnel())
    before = repr(device(host))
    change(device(host))
    assert repr(device(host)) != before
    assert len(steps(host, tunnel())) == 1
    assert repr(device(host)) == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_route_that_is_lost_comes_back(host: FakeHost, backend: str) -> None:
    steps(host, declared(backend, 2, 3))
    before = picture(host)
    space = host.engine.kernel.host
    space.routes = [each for each in space.routes if each.destination != "10.80.2.0/24"]
    (step,) = steps(host, declared(backend, 2, 3))
    assert step["before"].keys() == {"routes"} and picture(host) == before


def test_a_route_that_somebody_added_by_the_interface_goes(host: FakeHost) -> None:
    steps(host, tunnel())
    host.engine.kernel.host.replace(KernelRoute("10.66.0.0/16", None, "fleet0"))
    host.engine.kernel.host.replace(KernelRoute("fe80::/64", None, "fleet0", metric=256))
    assert len(steps(host, tunnel())) == 1
    assert {each.destination for each in host.engine.kernel.host.routes if each.dev == "fleet0"} == {
        "10.80.2.0/24",
        "fe80::/64",
    }


@pytest.mark.parametrize("backend", ["wireguard", "vxlan"])
def test_an_interface_that_is_gone_comes_back(host: FakeHost, backend: str) -> None:
    steps(host, declared(backend))
    before = picture(host)
    host.engine.kernel.run(["ip", "link", "delete", "dev", "fleet0"])
    assert len(steps(host, declared(backend))) == 1
    assert picture(host) == before


@pytest.mark.parametrize("lost", ["places", "neighbours"])
def test_a_peer_that_a_vxlan_half_knows(host: FakeHost, lost: str) -> None:
    steps(host, declared("vxlan", 3))
    without = picture(host)
    steps(host, declared("vxlan", 2, 3))
    before = picture(host)
    getattr(device(host), lost).clear()
    assert len(steps(host, declared("vxlan", 2, 3))) == 1
    assert picture(host) == before
    getattr(device(host), lost).clear()
    steps(host, declared("vxlan", 3))
    assert picture(host) == without


def test_ways_by_ipv6(host: FakeHost) -> None:
    six = plain(endpoint="fd99:1::12", subnets=["10.80.2.0/24", "fd80:2::/64"])
    steps(host, tunnel(six, backend="direct", subnets=[HOME, "fd80:1::/64"]))
    lines = [each for each in told(host, "ip") if "route replace" in each]
    assert lines == [
        "ip -4 route replace 10.80.2.0/24 via inet6 fd99:1::12",
        "ip -6 route replace fd80:2::/64 via fd99:1::12",
    ]
    steps(host, tunnel(six, backend="vxlan", local="fd99:1::11", subnets=[HOME, "fd80:1::/64"]))
    ((gateway, mac),) = device(host).neighbours.items()
    assert gateway.startswith("fe80::") and device(host).places == {(mac, "fd99:1::12")}
    assert routes(host) == {"10.80.2.0/24": (gateway, "fleet0")}
    assert f"ip -6 route replace fd80:2::/64 via {gateway} dev fleet0 onlink" in told(host, "ip")
    steps(host, tunnel(plain(endpoint="fd99:2::12"), backend="vxlan", local="fd99:1::11"))
    assert not {gateway, mac} & {*device(host).neighbours, *device(host).neighbours.values()}
    (step,) = steps(host, {"name": "fleet0", "state": "absent"})
    assert step["before"]["local"] == "fd99:1::11"


def test_who_roams_is_no_drift(host: FakeHost) -> None:
    steps(host, tunnel(peer(2), peer(3, endpoint=None)))
    for number in (2, 3):
        device(host).peers[drawn(f"edge{number}")].endpoint = f"198.51.100.{number}:4242"
    told(host)
    assert not host.module("tunnel", tunnel(peer(2), peer(3, endpoint=None)))["changed"]
    assert not told(host, "wg", "set")


def at(seconds: float) -> Any:
    """So many seconds from now."""
    now = time.time()
    return patch.object(time, "time", lambda: now + seconds)


NAMED = peer(endpoint="edge2.example:51820")


def test_a_name_that_is_silent_is_looked_up_anew_once_a_minute(host: FakeHost) -> None:
    ways(host).names["edge2.example"] = "192.0.2.1"
    steps(host, tunnel(NAMED, peer(3)))
    edge = device(host).peers[drawn("edge2")]
    assert edge.endpoint == "192.0.2.1:51820"
    ways(host).names["edge2.example"] = "192.0.2.2"
    told(host)
    with at(59):
        assert not host.module("tunnel", tunnel(NAMED, peer(3)))["changed"]
        assert not told(host, "wg", "set")
    for minute in (61, 122):
        with at(minute):
            for _again in range(2):
                assert not host.module("tunnel", tunnel(NAMED, peer(3)))["changed"], "it is bookkeeping"
        (words,) = told(host, "wg", "set")
        assert "192.0.2.2:51820" in words and drawn("edge3") not in words
        assert device(host).peers[drawn("edge2")].endpoint == "192.0.2.2:51820"


def test_a_name_that_was_heard_is_not_looked_up(host: FakeHost) -> None:
    ways(host).names["edge2.example"] = "192.0.2.1"
    steps(host, tunnel(NAMED))
    for silent, looked_up in ((274, 0), (276, 1)):
        device(host).peers[drawn("edge2")].handshake = int(time.time()) + 1000 - silent
        told(host)
        with at(1000):
            host.module("tunnel", tunnel(NAMED))
        assert len(told(host, "wg", "set")) == looked_up


def test_an_address_that_is_silent_is_left_alone(host: FakeHost) -> None:
    steps(host, tunnel(peer(2), peer(3, endpoint="[2001:db8::3]:51820")))
    told(host)
    with at(10_000):
        host.module("tunnel", tunnel(peer(2), peer(3, endpoint="[2001:db8::3]:51820")))
    assert not told(host, "wg", "set")


def test_a_name_that_nobody_knows(host: FakeHost) -> None:
    """All the rest is done; the next look tries again."""
    ways(host).names.clear()
    steps(host, tunnel(peer(3)))
    for _again in range(2):
        with pytest.raises(Interrupted, match=r"edge2\.example:51820 cannot be looked up: Name or service not known"):
            host.module("tunnel", tunnel(NAMED, peer(3)))
        assert device(host).peers[drawn("edge2")].subnets == {"10.80.2.0/24"}
        assert routes(host).keys() == {"10.80.2.0/24", "10.80.3.0/24"}
    ways(host).names["edge2.example"] = "192.0.2.1"
    assert len(steps(host, tunnel(NAMED, peer(3)))) == 1
    assert device(host).peers[drawn("edge2")].endpoint == "192.0.2.1:51820"


def test_what_is_told_of_it(host: FakeHost) -> None:
    result = host.module("tunnel", tunnel(peer(2), peer(3)))
    assert {key: result[key] for key in ("driver", "mtu", "handshakes", "volatile")} == {
        "driver": "kernel",
        "mtu": 1420,
        "handshakes": {},
        "volatile": ["tunnel fleet0: gone when the host reboots"],
    }
    assert result["public_key"] == wireguard.public_key("fleet0")
    device(host).peers[drawn("edge3")].handshake = int(time.time()) - 17
    assert host.module("tunnel", tunnel(peer(2), peer(3)))["handshakes"].keys() == {"edge3"}
    assert 17 <= host.module("tunnel", tunnel(peer(2), peer(3)))["handshakes"]["edge3"] < 47
    gone = host.module("tunnel", {"name": "fleet0", "state": "absent"})
    assert (gone["driver"], gone["public_key"], gone["mtu"], gone["handshakes"], gone["volatile"]) == (
        "",
        "",
        0,
        {},
        [],
    )


def test_which_wireguard_it_is(host: FakeHost) -> None:
    ways(host).in_kernel = False
    assert host.module("tunnel", tunnel())["driver"] == "wireguard-go"
    assert not host.module("tunnel", tunnel())["changed"]
    host.module("tunnel", {"name": "fleet0", "state": "absent"})
    assert not ways(host).units and not ways(host).devices


def test_the_mtu_is_derived_of_the_way_out(host: FakeHost) -> None:
    host.engine.kernel.host.replace(KernelRoute("0.0.0.0/0", "10.99.1.1", "eth0"))
    ways(host).mtu = 9001
    steps(host, tunnel())
    assert device(host).mtu == 8921
    ways(host).mtu = 1400
    (step,) = steps(host, tunnel())
    assert (step["before"], step["after"]) == ({"mtu": 8921}, {"mtu": 1320})


def test_a_garbled_record(host: FakeHost) -> None:
    steps(host, tunnel())
    for content in ('{"wanted": {}}', "[]", '{"wanted": null}', "{"):
        (host.records / "fleet0.json").write_text(content)
        with pytest.raises(HostError, match=r"fleet0\.json is not what the collection wrote; restore it, or move it"):
            host.module("tunnel", tunnel())


def test_records_are_roots(host: FakeHost) -> None:
    steps(host, tunnel())
    (record,) = host.records.iterdir()
    assert record.stat().st_mode & 0o777 == 0o600
    assert list(ours.Tunnels()) == ["fleet0"] and len(ours.Tunnels()) == 1
    assert ours.Tunnels().get("fleet1") is None


def test_a_host_whose_interfaces_cannot_be_read(host: FakeHost) -> None:
    steps(host, tunnel())
    with refusing(host, "link show"), pytest.raises(HostError, match="Operation not permitted"):
        host.module("tunnel", tunnel())


def test_an_ip_that_tells_something_else(host: FakeHost) -> None:
    host.engine.kernel.host.replace(KernelRoute("0.0.0.0/0", "10.99.1.1", "eth0"))
    with (
        patch.object(ways(host), "show", lambda name: json.dumps([{"ifname": name, "flags": []}])),
        pytest.raises(HostError, match="'ip route show default' told 'mtu'"),
    ):
        host.module("tunnel", tunnel())


def text(host: FakeHost) -> str:
    return host.engine.kernel.nft.tables["BWX-fleet0"].text


def test_one_changed_rule_is_seen(host: FakeHost) -> None:
    steps(host, tunnel())
    table = host.engine.kernel.nft.tables["BWX-fleet0"]
    whole = table.text
    for line in [each for each in whole.splitlines() if each.endswith((" drop", " accept")) or "snat" in each]:
        for changed in (whole.replace(f"{line}\n", ""), whole.replace(line, f"counter {line}")):
            host.engine.kernel.nft.tables["BWX-fleet0"].text = changed
            (step,) = steps(host, tunnel())
            assert (step["before"], step["after"].keys()) == ({}, {"fence"})
            assert text(host) == whole


def test_a_fence_that_is_gone_comes_back(host: FakeHost) -> None:
    steps(host, tunnel())
    before = picture(host)
    host.engine.kernel.nft.tables.clear()
    assert len(steps(host, tunnel())) == 1 and picture(host) == before


@pytest.mark.parametrize("table", ["raw", "filter"])
def test_what_docker_would_drop_is_accepted_again(host: FakeHost, table: str) -> None:
    steps(host, tunnel())
    before = picture(host)
    chains = host.engine.kernel.filters["iptables"][table].rules
    for chain in ("BWX-fleet0", "BREAKWATER"):
        for each in [*chains[chain]]:
            chains[chain].remove(each)
            assert len(steps(host, tunnel())) == 1 and picture(host) == before, f"{chain}: {each}"
            chains = host.engine.kernel.filters["iptables"][table].rules
    hook = chains["PREROUTING" if table == "raw" else "DOCKER-USER"]
    hook.insert(0, "-j DROP")
    assert len(steps(host, tunnel())) == 1
    assert host.engine.kernel.filters["iptables"][table].rules["BREAKWATER"] == ["-j BWX-fleet0"]


def test_two_tunnels_leave_each_other_alone(host: FakeHost) -> None:
    wireguard.keep_key("other0", "present", False)
    steps(host, tunnel())
    steps(host, tunnel(peer(3), name="other0", listen_port=51821))
    before = text(host)
    assert host.engine.kernel.filters["iptables"]["raw"].rules["BREAKWATER"] == ["-j BWX-fleet0", "-j BWX-other0"]
    steps(host, {"name": "other0", "state": "absent"})
    assert text(host) == before and not host.module("tunnel", tunnel())["changed"]


def test_the_words_of_a_fence() -> None:
    with fleet_host() as host:
        fence.apply("fleet0", Fence("fleet0", (HOME, "fd80:1::/64"), ("10.80.2.0/24", "fd80:2::/64"), (HOME,)))
        lines = text(host).splitlines()
        assert 'ip daddr @remote4 oifname != "fleet*" drop' in lines
        assert 'iifname "fleet0" ip6 saddr != @remote6 drop' in lines
        assert "ip saddr @local4 ip daddr @remote4 snat ip to ip saddr" in lines
        assert "set remote6 { type ipv6_addr; flags interval; elements = { fd80:2::/64 }; }" in lines
        filters = host.engine.kernel.filters
        assert filters["iptables"]["raw"].rules["BWX-fleet0"] == [f"-d {HOME} -i fleet0 -j ACCEPT"]
        assert "BWX-fleet0" not in filters["ip6tables"]["raw"].rules, "opened was the one subnet alone"
        assert filters["ip6tables"]["filter"].rules["BWX-fleet0"] == [
            "-d fd80:1::/64 -i fleet0 -j ACCEPT",
            "-s fd80:1::/64 -o fleet0 -j ACCEPT",
        ]
        fence.remove("fleet0")
        assert "BWX-fleet0" not in host.engine.kernel.nft.tables and fence.digest("fleet0") == ""


def test_a_way_without_an_interface_is_known_by_its_ends(host: FakeHost) -> None:
    steps(host, declared("direct"))
    assert host.engine.kernel.filters["iptables"]["filter"].rules["BWX-fleet0"] == [
        f"-s 10.80.2.0/24 -d {HOME} -j ACCEPT",
        f"-s {HOME} -d 10.80.2.0/24 -j ACCEPT",
    ]
    assert "ifname" not in text(host) and "chain input" not in text(host), "on a LAN the host's services are not ours"


def test_applying_twice_is_the_same(host: FakeHost) -> None:
    args = host.declared("tunnel", tunnel(peer(2), peer(3)))
    (step,) = planner.plan(args, Host(host.engine).observe()).steps
    for _twice in range(2):
        Host(host.engine).apply(step)
    once = picture(host)
    Host(host.engine).apply(step)
    assert picture(host) == once


def test_removing_what_is_not_there(host: FakeHost) -> None:
    before = picture(host)
    ours.remove("fleet0")
    assert picture(host) == before
