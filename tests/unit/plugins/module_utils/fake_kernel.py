# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel in memory: namespaces as netlink tells them and ``ip`` changes them, and the packet filter of iptables.

It stands in for ``subprocess.run`` and for ``netlink.read``, so all of ``_host`` above these is the real code.
Complaints are those of iproute2 6.1 to 6.16 and iptables 1.8 on the lab's hosts.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_interface
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._host import netlink
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_ipset import Ipset, IpsetError
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_nft import Nft, NftError
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_tunnel import WayError, Ways

TYPES = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}
KERNEL, BOOT = 2, 3
MAIN = "254"
SYSCTLS = {
    "net/core/rmem_max": "212992",
    "net/core/somaxconn": "4096",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/default/accept_local": "0",
    "net/ipv4/ip_forward": "0",
    "net/ipv4/tcp_congestion_control": "cubic",
    "net/ipv4/tcp_rmem": "4096\t131072\t6291456",
    "net/ipv4/tcp_syn_retries": "6",
    "kernel/shmmax": "18446744073692774399",
    "kernel/domainname": "(none)",
}
"""What a namespace has for itself."""
OF_MACHINE = {
    "kernel/osrelease": "6.12.0",
    "net/bridge/bridge-nf-call-ip6tables": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
    "net/ipv4/route/flush": "",
    "vm/swappiness": "60",
}


class ToolError(Exception):
    """A tool's complaint on its standard error."""


@dataclass(frozen=True)
class KernelRoute:
    """One line of ``ip route``."""

    destination: str
    gateway: str | None = None
    dev: str | None = None
    table: str = MAIN
    metric: int = 0
    type: str = "unicast"
    protocol: int = BOOT
    onlink: bool = False

    @property
    def version(self) -> int:
        return 6 if ":" in self.destination else 4

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.destination, self.table, self.metric)

    def seen(self) -> netlink.Route:
        """The route as netlink tells it."""
        dev = self.dev or ("lo" if self.version == 6 and self.type != "unicast" else None)
        numbers = (self.metric, int(self.table), self.onlink, TYPES[self.type], self.protocol)
        return netlink.Route(self.destination, self.gateway, dev, *numbers)


@dataclass
class Link:
    """An interface; ``addresses`` with their prefix length."""

    name: str
    mac: str
    addresses: list[str] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=lambda: {"rp_filter": "0", "accept_local": "0"})
    """Below ``net/ipv4/conf``."""
    kind: str = ""
    """Of one that leads to other hosts."""

    def seen(self) -> netlink.Link:
        """The link as netlink tells it."""
        held = [ip_interface(each) for each in self.addresses]
        return netlink.Link(
            self.name, self.mac, tuple(netlink.Held(str(each.ip), each.network.prefixlen, 0) for each in held)
        )

    def reaches(self, gateway: str) -> bool:
        return any(ip_address(gateway) in ip_interface(each).network for each in self.addresses)


@dataclass
class Namespace:
    """The links, the routes and the kernel parameters of one network namespace."""

    links: list[Link] = field(default_factory=lambda: [Link("lo", "00:00:00:00:00:00", ["127.0.0.1/8", "::1/128"])])
    routes: list[KernelRoute] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=lambda: dict(SYSCTLS))
    """By path, without those of an interface."""

    def plug(self, mac: str, addresses: Iterable[str]) -> str:
        """Add an interface with its addresses and the kernel's own routes; its name."""
        taken = {each.name for each in self.links}
        name = next(f"eth{n}" for n in range(100) if f"eth{n}" not in taken)
        link = Link(name, mac, [each for each in addresses if each])
        self.links.append(link)
        for each in link.addresses:
            one = ip_interface(each)
            metric = 256 if one.version == 6 else 0
            self.routes.append(KernelRoute(str(one.network), None, name, metric=metric, protocol=KERNEL))
        return name

    def unplug(self, name: str) -> None:
        """Remove an interface, and what the kernel drops with it."""
        self.links = [each for each in self.links if each.name != name]
        self.routes = [each for each in self.routes if each.dev != name]

    def has(self, name: str) -> bool:
        return any(each.name == name for each in self.links)

    def link(self, name: str) -> Link:
        found = next((each for each in self.links if each.name == name), None)
        if found is None:
            raise ToolError(f'Cannot find device "{name}"')
        return found

    def run(self, line: str) -> None:
        """One line of a batch."""
        words = line.split()
        if words[:2] == ["link", "set"] and words[2] == "dev" and words[4] == "address":
            self.link(words[3]).mac = words[5]
        elif words[:2] in (["route", "replace"], ["route", "delete"]):
            getattr(self, words[1])(_route(words[2:]))
        else:
            raise ToolError(f'Command "{line}" is unknown, try "ip help".')

    def replace(self, wanted: KernelRoute) -> None:
        if wanted.type == "unicast" and wanted.dev is None:
            raise ToolError("RTNETLINK answers: No such device")
        if wanted.dev is not None:
            link = self.link(wanted.dev)
            own = {str(ip_interface(each).ip) for one in self.links for each in one.addresses}
            if wanted.gateway and (wanted.gateway in own or not (wanted.onlink or link.reaches(wanted.gateway))):
                raise ToolError("Error: Nexthop has invalid gateway.")
        places = [n for n, each in enumerate(self.routes) if each.key == wanted.key]
        if places:
            self.routes[places[0]] = wanted
        else:
            self.routes.append(wanted)

    def delete(self, wanted: KernelRoute) -> None:
        for each in self.routes:
            same = each.key == wanted.key and each.type == wanted.type
            if same and wanted.gateway in (None, each.gateway) and wanted.dev in (None, each.dev):
                self.routes.remove(each)
                return
        raise ToolError("RTNETLINK answers: No such process")


