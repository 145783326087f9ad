# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that speaks to an engine: the docker SDK, and its raw calls for the fields that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from .._model.engine import Engine, EngineAddress, parse
from .._model.errors import HostError

try:
    import docker
    import docker.constants
    import docker.errors
    import docker.tls
    from requests.exceptions import RequestException
except ImportError:  # told when an engine is asked for: documentation and the planners need no SDK
    docker = None  # type: ignore[assignment]

_SDK, _ENGINE = (5, 0), (20, 10)
"""The oldest versions that the collection works with."""
_AT_ONCE = 8
"""Containers inspected side by side."""
_GREETING = 2.0
"""Seconds within which an engine that is there answers what costs it nothing."""
_EVENTS = ("start", "die", "destroy", "rename", "update", "connect", "disconnect", "create", "remove", "reload")
"""After which something that was declared may be true no longer."""

_POOLS = (
    *(f"172.{each}.0.0/16" for each in (17, 18, 19)),
    *(f"172.{each}.0.0/14" for each in (20, 24, 28)),
    "192.168.0.0/16",
)
"""What an engine draws networks from where its settings say nothing (libnetwork/ipamutils)."""


class EngineApi(Protocol):
    """What the collection asks of an engine; JSON in, JSON out, HostError where it refuses."""

    def facts(self) -> Engine: ...

    def networks(self) -> list[dict[str, Any]]: ...

    def containers(self) -> list[dict[str, Any]]: ...

    def inspect(self, ids: Iterable[str]) -> list[dict[str, Any]]: ...

    def create_network(self, body: Mapping[str, Any]) -> str: ...

    def remove_network(self, network_id: str) -> None: ...

    def connect(self, network: str, container_id: str, endpoint: Mapping[str, Any]) -> None: ...

    def disconnect(self, network: str, container_id: str) -> None: ...


