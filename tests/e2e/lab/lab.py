"""The machines of the lab and what runs on them: name servers, resolvers, mail servers, and the way to each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.e2e.lab import mta, places, plesk
from tests.e2e.lab.hosts import Host, Network, run
from tests.e2e.lab.mailboxes import Mailboxes
from tests.e2e.lab.mta import Postfix
from tests.e2e.lab.naming import NameService, NameSpace, answer, start_resolver
from tests.e2e.lab.waiting import until
from tests.e2e.lab.zones import zone_text

__all__ = ["Lab", "Special"]

_NAT_BRIDGE = "nat"
_NAT_RULES = f"""\
table ip nat {{
  chain prerouting {{
    type nat hook prerouting priority -100;
    iifname "eth0" ip daddr {places.NAT_PUBLIC} dnat to {places.NAT_PRIVATE}
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """What is special about some of the zones."""

    signed: frozenset[str] = frozenset()
    bogus: frozenset[str] = frozenset()
    """Signed with another key than their parent says."""
    lame: frozenset[str] = frozenset()
    """Delegated to a server that does not serve them."""
    lied_about: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What one of the resolvers believes."""
    stale: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the Plesk server's own name server serves."""
    filtered: frozenset[str] = frozenset()
    """What the filter takes and relays to the Plesk server."""
    split: frozenset[str] = frozenset()
    """Of these the provider has ``info``, and relays ``sales`` to the Plesk server."""


class Lab:
    """All hosts; started once, used by all scenarios."""

    def __init__(self, work: Path, zones: Mapping[str, tuple[str, ...]], special: Special) -> None:
        self.work = work
        self.zones = dict(zones)
        self.special = special
        self._network = Network(work=work)
        self.hosts = {name: Host(name, self._network, found) for name, found in places.ADDRESSES.items()}
        self._services = {name: NameService(self.hosts[name], work) for name in ("root", "top", "ns1", "ns2", "liar")}
        self.names = NameSpace(
            root=self._services["root"],
            top=self._services["top"],
            leaves=(self._services["ns1"], self._services["ns2"]),
            addresses=places.NAME_SERVERS,
            signed_zones=special.signed,
            bogus_zones=special.bogus,
            delegations=dict.fromkeys(special.lame, ("liar.nic.example.",)),
        )
        self.postfix: dict[str, Postfix] = {}
        stores = {self.hosts[name]: mta.MAILBOXES for name in places.MAIL_HOSTS if name != places.PLESK}
        self.mailboxes = Mailboxes({**stores, self.plesk: plesk.MAILNAMES})

    @property
    def plesk(self) -> Host:
        """The Plesk server."""
        return self.hosts[places.PLESK]

    def start(self) -> None:
        """Start everything, and wait until all of it answers."""
        self._network.start()
        for host in self.hosts.values():
            host.start()
        self._start_nat()
        self._start_names()
        self._configure_mail()
        plesk.start_dovecot(self.plesk)
        mta.start_all(self.postfix.values())

    def publish(self, records: Mapping[str, tuple[str, ...]]) -> None:
        """Change what is published of zones, and wait until the whole internet has forgotten what was before."""
        self.zones.update(records)
        self.names.publish(records)
        for name in records:
            if name in self.special.bogus | self.special.lame | set(self.special.lied_about):
                continue
            wanted = sorted(line.split(" MX ")[1] for line in records[name] if " IN MX " in line)
            for resolver in places.RESOLVERS:
                address = self.hosts[resolver].address
                until(f"{resolver} sees {name}", partial(_sees, address, name, wanted))

    def resolve_by(self, *addresses: str) -> None:
        """Have the Plesk server ask other resolvers, or the usual ones again."""
        lines = "".join(f"nameserver {address}\n" for address in addresses)
        self.plesk.write("/etc/resolv.conf", lines or self._resolvers())
        # Its processes read the file once, so they are started anew.
        self.postfix[places.PLESK].stop()
        mta.start_all([self.postfix[places.PLESK]])

    def _resolvers(self) -> str:
        return "".join(f"nameserver {self.hosts[name].address}\n" for name in places.RESOLVERS)

    # ---- starting

    def _start_nat(self) -> None:
        """Put a second address of the Plesk server behind a router that maps it."""
        run("ip", "link", "add", _NAT_BRIDGE, "type", "bridge")
        run("ip", "link", "set", _NAT_BRIDGE, "up")
        router = self.hosts[places.NAT]
        router.connect("eth1", _NAT_BRIDGE)
        router.add_address(places.NAT_INSIDE, "eth1")
        router.run("ip", "route", "add", places.NAT_PRIVATE, "dev", "eth1")
        router.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        router.run("nft", "-f", "-", given=_NAT_RULES)
        self.plesk.connect("eth1", _NAT_BRIDGE)
        self.plesk.add_address(places.NAT_PRIVATE, "eth1")
        self.plesk.run("ip", "route", "add", places.NAT_INSIDE, "dev", "eth1")
        self.plesk.run("ip", "rule", "add", "from", places.NAT_PRIVATE, "lookup", "100")
        self.plesk.run("ip", "route", "add", "default", "via", places.NAT_INSIDE, "dev", "eth1", "table", "100")

    def _start_names(self) -> None:
        self._services["liar"].start(
            {
                name: zone_text(name, records, serial=1, servers=["liar.nic.example."])
                for name, records in {"liar.example": (), **self.special.lied_about}.items()
            }
        )
        self.names.start(self.zones)
        lies = [
            f"stub-zone:\n  name: {name}\n  stub-addr: {self.hosts['liar'].address}" for name in self.special.lied_about
        ]
        honest, liar = places.RESOLVERS
        start_resolver(self.hosts[honest], self.work, self.names)
        start_resolver(self.hosts[liar], self.work, self.names, clauses=lies)
        self._start_stale_names()

    def _start_stale_names(self) -> None:
        """Run what Plesk's name server is: authoritative for the local zones, and recursive for the rest."""
        clauses = []
        for name, records in self.special.stale.items():
            file = self.work / f"stale-{name}.zone"
            file.write_text(zone_text(name, records, serial=1, servers=["ns1.nic.example."]), encoding="ascii")
            clauses.append(
                f'auth-zone:\n  name: {name}\n  zonefile: "{file}"\n'
                "  for-downstream: yes\n  for-upstream: no\n  fallback-enabled: no"
            )
        start_resolver(self.plesk, self.work, self.names, more=["  interface: 127.0.0.1"], clauses=clauses)

    def _configure_mail(self) -> None:
        for name in places.MAIL_HOSTS:
            self.hosts[name].write("/etc/resolv.conf", self._resolvers())
        plain = [name for name in self.zones if name not in places.INFRASTRUCTURE]
        self.postfix[places.PLESK] = plesk.configure(self.plesk)
        self._configure(places.PROVIDER, "mx1.provider.example", plain, split=self.special.split)
        self._configure(places.SECOND, "mx.second.example", plain)
        self._configure(places.SENDER, f"mx.{places.OUTSIDER}", [places.OUTSIDER])
        relay = Postfix(
            self.hosts[places.FILTER],
            {
                "myhostname": "mx.filter.example",
                "relay_domains": "texthash:/etc/postfix/transport",
                "relay_recipient_maps": "",
                "transport_maps": "texthash:/etc/postfix/transport",
            },
        )
        relay.configure({"transport": _to_plesk(self.special.filtered)})
        self.postfix[places.FILTER] = relay

    def _configure(self, name: str, called: str, domains: Iterable[str], split: Iterable[str] = ()) -> None:
        settings, tables = mta.mailbox_settings(domains, ("info",))
        users = [f"sales@{one}" for one in split]
        tables["mailboxes"] += "".join(f"{user} elsewhere/\n" for user in users)
        settings |= {"myhostname": called, "transport_maps": "texthash:/etc/postfix/transport"}
        postfix = Postfix(self.hosts[name], settings)
        postfix.configure({**tables, "transport": _to_plesk(users)})
        mta.make_store(self.hosts[name])
        self.postfix[name] = postfix


def _to_plesk(keys: Iterable[str]) -> str:
    return "".join(f"{key} smtp:[{places.ADDRESSES[places.PLESK][0]}]\n" for key in keys)


def _sees(resolver: str, name: str, exchanges: list[str]) -> bool:
    return answer(resolver, name, "MX") == exchanges
