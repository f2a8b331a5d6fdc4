"""Whether the engine's answers are those of plain dnspython, on as many made-up domains as wanted.

Run it from the project's folder: ``.venv/bin/python -m benchmarks.same_answers --names 100000``. Three ways ask the
same simulated resolver, a process of its own: the windowed engine with either codec, and ``dns.resolver`` name by name,
with nothing of mailswitch but the values. What they observe has to be equal but for the words of what is no answer.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver

from mailswitch.core.mx import (
    MX,
    Address,
    Addresses,
    HostAnswer,
    Indeterminate,
    MXAnswer,
    NoAddress,
    NoMX,
    NoSuchDomain,
    NoSuchHost,
    NullMX,
    Observation,
    Published,
    Vantage,
    address,
)
from mailswitch.core.names import DomainName
from mailswitch.lookup.survey import open_public_view
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings
from mailswitch.simulation.public_dns import PublicDNSServer, parse_records

__all__ = ["PlainDns", "alike", "by_engine", "generated_names", "generated_records", "main"]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_TIMING = Timing(timeout=timedelta(seconds=10), tries=4, rate=None, concurrency=50)
_THREADS = 4
_SHOWN = 5
_HOST_TYPES = ("A", "AAAA")

# ---- Made-up domains


def generated_names(count: int) -> list[DomainName]:
    """Return the names that `generated_records` is about."""
    return [DomainName(f"d{number}.example") for number in range(count)]


def generated_records(count: int, seed: int) -> str:
    """Return master-file lines for so many domains: mail of every kind there is, and of some there should not be."""
    chance = random.Random(seed)  # noqa: S311 - the same domains for the same seed
    hosts = "".join(
        f"mx{number}.hosts.example. {60 * number} IN A 192.0.2.{number}\n"
        + (f"mx{number}.hosts.example. IN AAAA 2001:db8::{number:x}\n" if number % 3 else "")
        for number in range(40)
    )
    zone = "hosts.example. 900 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 120\n"
    return zone + hosts + "".join(_records(chance, number, count) for number in range(count))


def _records(chance: random.Random, number: int, count: int) -> str:
    name = f"d{number}.example."
    host = f"mx{chance.randrange(45)}.hosts.example."  # five of them do not exist
    ttl, preference = chance.randrange(0, 200_000), chance.randrange(65536)
    own = f"192.0.2.{chance.randrange(256)}"
    return chance.choice(
        (
            f"{name} {ttl} IN MX {preference} {host}\n",
            f"{name} {ttl} IN MX {preference} {host}\n{name} IN MX 10 mx{number % 7}.hosts.example.\n",
            f"{name} {ttl} IN MX 0 .\n",
            f"{name} IN MX 0 .\n{name} IN MX 10 {host}\n",
            f"{name} {ttl} IN A {own}\n",
            f"{name} {ttl} IN AAAA 2001:db8::{number >> 16:x}:{number & 0xFFFF:x}\n",
            f"{name} {ttl} IN CNAME d{chance.randrange(count)}.example.\n",
            "",
            f'{name} IN TXT "x"\n',
            f"*.{name} IN MX 5 {host}\n",
            f"{name} 600 IN SOA ns.{name} root.{name} 1 3600 600 86400 {chance.randrange(4000)}\n",
            f"{name} 300 IN MX 5 mx.{name}\nmx.{name} IN AAAA ::ffff:{own}\nmx.{name} {ttl} IN A {own}\n",
            f"{name} IN MX 5 alias.{name}\nalias.{name} {ttl} IN CNAME next.{name}\nnext.{name} IN CNAME {host}\n",
            f"{name} IN MX 5 a\\.b.{name}\n",
            f"{name} IN MX 5 \\200\\@.{name}\n",
            f"{name} IN MX 5 {name}\n{name} IN A {own}\n",
            f"{name} IN MX 5 {own}.\n",
            "".join(f"{name} IN MX {each} mx{each}.{'long' * 10}.example.\n" for each in range(30)),
        )
    )


# ---- The plain way

_Reply = tuple[str, dns.resolver.Answer | None, tuple[DomainName, ...], timedelta]
"""``found``, ``nothing``, ``missing`` or ``failed``; the answer; the CNAMEs on the way; how long it holds."""


class PlainDns:
    """One vantage asked by ``dns.resolver``, a question at a time, each host once."""

    def __init__(self, vantage: Vantage, port: int, *, seconds: float = 10.0) -> None:
        self._vantage = vantage
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.nameservers, self._resolver.port = [str(vantage.address)], port
        self._resolver.timeout, self._resolver.lifetime = seconds / 2, seconds
        self._hosts: dict[DomainName, HostAnswer] = {}

    def observation(self, name: DomainName) -> Observation:
        """Return what the vantage says of a name."""
        kind, answer, canonical, ttl = self._ask(name, "MX")
        mx = _mx_answer(kind, answer, ttl)
        if isinstance(mx, Published):
            leads_to = sorted({record.exchange for record in mx.records if not record.exchange.is_root})
        else:
            leads_to = [name] if isinstance(mx, NoMX) else []
        hosts = tuple((host, self._host(host)) for host in leads_to)
        return Observation(name=name, vantage=self._vantage, at=NOW, mx=mx, hosts=hosts, canonical=canonical)

    def _host(self, host: DomainName) -> HostAnswer:
        if host not in self._hosts:
            self._hosts[host] = _host_answer(*(self._ask(host, rdtype) for rdtype in _HOST_TYPES))
        return self._hosts[host]

    def _ask(self, name: DomainName, rdtype: str) -> _Reply:
        asked = dns.name.from_text(name.text.replace("@", "\\@") if name.text == "@" else name.text)
        try:
            answer = self._resolver.resolve(asked, rdtype, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN as error:
            response: dns.message.QueryMessage = error.response(asked)  # type: ignore[no-untyped-call]
            return self._told("missing", None, response)
        except (dns.exception.DNSException, OSError):
            return "failed", None, (), timedelta(0)
        found = "found" if answer.rrset is not None else "nothing"
        return self._told(found, answer, answer.response)

    @staticmethod
    def _told(kind: str, answer: dns.resolver.Answer | None, response: dns.message.QueryMessage) -> _Reply:
        has_soa = any(rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority)
        is_public = response.flags & dns.flags.RA and not response.flags & dns.flags.AA
        if not is_public or (kind != "found" and not has_soa):
            return "failed", None, (), timedelta(0)
        chain = response.resolve_chaining()
        canonical = tuple(_name(each[0].target) for each in chain.cnames)
        return kind, answer, canonical, timedelta(seconds=chain.minimum_ttl)


def _mx_answer(kind: str, answer: dns.resolver.Answer | None, ttl: timedelta) -> MXAnswer:
    if kind == "failed":
        return Indeterminate("")
    if answer is None or answer.rrset is None:
        return NoSuchDomain(ttl=ttl) if kind == "missing" else NoMX(ttl=ttl)
    records = frozenset(MX(preference=each.preference, exchange=_name(each.exchange)) for each in answer.rrset)
    return NullMX(ttl=ttl) if all(each.exchange.is_root for each in records) else Published(records=records, ttl=ttl)


def _host_answer(a: _Reply, aaaa: _Reply) -> HostAnswer:
    found = [reply for reply in (a, aaaa) if reply[0] == "found"]
    has_failed = "failed" in {a[0], aaaa[0]}
    if found:
        every: set[Address] = set()
        for _, answer, _, _ in found:
            if answer is not None and answer.rrset is not None:
                every |= {address(each.address) for each in answer.rrset}
        return Addresses(addresses=frozenset(every), canonical=found[0][2], unanswered="" if has_failed else None)
    if a[0] == "missing":
        return NoSuchHost(canonical=a[2])
    if has_failed:
        return Indeterminate("")
    return NoSuchHost(canonical=aaaa[2]) if aaaa[0] == "missing" else NoAddress(canonical=a[2])


def _name(name: dns.name.Name) -> DomainName:
    return DomainName(name.to_text(omit_final_dot=True))


# ---- Side by side


def alike(seen: Observation) -> Observation:
    """Return an observation without the words of what is no answer: each way has its own."""
    mx = Indeterminate("") if isinstance(seen.mx, Indeterminate) else seen.mx
    return replace(seen, mx=mx, hosts=tuple((host, _wordless(answer)) for host, answer in seen.hosts))


def _wordless(answer: HostAnswer) -> HostAnswer:
    match answer:
        case Indeterminate():
            return Indeterminate("")
        case Addresses(unanswered=str()):
            return replace(answer, unanswered="")
        case _:
            return answer


def by_engine(settings: VantageSettings, names: Iterable[DomainName], codec: Codec) -> dict[DomainName, Observation]:
    """Return what the windowed engine says of names."""
    with open_public_view([settings], _TIMING, lambda: NOW, codec=codec).sweep(rotation=0) as sweep:
        return sweep.first_opinions(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    kinds: Mapping[str, int]
    differing: Sequence[str]


def _compared(settings: VantageSettings, names: Sequence[DomainName]) -> _Compared:
    fast, slow = (by_engine(settings, names, codec) for codec in Codec)
    # Each thread has a resolver of its own; they share nothing.
    parts = [names[at::_THREADS] for at in range(_THREADS)]
    with ThreadPoolExecutor(_THREADS) as pool:
        told = pool.map(lambda part: list(map(PlainDns(settings.vantage, settings.port).observation, part)), parts)
        plain = {seen.name: seen for each in told for seen in each}
    differing = [
        f"{name}:\n  fast  {fast[name]}\n  slow  {slow[name]}\n  plain {plain[name]}"
        for name in names
        if fast[name] != slow[name] or alike(fast[name]) != alike(plain[name])
    ]
    return _Compared(kinds=Counter(type(fast[name].mx).__name__ for name in names), differing=differing)


@contextmanager
def _server(names: int, seed: int) -> Iterator[VantageSettings]:
    command = [sys.executable, "-m", "benchmarks.same_answers", "--serve", "--names", str(names), "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        port = int(json.loads(process.stdout.readline()))
        yield VantageSettings(name="plain", operator="Loopback", address=IPv4Address("127.0.0.1"), port=port)
    finally:
        process.kill()
        process.communicate()


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print what came of it; return 1 where the ways differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_answers", description=__doc__)
    parser.add_argument("--names", type=int, default=5_000, help="made-up domains (default 5000)")
    parser.add_argument("--seed", type=int, default=7, help="which ones (default 7)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.serve:
        with PublicDNSServer(parse_records(generated_records(chosen.names, chosen.seed))) as server:
            sys.stdout.write(f"{server.port}\n")
            sys.stdout.flush()
            sys.stdin.read()
        return 0
    began = time.monotonic()
    with _server(chosen.names, chosen.seed) as settings:
        done = _compared(settings, generated_names(chosen.names))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(done.kinds.items()))
    differing = f"{len(done.differing):,} differ"
    sys.stdout.write("\n".join([*done.differing[:_SHOWN], f"{chosen.names:,} domains ({kinds}): {differing}"]))
    sys.stdout.write(
        f" between either codec and plain dnspython, seed {chosen.seed}, {time.monotonic() - began:.0f} s\n"
    )
    return 1 if done.differing else 0


if __name__ == "__main__":
    sys.exit(main())
