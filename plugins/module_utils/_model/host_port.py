# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host is called: an address or a name, and a port where it is not the usual one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .address import address, is_address
from .errors import DeclarationError

_NAME = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?")
_BRACKETED = re.compile(r"\[(.+)\](?::(.+))?")


@dataclass(frozen=True)
class HostPort:
    """``host`` is an address in canonical form, or a name; ``port`` is None where none was given."""

    host: str
    port: int | None = None

    @classmethod
    def read(cls, text: str, path: str) -> HostPort:
        """What a text says, as in 192.0.2.1, [2001:db8::1]:51820 or vpn.example.com:51820."""
        bracketed = _BRACKETED.fullmatch(text)
        if bracketed:
            host, port = bracketed[1], bracketed[2]
        elif text.count(":") == 1:
            host, _colon, port = text.partition(":")
        else:
            host, port = text, None
        if is_address(host):
            host = address(host, path, 6 if bracketed else None)
        # What ends in a number would be taken for an address in the short spelling of old.
        elif bracketed or not _NAME.fullmatch(host) or host.rpartition(".")[2].isdecimal():
            raise DeclarationError(
                path,
                "expected an address or a name, and perhaps a port, as in 192.0.2.1:51820 or [2001:db8::1]:51820,"
                f" found {text!r}",
            )
        if port is None:
            return cls(host)
        if not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
            raise DeclarationError(path, f"expected a port from 1 to 65535, found {port!r}")
        return cls(host, int(port))

    @property
    def is_address(self) -> bool:
        """Whether it needs no look-up."""
        return is_address(self.host)

    def at(self, port: int, step: int = 0) -> str:
        """Its text with a port: its own, or else ``port``, and ``step`` on top."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{(self.port or port) + step}"