def _route(words: list[str]) -> KernelRoute:
    kind = words.pop(0) if words[0] in TYPES else "unicast"
    destination = words.pop(0)
    onlink = "onlink" in words
    named = dict(zip(words[::2], words[1::2]))
    unknown = set(named) - {"metric", "table", "via", "dev", "onlink"}
    if unknown:
        raise ToolError(f'Error: either "to" is duplicate, or "{min(unknown)}" is a garbage.')
    return KernelRoute(
        destination,
        named.get("via"),
        named.get("dev"),
        named.get("table", MAIN),
        int(named.get("metric", 0)),
        kind,
        BOOT,
        onlink,
    )


@dataclass
class Chains:
    """One table of one of the iptables, in the words of iptables-save."""

    built_in: tuple[str, ...]
    rules: dict[str, list[str]]

    def save(self, table: str) -> str:
        heads = [f":{each} {'ACCEPT' if each in self.built_in else '-'} [0:0]" for each in self.rules]
        lines = [f"-A {chain} {_printed(each)}" for chain, rules in self.rules.items() for each in rules]
        return "\n".join(["# Generated by iptables-save", f"*{table}", *heads, *lines, "COMMIT", ""])

    def restored(self, lines: Iterable[str], sets: Container[str]) -> Chains:
        """What a restore with --noflush makes of it; ToolError leaves all as it was."""
        rules = {chain: list(each) for chain, each in self.rules.items()}
        for number, line in enumerate(lines, 2):
            refused = f"iptables-restore v1.8.11 (nf_tables): {{}} Error occurred at line: {number}"
            for name in re.findall(r"--match-set (\S+)", line):
                if name not in sets:
                    raise ToolError(refused.format(f"Set {name} doesn't exist."))
            if "-m nosuch" in line:
                raise ToolError(refused.format("Couldn't load match `nosuch':No such file or directory"))
            if "--uid-owner" in line:
                raise ToolError(
                    f"iptables-restore v1.8.11 (nf_tables): line {number}: RULE_APPEND failed (Invalid argument)"
                )
            if line.startswith(":"):
                rules[line[1:].split()[0]] = []
                continue
            verb, chain, rest = (*line.split(" ", 2), "")[:3]
            if verb == "-X":
                referred = any(re.search(rf"-j {re.escape(chain)}$", one) for each in rules.values() for one in each)
                if chain not in rules or rules[chain] or referred:
                    raise ToolError(f"iptables-restore: line failed: {line}")
                del rules[chain]
                continue
            target = re.search(r"-j (\S+)(?: --(?:log-prefix|reject-with) .*)?$", rest)
            known = {*rules, "ACCEPT", "DROP", "RETURN", "LOG", "REJECT"}
            if chain not in rules or target is None or target[1] not in known:
                raise ToolError(f"iptables-restore: line failed: {line}")
            if verb == "-A":
                rules[chain].append(rest)
            elif verb == "-I":
                rules[chain].insert(0, rest.split(" ", 1)[1])
            elif verb == "-D" and rest in map(_printed, rules[chain]):
                rules[chain].pop([*map(_printed, rules[chain])].index(rest))
            else:
                raise ToolError(f"iptables-restore: line failed: {line}")
        return replace(self, rules=rules)


def _printed(rule: str) -> str:
    """A rule as iptables-save prints it: a mark is a number in hexadecimal digits."""
    return re.sub(r"--mark (\d+)(?= )", lambda found: f"--mark {int(found[1]):#x}", rule)


def _raw() -> Chains:
    built_in = ("PREROUTING", "OUTPUT")
    return Chains(built_in, {each: [] for each in built_in})


def _filter(docker: bool) -> Chains:
    built_in = ("INPUT", "FORWARD", "OUTPUT")
    rules: dict[str, list[str]] = {each: [] for each in built_in}
    if docker:
        rules = {**rules, "FORWARD": ["-j DOCKER-USER"], "DOCKER-USER": []}
    return Chains(built_in, rules)


