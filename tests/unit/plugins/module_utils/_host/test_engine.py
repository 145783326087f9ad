# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that speaks to an engine: what it asks, and what becomes of a refusal."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import docker
import docker.errors
import pytest
import requests

from ansible_collections.breakwater.docker.plugins.module_utils._host import engine
from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import ADDRESS_SPEC, EngineAddress
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError


class Response:
    """What requests returns."""

    def __init__(self, status: int, told: Any = None) -> None:
        self.status, self.told = status, told
        self.content = b"" if told is None else b"{}"

    def json(self) -> Any:
        return self.told


class Client:
    """Stands in for docker.APIClient, whose answers are those of ``answers`` by the name of the call."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = {"version": {"Version": "26.1.5+dfsg1", "ApiVersion": "1.45"}, **answers}
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            self.asked.append((name, *args, *options.values()))
            answer = self.answers.get(name)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call

    def _url(self, path: str) -> str:
        return path

    def _raise_for_status(self, response: Response) -> None:
        if response.status >= 400:
            raise docker.errors.APIError("Forbidden", explanation=response.told)


def address(**options: Any) -> EngineAddress:
    """Where an engine is, as a user writes it."""
    return EngineAddress.read(spec.read(ADDRESS_SPEC, options))


def reached(client: Client, **options: Any) -> engine.DockerEngine:
    """An engine that answers by ``client``."""
    with patch.object(docker, "APIClient", lambda **_options: client):
        return engine.DockerEngine(address(**options))


def test_facts() -> None:
    client = Client({"info": {"Swarm": {"LocalNodeState": "active"}}})
    facts = reached(client).facts()
    assert (facts.version, facts.api) == ((26, 1), (1, 45))
    assert "info" not in [each[0] for each in client.asked]
    assert facts.swarm()


GIVEN = docker.errors.APIError("403 Forbidden", explanation="Address already\n in use")
REFUSED: list[tuple[str, str, Any, str]] = [
    ("networks", "networks", docker.errors.DockerException("no"), "the engine could not list the networks: no"),
    ("containers", "containers", requests.ConnectionError("gone"), "the engine could not list the containers: gone"),
    ("state", "info", docker.errors.DockerException("no"), "the engine could not ask for its state: no"),
]


@pytest.mark.parametrize(("what", "call", "error", "says"), REFUSED, ids=[each[0] for each in REFUSED])
def test_a_question_that_is_refused(what: str, call: str, error: Exception, says: str) -> None:
    asked = reached(Client({call: error}))
    with pytest.raises(HostError) as refusal:
        asked.facts().swarm() if what == "state" else getattr(asked, what)()
    assert str(refusal.value) == says


def test_create() -> None:
    client = Client({"_post_json": Response(201, {"Id": "abc"})})
    assert reached(client).create_network({"Name": "front"}) == "abc"
    assert client.asked[-1] == ("_post_json", "/networks/create", {"Name": "front"})


def test_connect() -> None:
    client = Client({"_post_json": Response(200)})
    reached(client).connect("front", "c" * 64, {"Aliases": ["a"]})
    asked = {"Container": "c" * 64, "EndpointConfig": {"Aliases": ["a"]}}
    assert client.asked[-1] == ("_post_json", "/networks/front/connect", asked)


def test_a_refusal_is_told_in_the_engines_own_words() -> None:
    told = reached(Client({"_post_json": Response(403, "Address already\n in use")}))
    with pytest.raises(HostError) as refusal:
        told.connect("front", "c" * 64, {})
    assert str(refusal.value) == (
        "the engine could not connect container cccccccccccc to network 'front': Address already in use"
    )
    with pytest.raises(HostError, match="the engine could not create network 'front': Address already in use"):
        told.create_network({"Name": "front"})


GONE: list[tuple[str, Any]] = [
    ("the network is gone", docker.errors.NotFound("network front not found")),
    ("the container is not on it", docker.errors.APIError("container c is not connected to network front")),
]


@pytest.mark.parametrize("error", [each[1] for each in GONE], ids=[each[0] for each in GONE])
def test_who_is_off_already_is_off(error: Exception) -> None:
    client = Client({"disconnect_container_from_network": error})
    reached(client).disconnect("front", "c" * 64)
    assert client.asked[-1] == ("disconnect_container_from_network", "c" * 64, "front", True)


def test_a_detachment_that_is_refused() -> None:
    with pytest.raises(HostError, match="could not disconnect container cccccccccccc from 'front': Address already in"):
        reached(Client({"disconnect_container_from_network": GIVEN})).disconnect("front", "c" * 64)


def test_a_network_that_is_gone_already_is_gone() -> None:
    reached(Client({"remove_network": docker.errors.NotFound("network front not found")})).remove_network("f")
    with pytest.raises(HostError, match="the engine could not remove network f: Address already in use"):
        reached(Client({"remove_network": GIVEN})).remove_network("f")


def test_inspect_leaves_out_who_is_gone() -> None:
    assert reached(Client({"inspect_container": {"Id": "c"}})).inspect(["c"]) == [{"Id": "c"}]
    assert reached(Client({"inspect_container": docker.errors.NotFound("no")})).inspect(["c"]) == []
    with pytest.raises(HostError, match="the engine could not inspect container c"):
        reached(Client({"inspect_container": docker.errors.DockerException("no")})).inspect(["c"])


def test_no_engine() -> None:
    with pytest.raises(HostError) as refusal:
        reached(Client({"version": docker.errors.DockerException("refused")}), docker_host="unix:///run/nowhere.sock")
    assert str(refusal.value).startswith("docker_host: no engine answers at unix:///run/nowhere.sock (refused)")


def test_what_the_system_said_is_found_below_the_clients() -> None:
    below = requests.ConnectionError("aborted", FileNotFoundError(2, "No such file or directory"))
    error = docker.errors.DockerException(f"Error while fetching server API version: {below}")
    error.__cause__ = below
    with pytest.raises(
        HostError, match=r"no engine answers at unix:///run/nowhere\.sock \(No such file or directory\)"
    ):
        reached(Client({"version": error}), docker_host="unix:///run/nowhere.sock")


def test_an_engine_that_is_too_old() -> None:
    told = reached(Client({"version": {"Version": "19.03.15", "ApiVersion": "1.40"}}))
    with pytest.raises(HostError, match=r"the host's Docker Engine is 19\.03\.15; it must be 20\.10 or newer"):
        told.facts()


def test_no_sdk() -> None:
    with patch.object(engine, "docker", None), pytest.raises(HostError, match="install its package python3-docker"):
        engine.DockerEngine(address())


def test_an_sdk_that_is_too_old() -> None:
    with (
        patch.object(docker, "__version__", "4.1.0"),
        pytest.raises(HostError, match="is 4\\.1\\.0; python3-docker must"),
    ):
        engine.DockerEngine(address())
