# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that two hosts share, between hosts whose ``openssl`` and ``wg`` are those of ``cryptography``."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from shutil import which
from typing import Any
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from ansible_collections.breakwater.docker.plugins.module_utils._host import preshared, seal, wireguard
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import (
    BreakwaterError,
    DeclarationError,
    HostError,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.preshared import Partners

SECRET = b64encode(bytes(range(32))).decode()


def base64(raw: bytes) -> str:
    return b64encode(raw).decode()


@dataclass
class Host:
    """A host with a key of its own, and all that its tools were called with."""

    name: str
    folder: Path
    private: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    called: list[str] = field(default_factory=list)
    drawn: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "fleet-1.key").write_text(base64(self.private.private_bytes_raw()) + "\n")

    @property
    def public_key(self) -> str:
        return base64(self.private.public_key().public_bytes_raw())

    @property
    def secrets(self) -> dict[str, str]:
        """What it keeps, by file."""
        return {each.name: each.read_text().strip() for each in self.folder.iterdir()}

    def peer(self, **more: Any) -> dict[str, Any]:
        return {"name": self.name, "public_key": self.public_key, "sealed": None, **more}

    def share(self, *peers: dict[str, Any], check: bool = False) -> dict[str, Any]:
        with self.tools():
            return preshared.share(Partners.read({"key": "fleet-1", "host": self.name, "peers": list(peers)}), check)

    @contextmanager
    def tools(self) -> Iterator[None]:
        with (
            patch.object(wireguard, "KEYS", self.folder),
            patch.object(preshared, "run", self.wg),
            patch.object(seal, "run_bytes", self.openssl),
        ):
            yield

    def wg(self, argv: Sequence[str]) -> str:
        assert list(argv) == ["wg", "genpsk"]
        self.called += argv
        self.drawn += 1
        return base64(sha256(f"{self.name} {self.drawn}".encode()).digest()) + "\n"

    def openssl(self, argv: Sequence[str], given: bytes) -> bytes:
        assert argv[:6] == ["openssl", "pkeyutl", "-derive", "-inkey", "/dev/stdin", "-keyform"]
        self.called += argv
        ours = load_der_private_key(given, None)
        theirs = load_der_public_key(Path(argv[argv.index("-peerkey") + 1]).read_bytes())
        assert isinstance(ours, X25519PrivateKey) and isinstance(theirs, X25519PublicKey)
        return ours.exchange(theirs)


@pytest.fixture(name="two")
def _two(tmp_path: Path) -> tuple[Host, Host]:
    return Host("core1", tmp_path / "core1"), Host("edge1", tmp_path / "edge1")


def test_one_draws_and_the_other_keeps(two: tuple[Host, Host]) -> None:
    giver, taker = two
    given = giver.share(taker.peer())
    assert given["changed"] and list(given["sealed"]) == ["edge1"]
    taken = taker.share(giver.peer(sealed=given["sealed"]["edge1"]))
    assert taken == {"changed": True, "sealed": {}}
    assert giver.secrets["fleet-1@edge1.psk"] == taker.secrets["fleet-1@core1.psk"]
    assert (taker.folder / "fleet-1@core1.psk").stat().st_mode & 0o777 == 0o600
    assert giver.share(taker.peer()) == {"changed": False, "sealed": given["sealed"]}
    assert taker.share(giver.peer(sealed=given["sealed"]["edge1"])) == {"changed": False, "sealed": {}}


def test_a_key_of_another_one_is_replaced(two: tuple[Host, Host]) -> None:
    giver, taker = two
    (taker.folder / "fleet-1@core1.psk").write_text(SECRET)
    sealed = giver.share(taker.peer())["sealed"]["edge1"]
    assert taker.share(giver.peer(sealed=sealed))["changed"]
    assert giver.secrets["fleet-1@edge1.psk"] == taker.secrets["fleet-1@core1.psk"] != SECRET


def test_who_is_given_nothing_keeps_what_there_is(two: tuple[Host, Host]) -> None:
    giver, taker = two
    for sealed in (None, ""):
        assert taker.share(giver.peer(sealed=sealed)) == {"changed": False, "sealed": {}}
        assert set(taker.secrets) == {"fleet-1.key"}


def test_check_mode_tells_what_a_run_does(two: tuple[Host, Host]) -> None:
    giver, taker = two
    foreseen = giver.share(taker.peer(), check=True)
    assert foreseen == {"changed": True, "sealed": {"edge1": ""}}
    assert taker.share(giver.peer(sealed=""), check=True)["changed"]
    sealed = giver.share(taker.peer())["sealed"]["edge1"]
    assert taker.share(giver.peer(sealed=sealed), check=True)["changed"]
    assert set(taker.secrets) == {"fleet-1.key"}
    taker.share(giver.peer(sealed=sealed))
    assert not giver.share(taker.peer(), check=True)["changed"]
    assert not taker.share(giver.peer(sealed=sealed), check=True)["changed"]


def test_no_secret_is_in_arguments_results_or_errors(two: tuple[Host, Host]) -> None:
    giver, taker = two
    told = [giver.share(taker.peer())]
    sealed = told[0]["sealed"]["edge1"]
    told.append(taker.share(giver.peer(sealed=sealed)))
    with pytest.raises(BreakwaterError) as refused:
        taker.share(giver.peer(sealed=base64(bytes(64))))
    everything = f"{told} {refused.value} {refused.value.result()} {giver.called} {taker.called}"
    raw = b64decode(sealed)
    for secret in (*giver.secrets.values(), *taker.secrets.values()):
        assert secret not in everything and b64decode(secret).hex() not in everything
        assert b64decode(secret) not in raw


