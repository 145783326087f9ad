"""Knock at host:port from an address, as often as is said, and print how many times somebody opened."""

from __future__ import annotations

import socket
import sys

source, host, port, times = sys.argv[1:]
opened = 0
for _number in range(int(times)):
    try:
        with socket.create_connection((host, int(port)), 0.2, (source, 0)):
            opened += 1
    except OSError:
        pass
print(opened)
