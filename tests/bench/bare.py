# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the lab host: the docker SDK's bare calls, one after the other; prints the seconds that they took.

Input: ``{"networks": [...], "connections": [...]}``, items as ``topology`` takes them. Import and connection
to the engine are not counted.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import docker
from docker.types import IPAMConfig, IPAMPool


def main() -> None:
    """Create the networks, then attach the containers."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    api = docker.APIClient()
    start = time.perf_counter()
    for network in order["networks"]:
        pools = [IPAMPool(subnet=each["subnet"]) for each in network["ipam_config"]]
        api.create_network(network["name"], driver="bridge", ipam=IPAMConfig(pool_configs=pools))
    for connection in order["connections"]:
        for endpoint in connection["networks"]:
            api.connect_container_to_network(
                connection["container"], endpoint["name"], ipv4_address=endpoint["ipv4_address"]
            )
        api.disconnect_container_from_network(connection["container"], "bridge")
    print(json.dumps(time.perf_counter() - start))


main()
