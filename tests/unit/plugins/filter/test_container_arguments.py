# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.breakwater.docker.plugins.filter.container_arguments import FilterModule, container_arguments

WEB = {"name": "web", "image": "example.com/web:1"}
ENTIRE = {
    "name": "front",
    "ipv4_address": "10.0.0.5",
    "ipv6_address": "fd00::5",
    "aliases": ["www"],
    "links": ["db:database"],
    "mac_address": "02:00:00:00:00:05",
    "link_local_ips": ["169.254.1.1"],
    "driver_opts": {"a": "b"},
    "gw_priority": 100,
}
TOPOLOGY_ALONE = {"networks": "ignore", "network_mode": "ignore"}


def test_the_filter_is_found_by_its_name() -> None:
    assert FilterModule().filters() == {"container_arguments": container_arguments}


def test_a_container_without_a_connection_is_started_as_it_is_declared() -> None:
    declared = {**WEB, "command": "serve", "published_ports": ["80:80"]}
    assert container_arguments([declared]) == [{"state": "started", **declared, "comparisons": TOPOLOGY_ALONE}]


def test_a_container_is_created_on_its_networks_with_what_docker_container_can_say_of_them() -> None:
    connections = [{"container": "/web", "networks": [ENTIRE, {"name": "back", "aliases": None}], "exclusive": True}]
    (arguments,) = container_arguments([WEB], connections)
    assert arguments["networks"] == [
        {
            "name": "front",
            "ipv4_address": "10.0.0.5",
            "ipv6_address": "fd00::5",
            "aliases": ["www"],
            "links": ["db:database"],
        },
        {"name": "back"},
    ]
    assert arguments["networks_cli_compatible"] is True
    assert arguments["comparisons"] == TOPOLOGY_ALONE


@pytest.mark.parametrize(
    ("connections", "why"),
    [
        ([{"container": "other", "networks": [{"name": "front"}]}], "of another container"),
        ([{"container": "web", "networks": [], "exclusive": True}], "lists none"),
        ([{"container": "web", "networks": [{"name": "front"}], "state": "absent"}], "is to be detached"),
        (["web"], "the module refuses it, and names the field"),
    ],
)
def test_a_connection_that_gives_no_network(connections: list[Any], why: str) -> None:
    (arguments,) = container_arguments([WEB], connections)
    assert "networks" not in arguments, why


@pytest.mark.parametrize(
    ("planned", "joined"),
    [
        ([], ["front", "back"]),
        ([{"resource": "network front", "verb": "create"}], ["back"]),
        (
            [{"resource": "network front", "verb": "remove"}, {"resource": "network front", "verb": "create"}],
            ["front", "back"],
        ),
        ([{"resource": "connection web to front", "verb": "connect"}], ["front", "back"]),
        (
            [{"resource": "network front", "verb": "create"}, {"resource": "network back", "verb": "create"}],
            None,
        ),
    ],
    ids=["done", "to be created", "to be remade", "no network", "both to be created"],
)
def test_in_check_mode_it_joins_the_networks_that_are_there(
    planned: list[dict[str, str]], joined: list[str] | None
) -> None:
    connections = [{"container": "web", "networks": [{"name": "front"}, {"name": "back"}]}]
    (arguments,) = container_arguments([WEB], connections, planned)
    assert [each["name"] for each in arguments["networks"]] == joined if joined else "networks" not in arguments


@pytest.mark.parametrize(
    ("declared", "comparisons"),
    [
        ({"comparisons": {"env": "strict"}}, {**TOPOLOGY_ALONE, "env": "strict"}),
        ({"comparisons": {"networks": "strict"}}, {**TOPOLOGY_ALONE, "networks": "strict"}),
        ({"network_mode": "host"}, {"networks": "ignore"}),
    ],
    ids=["one more", "another choice", "a network mode of its own"],
)
def test_what_is_said_of_the_comparisons_is_kept(declared: dict[str, Any], comparisons: dict[str, str]) -> None:
    (arguments,) = container_arguments([{**WEB, **declared}])
    assert arguments["comparisons"] == comparisons


def test_the_state_is_the_containers_own_or_that_of_all() -> None:
    containers = [WEB, {**WEB, "name": "job", "state": "stopped"}, {"name": "old", "state": "absent"}]
    assert [each["state"] for each in container_arguments(containers)] == ["started", "stopped", "absent"]
    assert [each["state"] for each in container_arguments(containers, state="absent")] == ["absent"] * 3


def test_a_container_that_goes_joins_nothing() -> None:
    connections = [{"container": "web", "networks": [{"name": "front"}]}]
    assert container_arguments([WEB], connections, state="absent") == [{**WEB, "state": "absent"}]


@pytest.mark.parametrize(
    ("containers", "message"),
    [
        ([WEB, "db"], "containers[1]: expected a dictionary, found 'db'"),
        ([{"image": "x"}], "containers[0].name: is required"),
        ([{"name": "db"}], "containers[0].image: is required; a container that somebody else starts is named in"),
        ([{**WEB, "networks": []}], "containers[0].networks: the networks of container 'web' are declared in"),
        ([WEB, WEB], "containers[1].name: container 'web' is declared already, as containers[0]"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(containers: list[Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        container_arguments(containers)
    assert message in str(refused.value)


def test_what_was_declared_is_left_as_it_was() -> None:
    declared = {**WEB, "comparisons": {"env": "strict"}}
    connections = [{"container": "web", "networks": [dict(ENTIRE)]}]
    container_arguments([declared], connections)
    assert declared == {**WEB, "comparisons": {"env": "strict"}}
    assert connections == [{"container": "web", "networks": [ENTIRE]}]
