# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: where it is, what version it has, and which version an option needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import DeclarationError

Version = tuple[int, int]

ADDRESS_SPEC: dict[str, dict[str, Any]] = {
    "docker_host": {
        "type": "str",
        "default": "unix:///var/run/docker.sock",
        "aliases": ["docker_url"],
    },
    "tls_hostname": {"type": "str"},
    "api_version": {"type": "str", "default": "auto", "aliases": ["docker_api_version"]},
    "timeout": {"type": "int", "default": 60},
    "ca_path": {"type": "path", "aliases": ["ca_cert", "cacert_path", "tls_ca_cert"]},
    "client_cert": {"type": "path", "aliases": ["cert_path", "tls_client_cert"]},
    "client_key": {"type": "path", "aliases": ["key_path", "tls_client_key"]},
    "tls": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": False, "aliases": ["tls_verify"]},
}
ENVIRONMENT = {
    "docker_host": "DOCKER_HOST",
    "tls_hostname": "DOCKER_TLS_HOSTNAME",
    "api_version": "DOCKER_API_VERSION",
    "timeout": "DOCKER_TIMEOUT",
    "tls": "DOCKER_TLS",
    "validate_certs": "DOCKER_TLS_VERIFY",
}
"""The variable that gives an option its value where the task gives none, as for the docker command."""


@dataclass(frozen=True)
class EngineAddress:
    """How an engine is reached; ``timeout`` in seconds."""

    docker_host: str = "unix:///var/run/docker.sock"
    tls_hostname: str | None = None
    api_version: str = "auto"
    timeout: int = 60
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    tls: bool = False
    validate_certs: bool = False

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> EngineAddress:
        """The address that ``args``, which ADDRESS_SPEC has accepted, give."""
        found = cls(**{key: args[key] for key in ADDRESS_SPEC})
        if bool(found.client_cert) != bool(found.client_key):
            given, missing = ("client_cert", "client_key") if found.client_cert else ("client_key", "client_cert")
            raise DeclarationError(missing, f"is required where {given} is given")
        return found

    @property
    def is_local(self) -> bool:
        """Whether the engine's containers live on the host that the module runs on."""
        return self.docker_host.startswith(("unix://", "http+unix://", "/"))


@dataclass(frozen=True)
class Engine:
    """What an engine says of itself."""

    version: Version
    api: Version
    swarm: Callable[[], bool] = field(default=lambda: False, compare=False)
    """Whether it is in a swarm: asked when it matters, for that takes as long as all else that engines are asked."""
    pools: Callable[[], tuple[str, ...]] = field(default=tuple, compare=False)
    """The subnets that it draws networks from where none is declared."""

    @property
    def connects_with_mac(self) -> bool:
        """Whether a MAC address given to a connect is heeded; engines before 29.3 draw their own."""
        return self.version >= (29, 3)

    def derived_mac(self, ipv4: str | None) -> str | None:
        """The MAC address that an engine before 28.0 makes of an endpoint's IPv4 address (moby#48808)."""
        if ipv4 is None or self.version >= (28, 0):
            return None
        return ":".join(["02", "42", *(f"{int(each):02x}" for each in ipv4.split("."))])


@dataclass(frozen=True)
class Gate:
    """An option that only newer engines have."""

    option: str
    engine: Version

    def check(self, engine: Engine, path: str) -> None:
        """DeclarationError where ``engine`` is too old: older ones would ignore the option in silence."""
        if engine.version < self.engine:
            raise DeclarationError(
                path,
                f"{self.option} needs Docker Engine {_dotted(self.engine)}, found {_dotted(engine.version)}",
            )


def _dotted(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def parse(text: str) -> Version:
    """The first two numbers of a version: ``20.10.24+dfsg1`` is (20, 10)."""
    major, _dot, rest = text.partition(".")
    minor = rest.partition(".")[0].partition("+")[0].partition("-")[0]
    return int(major), int(minor) if minor.isdigit() else 0
