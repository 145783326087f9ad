# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which subnets are whose: a host's own, what others remember of it, or a fresh one; and all at odds with nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain

from ansible_collections.breakwater.docker.plugins.module_utils._model.address import observed_prefix, overlap, within
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError

from . import overlaps
from .allocation import allocate
from .known import Known
from .members import Member
from .overlaps import BROUGHT, FLEET, HOST, POOL, Claim
from .words import DIRECT, variable


class Subnets:
    """The subnets of a fleet; DeclarationError where two are at odds.

    ``networks`` are those of the fleet's own network by member, ``brought`` those of networks that it brings in, and
    what is remembered of a member without a fact. ``leftovers`` are what a host sends to a peer, by both, for somebody
    of whom nothing is known for now.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self.settings = settings = known.settings
        self.members, self.outside, self.remembered = known.members, known.outside, known.remembered
        self.networks = {name: each.network_subnets(settings.network) for name, each in self.members.items()}
        self.brought = {name: each.joined for name, each in self.members.items()}
        self.leftovers: dict[str, dict[str, list[str]]] = {}
        owned = {*chain(*self.networks.values(), *self.brought.values())}
        owned |= {each for peer in self.outside.values() for each in peer.subnets}
        # What two are remembered to carry is of a third of whom nothing is known: it stays with whoever sends it there.
        often = Counter(each for memory in self.remembered.values() for each in memory.subnets)
        for name, memory in sorted(self.remembered.items()):
            rest = tuple(each for each in memory.subnets if each not in owned and often[each] == 1)
            memory.subnets = dict.fromkeys(rest)
            member = self.members.get(name)
            if member and not self.networks[name] and member.seen:
                self.networks[name] = rest
            elif member:
                self.brought[name] = (*self.brought[name], *rest)
        fleets = list(self._claims_of_fleet())
        if any(each.seen is None for each in self.members.values()):
            there = frozenset(each.subnet for each in fleets)
            found = ((name, _leftover(each, there)) for name, each in self.members.items())
            self.leftovers = {name: each for name, each in found if each}
        claims = [*fleets, *self._claims_of_hosts()]
        self.warnings = overlaps.check(claims)
        without = [name for name, each in self.members.items() if self._lacks_subnet(each)]
        if settings.pool:
            self._check_pool(claims)
            taken = {each.subnet for each in claims}
            taken |= {one for each in self.leftovers.values() for rest in each.values() for one in rest}
            fresh = allocate(without, settings.pool, settings.prefix, taken)
            self.networks.update({name: (subnet,) for name, subnet in fresh.items()})
        for name in () if settings.pool else without:
            if not self.brought[name]:
                raise DeclarationError(
                    self.members[name].at("subnets"),
                    f"is required, or {variable('networks')} of the host, or a {variable('pool')} to take one from",
                )

    def of(self, name: str) -> tuple[str, ...]:
        """All subnets of a member."""
        return tuple(dict.fromkeys((*self.networks[name], *self.brought[name])))

    def is_known(self, name: str) -> bool:
        """Whether there is something to send to a member."""
        return bool(self.of(name)) or name in self.remembered

    def _lacks_subnet(self, member: Member) -> bool:
        """Whether it is to be given one; of a host of which nothing is known it may have one already."""
        if self.networks[member.name]:
            return False
        return member.seen is not None or (self._known.is_usable(member.name) and member.name not in self.remembered)

    def _claims_of_fleet(self) -> Iterator[Claim]:
        for name, member in self.members.items():
            path = member.at("subnets")
            yield from (Claim(each, FLEET, f"of '{name}'", path) for each in self.networks[name])
            path = member.at("networks")
            yield from (Claim(each, BROUGHT, f"of '{name}'", path) for each in self.brought[name])
        for name, peer in self.outside.items():
            path = f"{peer.path}.subnets"
            yield from (Claim(each, FLEET, f"of peer '{name}'", path) for each in peer.subnets)
        for name, memory in self._known.strangers.items():
            told = f"of '{name}', which {memory.by[0]} remembers"
            yield from (Claim(each, BROUGHT, told, variable("absent")) for each in memory.subnets)

    def _claims_of_hosts(self) -> Iterator[Claim]:
        """What the hosts have besides, each subnet once: a thousand hosts have the same pools."""
        found: dict[tuple[str, str], Claim] = {}
        for member in self.members.values():
            for claim in self._claims_of(member):
                found.setdefault((claim.kind, claim.subnet), claim)
        return iter(found.values())

    def _claims_of(self, member: Member) -> Iterator[Claim]:
        name, seen = member.name, member.seen
        if member.endpoint.is_address:
            yield Claim(_canonical(member.endpoint.host), HOST, f"the endpoint of '{name}'")
        if seen is None:
            return
        ours = frozenset((self.settings.network, *member.networks))
        at_home = [each for network in ours for each in seen.network_subnets(network)]
        behind = frozenset(
            each
            for tunnel, peer in seen.peers()
            if tunnel.get("backend") == DIRECT
            for each in peer.get("subnets") or ()
        )
        for network in seen.networks:
            if network not in ours:
                for each in seen.networks[network].get("subnets") or ():
                    yield Claim(_canonical(each), HOST, f"Docker's network '{network}' on '{name}'")
        for prefix in seen.prefixes:
            subnet = _canonical(prefix["subnet"])
            if prefix.get("interface") in self.settings.interfaces or subnet.endswith("/0") or subnet in behind:
                continue
            if not any(within(subnet, each) for each in at_home):
                what, interface = prefix.get("what") or "a route", prefix.get("interface")
                yield Claim(subnet, HOST, f"{what} by {interface} of '{name}'")
        yield from (Claim(_canonical(each), POOL, f"a pool of Docker's on '{name}'") for each in seen.pools)

    def _check_pool(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            is_lost = claim.kind == HOST and within(self.settings.pool, claim.subnet)
            if is_lost or (claim.kind == POOL and overlap(claim.subnet, self.settings.pool)):
                raise DeclarationError(variable("pool"), f"{self.settings.pool} overlaps {claim}")


def _leftover(member: Member, owned: frozenset[str]) -> dict[str, list[str]]:
    """What a host sends to its peers for somebody of whom nothing is known for now."""
    found: dict[str, dict[str, None]] = {}
    for _tunnel, peer in member.seen.peers() if member.seen else ():
        rest = [each for each in peer["subnets"] if each not in owned]
        if rest:
            found.setdefault(peer["name"], {}).update(dict.fromkeys(rest))
    return {name: list(each) for name, each in found.items()}


@lru_cache(maxsize=65536)
def _canonical(text: str) -> str:
    return observed_prefix(text)
