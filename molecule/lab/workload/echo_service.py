#!/usr/bin/env python3
"""A small HTTP, TCP and UDP echo service that tells who asked, on IPv4 and IPv6 alike."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
from collections.abc import Callable
from functools import partial

_PKTINFO = getattr(socket, "IPV6_PKTINFO", 50)
_RECVPKTINFO = getattr(socket, "IPV6_RECVPKTINFO", 49)


def plain(address: str) -> str:
    """Return an address as its owner writes it: IPv4 without the ::ffff: of a dual stack socket."""
    return address.removeprefix("::ffff:")


def dual_stack(kind: socket.SocketKind, port: int) -> socket.socket:
    """Return a socket bound to `port` on all addresses, IPv4's alone where there is no IPv6."""
    try:
        bound = socket.socket(socket.AF_INET6, kind)
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        everywhere = "::"
    except OSError:
        bound = socket.socket(socket.AF_INET, kind)
        everywhere = "0.0.0.0"
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setblocking(False)
    bound.bind((everywhere, port))
    return bound


async def answer_http(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request with JSON: the service's name, the client that it sees, the request."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        method, path, *_ = [*head.decode("latin-1").split("\r\n")[0].split(" "), "", ""]
        client, port, *_ = writer.get_extra_info("peername")
        server, *_ = writer.get_extra_info("sockname")
        answer = {
            "name": name,
            "client": plain(client),
            "client_port": port,
            "server": plain(server),
            "method": method,
            "path": path,
        }
        body = json.dumps(answer).encode() + b"\n"
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            + b"Content-Length: %d\r\n\r\n" % len(body)
            + (b"" if method == "HEAD" else body)
        )
        await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # A client that leaves or sends no request gets no answer.
    finally:
        writer.close()


async def echo_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back whatever arrives until the client closes."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # The client reset the connection: there is nobody left to answer.
    finally:
        writer.close()


def same(datagram: bytes) -> bytes:
    """Return what an echo answers."""
    return datagram


def no_such_name(question: bytes) -> bytes:
    """Return the answer of a name server that knows no name (RFC 1035: response, NXDOMAIN)."""
    return question[:2] + b"\x81\x83" + question[4:]


def answer_udp(listener: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    """Answer a datagram from the very address that it was sent to, of however many we have."""
    try:
        data, ancillary, _, client = listener.recvmsg(65536, 64)
        # struct in6_pktinfo: 16 bytes of address, then the interface, which routing shall choose.
        replies = [
            (level, kind, info[:16] + bytes(4))
            for level, kind, info in ancillary
            if (level, kind) == (socket.IPPROTO_IPV6, _PKTINFO)
        ]
        listener.sendmsg([answer(data)], replies, 0, client)
    except OSError:
        pass  # Nobody is told of a datagram that cannot be answered.


async def serve(asked: argparse.Namespace) -> None:
    """Listen on the ports asked for until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    for port in asked.http:
        listener = dual_stack(socket.SOCK_STREAM, port)
        await asyncio.start_server(partial(answer_http, asked.name), sock=listener)
    for port in asked.tcp:
        await asyncio.start_server(echo_tcp, sock=dual_stack(socket.SOCK_STREAM, port))
    datagrams = [(port, same) for port in asked.udp] + [(port, no_such_name) for port in asked.dns]
    for port, answer in datagrams:
        listener = dual_stack(socket.SOCK_DGRAM, port)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, _RECVPKTINFO, 1)
        loop.add_reader(listener, answer_udp, listener, answer)
    print(f"{asked.name}: HTTP {asked.http}, TCP {asked.tcp}, UDP {asked.udp}", flush=True)
    await stopped.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default=socket.gethostname(), help="default: the host's name")
    for protocol, answer in (
        ("http", "answer with JSON: who asked for what"),
        ("tcp", "echo"),
        ("udp", "echo"),
        ("dns", "answer every question over UDP with: no such name"),
    ):
        option = f"--{protocol}"
        parser.add_argument(option, type=int, action="append", default=[], metavar="PORT", help=answer)
    asked = parser.parse_args()
    if not asked.http + asked.tcp + asked.udp + asked.dns:
        asked.http, asked.tcp, asked.udp = [8080], [9000], [9000]
    asyncio.run(serve(asked))


if __name__ == "__main__":
    main()
