# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters as they are declared: keys in any spelling, values in canonical form, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.sysctl import (
    SPEC,
    Parameter,
    Sysctls,
    file_of,
    name,
    numbers,
)


def read(**args: Any) -> Sysctls:
    """Parameters as a user writes them."""
    return Sysctls.read(spec.read(SPEC, args))


@pytest.mark.parametrize(
    ("text", "canonical", "file"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/7.rp_filter", "net.ipv4.conf.eth0/7.rp_filter", "net/ipv4/conf/eth0.7/rp_filter"),
        ("net/ipv4/conf/eth0.7/rp_filter", "net.ipv4.conf.eth0/7.rp_filter", "net/ipv4/conf/eth0.7/rp_filter"),
        ("vm.swappiness", "vm.swappiness", "vm/swappiness"),
    ],
)
def test_a_key_in_any_spelling(text: str, canonical: str, file: str) -> None:
    assert name(text) == canonical
    assert file_of(canonical) == file


@pytest.mark.parametrize(
    "text",
    [
        "",
        "swappiness",
        "vm.",
        ".vm.swappiness",
        "vm..swappiness",
        "vm/../kernel/hostname",
        "../../etc/passwd",
        "/vm/swappiness",
        "-vm.swappiness",
        "vm.swap piness",
        "vm.swappiness\n",
        "vm.*",
        "vm.swappiness=1",
        "vm.swap\u00efness",
        "net.ipv4.conf./.rp_filter",
        "net.ipv4.conf.//.rp_filter",
    ],
)
def test_no_key(text: str) -> None:
    with pytest.raises(DeclarationError, match="not a kernel parameter"):
        name(text, "here")


@pytest.mark.parametrize(
    ("value", "canonical"),
    [(1, "1"), ("1", "1"), (" 4096\t87380   6291456\n", "4096 87380 6291456"), ("", ""), (-1, "-1"), ("bbr", "bbr")],
)
def test_a_value(value: Any, canonical: str) -> None:
    assert read(values={"a.b": value}).settings[0].value == canonical


@pytest.mark.parametrize("value", [True, None, 1.5, [1, 2], {"a": 1}, "a\0b", "\x1b[0m"])
def test_no_value(value: Any) -> None:
    with pytest.raises(DeclarationError) as refusal:
        read(values={"a.b": value})
    assert refusal.value.field == "values.a.b"


def test_what_goes_needs_no_value() -> None:
    assert read(values={"a.b": None, "a.c": 7}, state="absent").settings[1].value is None


@pytest.mark.parametrize(
    ("args", "field", "says"),
    [
        ({}, "values", "lists no key"),
        ({"container": "web"}, "values", "lists no key"),
        ({"container": "", "values": {"a.b": 1}}, "container", "leave it out for the host"),
        ({"values": ["a.b"]}, "values", "expected a dictionary"),
        ({"values": {7: 1}}, "values.7", "'7' is not a kernel parameter"),
        ({"values": {"a.b": 1, "a/b": 2}}, "values.a/b", "a.b is given already, as values.a.b"),
        ({"values": {"net.ipv4.conf.IFNAME.rp_filter": 1}}, "values.net.ipv4.conf.IFNAME.rp_filter", "under networks"),
        (
            {"values": {"a.b": "bbr"}, "raise_only": True},
            "values.a.b",
            "raise_only compares numbers, and 'bbr' is none",
        ),
        ({"networks": {"front": {"a.b": 1}}}, "networks", "goes with a container alone"),
        ({"container": "web", "networks": {"front": 7}}, "networks.front", "expected a dictionary of keys"),
        ({"container": "web", "networks": {"front": {"a.b": 1}}}, "networks.front.a.b", "has no IFNAME"),
        (
            {"container": "web", "networks": {"front": {"net.ipv4.IFNAME.conf": 1}}},
            "networks.front.net.ipv4.IFNAME.conf",
            "has no IFNAME in the place of the interface",
        ),
        (
            {"container": "web", "values": {"net/ipv6/conf/eth0.7/mtu": 1}},
            "values.net/ipv6/conf/eth0.7/mtu",
            "by the network's name: net.ipv6.conf.IFNAME.mtu",
        ),
        (
            {"container": "web", "values": {"net.ipv4.neigh.eth1.retrans_time_ms": 1}},
            "values.net.ipv4.neigh.eth1.retrans_time_ms",
            "an engine names 'eth1' anew",
        ),
    ],
)
def test_refused(args: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(DeclarationError) as refusal:
        read(**args)
    assert refusal.value.field == field
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    "key", ["net.ipv4.conf.all.rp_filter", "net.ipv6.conf.default.mtu", "net.ipv4.conf.lo.arp_ignore"]
)
def test_what_every_namespace_has_is_no_endpoint(key: str) -> None:
    assert read(container="web", values={key: 1}).settings[0].key == Parameter(key)


def test_an_interface_of_the_host_may_be_named() -> None:
    assert read(values={"net.ipv4.conf.eth0.rp_filter": 1}).settings


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("net.core.somaxconn", "net"),
        ("kernel.shmmax", "ipc"),
        ("kernel.shm_rmid_forced", "ipc"),
        ("kernel.sem", "ipc"),
        ("kernel.msgmnb", "ipc"),
        ("fs.mqueue.msg_max", "ipc"),
        ("kernel.hostname", "uts"),
        ("kernel.domainname", "uts"),
        ("kernel.semaphore", None),
        ("kernel.hostname_x", None),
        ("fs.file-max", None),
        ("vm.swappiness", None),
    ],
)
def test_whose_it_is(key: str, kind: str | None) -> None:
    assert Parameter(key).namespace == kind


def test_what_changes_others_comes_first() -> None:
    keys = ["net.ipv4.conf.eth0.forwarding", "net.ipv4.conf.all.rp_filter", "net.ipv4.ip_forward"]
    assert sorted(keys, key=lambda each: Parameter(each).rank) == keys[::-1]


def test_numbers() -> None:
    assert numbers("4096 87380") == [4096, 87380]
    assert numbers("") is None
    assert numbers("1 x") is None


def test_names_for_a_person() -> None:
    found = read(container="web", networks={"front": {"net.ipv4.conf.IFNAME.rp_filter": 2}})
    assert str(found.settings[0].key) == "net.ipv4.conf.IFNAME.rp_filter on front"
    assert found.at("container") == "container"
