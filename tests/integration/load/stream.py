# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings an address and has a stream with its port 9000, until its own input ends; then tells what was lost."""

import signal
import socket
import subprocess
import sys
import threading
import time

address, over = sys.argv[1], threading.Event()
ping = subprocess.Popen(["ping", "-n", "-q", "-i", "0.05", "-w", "900", address], stdout=subprocess.PIPE, text=True)
stream, longest, count = socket.create_connection((address, 9000), 5), 0.0, 0
stream.settimeout(20)
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
while not over.wait(0.02):
    began, left = time.monotonic(), 1000
    stream.sendall(bytes(left))
    while left:
        left -= len(stream.recv(left)) or sys.exit("the stream was closed")
    longest, count = max(longest, time.monotonic() - began), count + 1
ping.send_signal(signal.SIGINT)
print(ping.communicate()[0], "stream", count, longest)
