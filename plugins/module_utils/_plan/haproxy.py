# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HAProxy configuration of two environments behind one balancer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .._model.blue_green import CONFIGURATION, SOCKETS, Balancer, Environment

STATE = "server-state"
"""The file of weights that HAProxy reads when it starts, beside the configuration."""
_MARK = "@fingerprint@"

# A user's request passes two proxies: `live` chooses the environment by weight, the proxy of an environment one of its
# containers. So each environment has one weight, its own counters, and an entrance of its own for the health gate.
_HEAD = """\
# Written by breakwater.docker.blue_green for '{name}': what is changed here by hand goes with the next run.
global
    description {mark}
    log stdout format raw local0 notice
    # No user of the image is relied upon. The master process stays root, for reloads.
    uid 65534
    gid 65534
    server-state-file {configuration}/{state}
    stats socket {sockets}/stats.sock mode 600 level admin expose-fd listeners
    # Until then, connections that a reload has left to the former process go on.
    hard-stop-after 1h

defaults
    mode http
    log global
    # A reload closes a kept connection with its next answer, not under a request that is on its way.
    option idle-close-on-response
    timeout connect 3s
    timeout client {timeout}s
    timeout server {timeout}s
    timeout tunnel 1h
    timeout http-request 10s

# Docker's own: a container that was recreated is found at its new address.
resolvers docker
    nameserver docker 127.0.0.11:53
    timeout resolve 1s
    timeout retry 1s
    hold valid 1s
    hold nx 3s
    hold obsolete 3s

frontend users
    bind *:{port}
    option forwardfor
    timeout http-keep-alive 30s
    # Only while both have users there is another side to ask, and only what may be asked twice is.
    http-request disable-l7-retry if {{ srv_uweight(live/{first}) 0 }} || {{ srv_uweight(live/{second}) 0 }}
    http-request disable-l7-retry if !{{ method GET HEAD OPTIONS }}
    default_backend live

backend live
    balance roundrobin
    load-server-state-from-file global
    retries 1
    option redispatch 1
    retry-on conn-failure empty-response 500 502 503 504
    # Longer than an environment's own, which tells what was amiss.
    timeout server {longer}s
"""

_ENVIRONMENT = """
frontend {name}
    bind unix@{sockets}/{name}.sock uid 65534 mode 600
    timeout http-keep-alive {longer}s
    timeout client {longer}s
    default_backend {name}

frontend {name}-gate
    bind unix@{sockets}/{name}-gate.sock mode 600
    default_backend {name}

backend {name}
    balance roundrobin
    option httpchk
    http-check send meth GET uri {health_path} ver HTTP/1.1 hdr Host localhost
    http-check expect status 200-399
    option redispatch 1
    default-server check inter 1s fall 3 rise 2 resolvers docker init-addr libc,none
"""


def fingerprint(balancer: Balancer) -> str:
    """What tells one configuration from another, whatever the weights are."""
    return hashlib.sha256(_text(balancer, {}).encode()).hexdigest()[:16]


def configuration(balancer: Balancer, shares: Mapping[str, int]) -> str:
    """The whole configuration, in which each environment has its percentage of the users."""
    return _text(balancer, shares).replace(_MARK, fingerprint(balancer))


def _text(balancer: Balancer, shares: Mapping[str, int]) -> str:
    first, second = balancer.names
    head = _HEAD.format(
        name=balancer.name,
        mark=_MARK,
        configuration=CONFIGURATION,
        state=STATE,
        sockets=SOCKETS,
        port=balancer.port,
        timeout=balancer.request_timeout,
        longer=balancer.request_timeout + 5,
        first=first,
        second=second,
    )
    weighted = [
        f"    server {each} unix@{SOCKETS}/{each}.sock weight {shares.get(each, 0)}\n" for each in balancer.names
    ]
    return "".join([head, *weighted, *(_environment(balancer, each) for each in balancer.environments)])


def _environment(balancer: Balancer, environment: Environment) -> str:
    text = _ENVIRONMENT.format(
        name=environment.name,
        sockets=SOCKETS,
        longer=balancer.request_timeout + 60,
        health_path=balancer.health_path,
    )
    return text + "".join(f"    server {each.replace(':', '_')} {each}\n" for each in environment.servers)
