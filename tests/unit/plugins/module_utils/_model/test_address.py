# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""One spelling for each address, whatever a user, an engine or a kernel wrote."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._model import address
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases

SPELT = [
    ("an address", address.address, "10.0.0.7", "10.0.0.7"),
    ("IPv6 in full", address.address, "FD00:0:0::7", "fd00::7"),
    ("a subnet", address.prefix, "10.0.1.0/24", "10.0.1.0/24"),
    ("a subnet by its mask", address.prefix, "10.0.1.0/255.255.255.0", "10.0.1.0/24"),
    ("a subnet of IPv6", address.prefix, "FD00:0::/64", "fd00::/64"),
    ("one address as a subnet", address.prefix, "10.0.1.7/32", "10.0.1.7/32"),
    ("MAC in upper case", address.mac, "02:42:AC:11:00:02", "02:42:ac:11:00:02"),
    ("MAC with dashes", address.mac, "02-42-ac-11-00-02", "02:42:ac:11:00:02"),
]


@pytest.mark.parametrize(("read", "given_", "expected"), [each[1:] for each in SPELT], ids=[each[0] for each in SPELT])
def test_spelt_one_way(read: object, given_: str, expected: str) -> None:
    assert read(given_, "field") == expected  # type: ignore[operator]


WRONG = [
    ("no address", address.address, "10.0.0", "'10.0.0' is not an IP address"),
    ("address with a length", address.address, "10.0.0.1/24", "'10.0.0.1/24' is not an IP address"),
    ("no subnet", address.prefix, "ten/8", "'ten/8' is not a subnet in CIDR form, as in 10.0.1.0/24"),
    ("no length", address.prefix, "10.0.1.0", "'10.0.1.0' has no prefix length, as in 10.0.1.0/24"),
    ("host bits", address.prefix, "10.0.1.7/24", "'10.0.1.7/24' has host bits set; the subnet is 10.0.1.0/24"),
    ("MAC too short", address.mac, "02:42:ac:11:00", "not a MAC address"),
    ("MAC of Cisco", address.mac, "0242.ac11.0002", "not a MAC address"),
    ("MAC of everybody", address.mac, "ff:ff:ff:ff:ff:ff", "a multicast MAC address"),
]


@pytest.mark.parametrize(("read", "given_", "says"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_refused(read: object, given_: str, says: str) -> None:
    with pytest.raises(DeclarationError) as refusal:
        read(given_, "a.field")  # type: ignore[operator]
    assert str(refusal.value).startswith("a.field: ")
    assert says in str(refusal.value)
    assert refusal.value.result() == {"field": "a.field"}


@pytest.mark.parametrize(("version", "text"), [(4, "fd00::7"), (6, "10.0.0.7")])
def test_of_the_family_that_is_asked_for(version: int, text: str) -> None:
    with pytest.raises(DeclarationError, match=f"an IPv{version} one belongs"):
        address.address(text, "field", version)


OBSERVED = [
    ("nothing", None, None),
    ("an empty one", "", None),
    ("with a length", "10.0.0.7/24", "10.0.0.7"),
    ("of Docker 29", "fd00:0:0:0::7", "fd00::7"),
]


@pytest.mark.parametrize(("given_", "expected"), [each[1:] for each in OBSERVED], ids=[each[0] for each in OBSERVED])
def test_observed(given_: str | None, expected: str | None) -> None:
    assert address.observed(given_) == expected


def test_observed_prefix_takes_host_bits() -> None:
    assert address.observed_prefix("10.0.0.7/24") == "10.0.0.0/24"


FIRST = [
    ("a subnet", "10.0.0.0/24", "10.0.0.0/24", "10.0.0.1"),
    ("a range within", "10.0.0.128/25", "10.0.0.0/24", "10.0.0.128"),
    ("a range from the start", "10.0.0.0/25", "10.0.0.0/24", "10.0.0.1"),
    ("IPv6", "fd00::/64", "fd00::/64", "fd00::1"),
]


@pytest.mark.parametrize(
    ("range_", "subnet", "expected"), [each[1:] for each in FIRST], ids=[each[0] for each in FIRST]
)
def test_the_gateway_that_an_engine_takes(range_: str, subnet: str, expected: str) -> None:
    """As seen on 20.10, 26.1 and 28.5: the first of the range, but never the subnet's own address."""
    assert address.first(range_, subnet) == expected


EDGES = [
    ("a subnet", "10.0.0.0/24", {"10.0.0.0", "10.0.0.255"}),
    ("a pair", "10.0.0.0/31", set()),
    ("one address", "10.0.0.0/32", set()),
    ("IPv6", "fd00::/64", set()),
]


@pytest.mark.parametrize(("subnet", "expected"), [each[1:] for each in EDGES], ids=[each[0] for each in EDGES])
def test_edges(subnet: str, expected: set[str]) -> None:
    assert set(address.edges(subnet)) == expected


def prefixes() -> st.SearchStrategy[str]:
    """Subnets of both families, few enough to meet."""
    four = st.builds(
        lambda n, length: str(ip_network((n << 20, length), False)), st.integers(0, 64), st.integers(8, 32)
    )
    six = st.builds(
        lambda n, length: str(ip_network(((0xFD << 120) + (n << 60), length), False)),
        st.integers(0, 64),
        st.integers(40, 128),
    )
    return st.one_of(four, six)


@cases(100)
@given(prefixes(), prefixes())
def test_within_and_overlap_are_those_of_ipaddress(one: str, other: str) -> None:
    left, right = ip_network(one), ip_network(other)
    assert address.within(one, other) == (left.version == right.version and left.subnet_of(right))
    assert address.overlap(one, other) == left.overlaps(right)
    assert address.version_of(one) == left.version
    first = str(left.network_address)
    assert address.home(first, [other]) == (other if ip_address(first) in right else None)
