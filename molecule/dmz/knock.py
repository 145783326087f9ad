"""Knock at host:port from an address, all at once as often as is said, and print how many times somebody opened."""

from __future__ import annotations

import socket
import sys
import time

source, host, port, times = sys.argv[1:]
knocks = []
for _number in range(int(times)):
    knock = socket.socket()
    knock.setblocking(False)
    knock.bind((source, 0))
    knock.connect_ex((host, int(port)))
    knocks.append(knock)
time.sleep(0.5)
opened = 0
for knock in knocks:
    try:
        knock.getpeername()
        opened += 1
    except OSError:
        pass
print(opened)