class DockerEngine:
    """An engine behind its API."""

    def __init__(self, where: EngineAddress) -> None:
        if docker is None:
            raise HostError("the host has no docker SDK for Python; install its package python3-docker (5.0 or newer)")
        if parse(docker.__version__) < _SDK:
            raise HostError(
                f"the host's docker SDK for Python is {docker.__version__}; python3-docker must be 5.0 or newer"
            )
        try:
            self._api = _client(where)
            # What version='auto' does as well, but keeps to itself; and an engine takes 10 ms for its version.
            self._version: Mapping[str, Any] = self._api.version(api_version=False)
            if where.api_version == "auto":
                self._api._version = self._version["ApiVersion"]
        except (docker.errors.DockerException, RequestException, ValueError) as error:
            raise HostError(
                f"docker_host: no engine answers at {where.docker_host} ({_reason(error)});"
                " is it running, and may this user speak to it (become: true)?"
            ) from error

    def facts(self) -> Engine:
        version = self._version
        if parse(version["Version"]) < _ENGINE:
            raise HostError(f"the host's Docker Engine is {version['Version']}; it must be 20.10 or newer")
        return Engine(parse(version["Version"]), parse(version["ApiVersion"]), self._swarm, self._pools)

    def identity(self) -> dict[str, Any]:
        """What the engine is, and what becomes of its containers when it stops; JSON."""
        facts = self.facts()
        info = self._ask("ask for its state", self._api.info)
        return {
            "version": list(facts.version),
            "api": list(facts.api),
            "live_restore": bool(info.get("LiveRestoreEnabled")),
        }

    def greet(self) -> None:
        """HostError unless the engine answers at once.

        One that is stopping, or not there yet, lets requests wait: its socket is systemd's and stays.
        """
        api = self._api
        self._ask("answer", lambda: api._get(api._url("/_ping"), timeout=_GREETING))

    def events(self) -> Iterator[dict[str, Any]]:
        """What happens to containers, networks and the engine itself; HostError where it goes away."""
        filters = {"type": ["container", "network", "daemon"], "event": list(_EVENTS)}
        stream = self._ask("tell its events", lambda: self._api.events(filters=filters, decode=True))
        return self._told(stream)

    def _told(self, stream: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        try:
            yield from stream
        except (docker.errors.DockerException, RequestException, OSError, ValueError) as error:
            raise HostError(f"the engine tells no more events: {_reason(error)}") from error
        raise HostError("the engine tells no more events")

    def _pools(self) -> tuple[str, ...]:
        info = self._ask("ask for its address pools", self._api.info)
        return tuple(each["Base"] for each in info.get("DefaultAddressPools") or ()) or _POOLS

    def _swarm(self) -> bool:
        info = self._ask("ask for its state", self._api.info)
        return bool(info["Swarm"]["LocalNodeState"] == "active")

    def networks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("list the networks", self._api.networks)
        return found

    def containers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("list the containers", lambda: self._api.containers(all=True))
        return found

    def inspect(self, ids: Iterable[str]) -> list[dict[str, Any]]:
        """The containers of ``ids``; one that has gone meanwhile is left out."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [each for each in pool.map(self._inspect, ids) if each is not None]

    def _inspect(self, container_id: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.inspect_container(container_id)
        except docker.errors.NotFound:
            return None
        except (docker.errors.DockerException, RequestException) as error:
            raise HostError(f"the engine could not inspect container {container_id}: {error}") from error
        return found

    def create_network(self, body: Mapping[str, Any]) -> str:
        created = self._post(f"create network '{body['Name']}'", "/networks/create", body)
        return str(created["Id"])

    def remove_network(self, network_id: str) -> None:
        try:
            self._api.remove_network(network_id)
        except docker.errors.NotFound:
            return
        except (docker.errors.DockerException, RequestException) as error:
            raise HostError(f"the engine could not remove network {network_id}: {_complaint(error)}") from error

    def connect(self, network: str, container_id: str, endpoint: Mapping[str, Any]) -> None:
        self._post(
            f"connect container {container_id[:12]} to network '{network}'",
            f"/networks/{network}/connect",
            {"Container": container_id, "EndpointConfig": endpoint},
        )

    def disconnect(self, network: str, container_id: str) -> None:
        """Detach a container; that the container or its endpoint is gone already is fine."""
        try:
            self._api.disconnect_container_from_network(container_id, network, force=True)
        except docker.errors.NotFound:
            return
        except (docker.errors.DockerException, RequestException) as error:
            if "is not connected" in str(error):
                return
            raise HostError(
                f"the engine could not disconnect container {container_id[:12]} from '{network}': {_complaint(error)}"
            ) from error

    def _post(self, what: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        # The SDK has no gw_priority (docker-py#3334), enable_ipv4, config_only or config_from.
        api = self._api

        def call() -> Any:
            response = api._post_json(api._url(path), data=dict(body))
            api._raise_for_status(response)
            return response.json() if response.content else {}

        result: dict[str, Any] = self._ask(what, call)
        return result

    def _ask(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (docker.errors.DockerException, RequestException) as error:
            raise HostError(f"the engine could not {what}: {_complaint(error)}") from error


def _reason(error: BaseException) -> str:
    """What the system said, from below the layers of clients that passed it on."""
    layers, innermost = [error], error
    while layers:
        layer = layers.pop()
        if isinstance(layer, OSError) and layer.strerror:
            innermost = layer
        inner = [layer.__cause__, layer.__context__, getattr(layer, "reason", None), *layer.args]
        layers += [each for each in inner if isinstance(each, BaseException) and each is not layer]
    return str(getattr(innermost, "strerror", None) or innermost)


def _complaint(error: Exception) -> str:
    """What the engine itself said, without the request around it."""
    explanation = getattr(error, "explanation", None)
    return " ".join(str(explanation or error).split())


def _client(where: EngineAddress) -> Any:
    """The SDK's client of an engine that has not been asked anything yet."""
    automatic = where.api_version == "auto"
    return docker.APIClient(
        base_url=where.docker_host,
        version=docker.constants.DEFAULT_DOCKER_API_VERSION if automatic else where.api_version,
        timeout=where.timeout,
        tls=_tls(where),
    )


def _tls(where: EngineAddress) -> Any:
    if not (where.tls or where.validate_certs):
        return False
    if where.tls_hostname and parse(docker.__version__) >= (7, 0):
        raise HostError(f"tls_hostname: the host's docker SDK {docker.__version__} has no such option from 7.0 on")
    return docker.tls.TLSConfig(
        client_cert=(where.client_cert, where.client_key) if where.client_cert and where.client_key else None,
        ca_cert=where.ca_path,
        verify=where.validate_certs,
        **({"assert_hostname": where.tls_hostname} if where.tls_hostname else {}),
    )