def tampered(sealed: str) -> Iterator[str]:
    raw = b64decode(sealed)
    yield from (base64(raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :]) for n in (0, 31, 32, 63))
    yield from (base64(raw[:-1]), base64(raw + b"\0"), sealed[:-1], "no base64", "é")


def test_what_was_tampered_with_is_refused(two: tuple[Host, Host]) -> None:
    giver, taker = two
    sealed = giver.share(taker.peer())["sealed"]["edge1"]
    for each in tampered(sealed):
        with pytest.raises(DeclarationError, match=r"^peers\[0\]\.sealed: 'core1' has not sealed this for 'edge1'"):
            taker.share(giver.peer(sealed=each))
    assert set(taker.secrets) == {"fleet-1.key"}


def test_what_is_for_somebody_else_is_refused(two: tuple[Host, Host], tmp_path: Path) -> None:
    giver, taker = two
    other = Host("edge2", tmp_path / "edge2")
    sealed = giver.share(taker.peer(), other.peer())["sealed"]
    posing = Host("edge1", tmp_path / "posing", taker.private)
    for host, peer in (
        (taker, giver.peer(sealed=sealed["edge2"])),  # for another one
        (taker, {**other.peer(sealed=sealed["edge1"]), "name": "core1"}),  # with a public key that is not the giver's
        (taker, giver.peer(name="core0", sealed=sealed["edge1"])),  # as though of another one
        (Host("edge9", tmp_path / "edge9", taker.private), giver.peer(sealed=sealed["edge1"])),  # a host renamed
    ):
        with pytest.raises(DeclarationError, match="has not sealed this"):
            host.share(peer)
    assert posing.share(giver.peer(sealed=sealed["edge1"]))["changed"]


def test_the_text_is_what_its_description_says(two: tuple[Host, Host]) -> None:
    """By another hand: X25519, two keys by HMAC-SHA256, a tag of context and key, a mask of the tag."""
    giver, taker = two
    raw = b64decode(giver.share(taker.peer())["sealed"]["edge1"])
    secret = b64decode(giver.secrets["fleet-1@edge1.psk"])
    shared = taker.private.exchange(giver.private.public_key())
    tagging, masking = (
        hmac.digest(shared, f"breakwater preshared {each}".encode(), "sha256") for each in ("tag", "mask")
    )
    tag = hmac.digest(tagging, b"fleet-1 core1 edge1\0" + secret, "sha256")
    mask = hmac.digest(masking, tag, "sha256")
    assert raw[:32] == tag
    assert int.from_bytes(raw[32:], "big") ^ int.from_bytes(mask, "big") == int.from_bytes(secret, "big")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"peers": [{"name": "core1"}]}, "peers[0].name: 'core1' is this host already"),
        ({"peers": [{"name": "a"}, {"name": "a"}]}, "peers[1].name: 'a' is peers[0] already"),
        ({"peers": [{"name": "../x"}]}, "peers[0].name: '../x' is no peer's name"),
        ({"peers": [{"name": "a", "public_key": "x"}]}, "peers[0].public_key: 'x' is no public key"),
        ({"key": "a/b"}, "key: 'a/b' is not a key's name"),
        ({"key": "fleet-2"}, "key: this host keeps no key 'fleet-2'; make it with"),
    ],
)
def test_wrong(args: dict[str, Any], message: str, two: tuple[Host, Host]) -> None:
    peers = [{"public_key": SECRET, "sealed": None, **each} for each in args.get("peers", ())]
    with pytest.raises(DeclarationError) as refused, two[0].tools():
        preshared.share(Partners.read({"key": "fleet-1", "host": "core1", **args, "peers": peers}), False)
    assert str(refused.value).startswith(message)


def test_fingerprints_of_all_that_is_kept(two: tuple[Host, Host]) -> None:
    giver, taker = two
    taker.share(giver.peer(sealed=giver.share(taker.peer())["sealed"]["edge1"]))
    with giver.tools():
        ours = wireguard.all_preshared()
    with taker.tools():
        theirs = wireguard.all_preshared()
    assert ours.keys() == {"fleet-1@edge1"} and theirs.keys() == {"fleet-1@core1"}
    assert ours["fleet-1@edge1"] == theirs["fleet-1@core1"]
    assert len(ours["fleet-1@edge1"]) == 16 and ours["fleet-1@edge1"] not in giver.secrets["fleet-1@edge1.psk"]


@pytest.mark.skipif(not which("openssl"), reason="no openssl")
def test_openssl_agrees_with_cryptography(two: tuple[Host, Host]) -> None:
    giver, taker = two
    public_key, private_key = giver.public_key, taker.secrets["fleet-1.key"]
    with giver.tools():
        sealed = seal.seal(SECRET, giver.secrets["fleet-1.key"], taker.public_key, "context")
    assert seal.unseal(sealed, private_key, public_key, "context") == SECRET
    assert seal.unseal(sealed, private_key, public_key, "another one") == ""
    with pytest.raises(HostError, match="openssl pkeyutl") as refused:
        seal.unseal(sealed, private_key, base64(bytes(32)), "context")
    assert private_key not in str(refused.value)
