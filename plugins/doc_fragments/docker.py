# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an engine is reached: the options that every module has."""

from __future__ import annotations


class ModuleDocFragment:
    """For modules that speak to an engine; the spec is ADDRESS_SPEC of module_utils/_model/engine.py."""

    DOCUMENTATION = r"""
attributes:
  action_group:
    description:
      - C(group/breakwater.docker.docker) in C(module_defaults) sets the connection options of all modules at once.
    support: full
    membership:
      - breakwater.docker.docker
      - docker
options:
  docker_host:
    description:
      - Where the engine listens, as a URL. V(unix:///var/run/docker.sock) is a socket on the managed host,
        V(tcp://192.0.2.23:2376) an engine elsewhere.
      - M(breakwater.docker.route), M(breakwater.docker.topology), M(breakwater.docker.topology_info) and
        M(breakwater.docker.probe) work inside containers, and so take a socket alone.
      - M(breakwater.docker.network) and M(breakwater.docker.connection) look into running containers for their routes
        and MAC addresses. Run them on the engine's own host, too, if such containers are concerned.
      - If the task does not set it, the environment variable E(DOCKER_HOST) is used.
    type: str
    default: unix:///var/run/docker.sock
    aliases:
      - docker_url
  tls_hostname:
    description:
      - The name that the engine's certificate must bear, if that is not the one in O(docker_host).
      - From 7.0 on, the docker SDK for Python no longer has this choice.
      - If the task does not set it, the environment variable E(DOCKER_TLS_HOSTNAME) is used.
    type: str
  api_version:
    description:
      - The version of the API to speak, V(auto) for the newest that the engine and the SDK share.
      - If the task does not set it, the environment variable E(DOCKER_API_VERSION) is used.
    type: str
    default: auto
    aliases:
      - docker_api_version
  timeout:
    description:
      - How long to wait for an answer of the engine, in seconds.
      - If the task does not set it, the environment variable E(DOCKER_TIMEOUT) is used.
    type: int
    default: 60
  ca_path:
    description:
      - The file with the certificate of the authority that signed the engine's, for O(validate_certs=true).
    type: path
    aliases:
      - ca_cert
      - cacert_path
      - tls_ca_cert
  client_cert:
    description:
      - The file with the certificate by which the engine knows its client. Goes with O(client_key).
    type: path
    aliases:
      - cert_path
      - tls_client_cert
  client_key:
    description:
      - The file with the key of O(client_cert).
    type: path
    aliases:
      - key_path
      - tls_client_key
  tls:
    description:
      - Speak TLS, without a check of who the engine is. O(validate_certs=true) checks it.
      - If the task does not set it, the environment variable E(DOCKER_TLS) is used.
    type: bool
    default: false
  validate_certs:
    description:
      - Speak TLS, and refuse an engine whose certificate does not hold.
      - If the task does not set it, the environment variable E(DOCKER_TLS_VERIFY) is used.
    type: bool
    default: false
    aliases:
      - tls_verify
requirements:
  - Docker Engine 20.10 or newer
  - docker SDK for Python 5.0 or newer (Debian's package python3-docker)
notes:
  - To set O(docker_host) and the other connection options once for all tasks, use C(module_defaults) with the group
    C(group/breakwater.docker.docker).
  - The environment variables are those of the module's process on the managed host. With C(become), C(sudo) drops them
    as a rule. The keyword C(environment) of a task sets them all the same.
"""