class FakeKernel:
    """All namespaces of a host by the pid that lives in them, the host's own, and its packet filter."""

    def __init__(self, ip6tables: bool = True) -> None:
        self.namespaces: dict[int, Namespace] = {}
        self.host = Namespace(sysctls={**SYSCTLS, **OF_MACHINE})
        self.host.plug("02:00:00:00:99:01", ["10.99.1.11/24", "fd99:1::11/64"])
        self.filters = {
            "iptables": {"raw": _raw(), "filter": _filter(docker=True)},
            "ip6tables": {"raw": _raw(), "filter": _filter(docker=ip6tables)},
        }
        self.nft = Nft()
        self.ipset = Ipset()
        self.ways = Ways()

    def read(self, netns: str | None) -> tuple[tuple[netlink.Link, ...], tuple[netlink.Route, ...]]:
        """Stand in for netlink.read."""
        space = self.host if netns is None else self.namespaces.get(int(netns.split("/")[2]))
        if space is None:
            raise FileNotFoundError(2, "No such file or directory", netns)
        return tuple(each.seen() for each in space.links), tuple(each.seen() for each in space.routes)

    def run(self, argv: Sequence[str], given: str = "", **_options: Any) -> subprocess.CompletedProcess[str]:
        """Stand in for subprocess.run."""
        given = _options.get("input", given)
        self.ways.told.append((list(argv), given))
        try:
            printed = self._run(list(argv), given)
        except ToolError as error:
            return subprocess.CompletedProcess(argv, 2, "", f"{error}\n")
        return subprocess.CompletedProcess(argv, 0, printed, "")

    def _run(self, argv: list[str], given: str) -> str:
        if argv[0] == "nsenter":
            found = re.fullmatch(r"--net=/proc/(\d+)/ns/net", argv[1])
            space = self.namespaces.get(int(found[1])) if found else None
            if space is None:
                raise ToolError(f"nsenter: cannot open {argv[1][6:]}: No such file or directory")
            argv = argv[2:]
        else:
            space = self.host
        if argv[0] == "ip" and "-batch" in argv:
            for line in given.splitlines():
                space.run(line)
            return ""
        if argv[0] in ("ip", "bridge", "wg", "systemd-run", "systemctl"):
            try:
                return self._way(argv[0], argv[1:], given)
            except WayError as error:
                raise ToolError(str(error)) from error
        if argv[0] == "nft":
            try:
                return self.nft.run(argv, given)
            except NftError as error:
                raise ToolError(str(error)) from error
        if argv[0] == "ipset":
            try:
                return self.ipset.run(argv, given)
            except IpsetError as error:
                raise ToolError(str(error)) from error
        tool, _separator, verb = argv[0].partition("-")
        if tool in self.filters and argv[1:] == ["-V"]:
            return f"{tool} v1.8.11 (nf_tables)\n"
        if tool in self.filters and verb == "save":
            return "".join(chains.save(table) for table, chains in self.filters[tool].items())
        if tool in self.filters and verb == "restore" and "--noflush" in argv:
            lines = given.splitlines()
            table = lines[0][1:]
            if lines[-1] != "COMMIT":
                raise ToolError("iptables-restore: COMMIT expected")
            restored = self.filters[tool][table].restored(lines[1:-1], self.ipset.kinds)
            if "--test" not in argv:
                self.filters[tool][table] = restored
            return ""
        raise FileNotFoundError(argv[0])

    def _way(self, tool: str, words: list[str], given: str) -> str:
        """What has to do with ways to other hosts, in the host's own namespace."""
        ways, space = self.ways, self.host
        if tool == "wg":
            return ways.wg(words, given)
        if tool == "systemctl":
            found = ways.systemctl(words)
            for each in [each.name for each in space.links if each.kind and each.name not in ways.devices]:
                space.unplug(each)
            return found
        if tool == "systemd-run":
            ways.start(words)
            space.links += [
                Link(each, "", [], {"rp_filter": "1"}, "tun") for each in ways.devices if not space.has(each)
            ]
            return ""
        words = [each for each in words if each not in ("-json", "-details", "-4", "-6", "inet6")]
        if tool == "bridge":
            return ways.bridge(words)
        if words[:2] == ["route", "show"]:
            defaults = [each for each in space.routes if each.destination == "0.0.0.0/0"]
            return json.dumps([{"dst": "default", "gateway": each.gateway, "dev": each.dev} for each in defaults])
        if words[0] == "route":
            wanted = _route(words[2:])
            if wanted.version == 6 and wanted.gateway and ":" not in wanted.gateway:
                raise ToolError(f'Error: inet6 address is expected rather than "{wanted.gateway}".')
            dev = wanted.dev or next((each.name for each in space.links if each.reaches(wanted.gateway or "::")), None)
            metric = 1024 if wanted.version == 6 else 0
            getattr(space, words[1])(replace(wanted, dev=dev, metric=metric))
            return ""
        if words[0] == "neighbour":
            return ways.neighbour(words[1:])
        name = words[words.index("dev") + 1]
        if words[1] == "add":
            ways.add(name, words[4:])
            space.links.append(Link(name, "", [], {"rp_filter": "1"}, ways.devices[name].kind))
            return ""
        if not space.has(name):
            raise ToolError(f'Device "{name}" does not exist.')
        if words[1] == "show":
            return ways.show(name)
        if words[1] == "set":
            ways.devices[name].mtu, ways.devices[name].is_up = int(words[words.index("mtu") + 1]), True
        else:
            del ways.devices[name]
            space.unplug(name)
        return ""
