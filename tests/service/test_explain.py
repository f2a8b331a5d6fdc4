"""Everything about one name, on every server that hosts it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import ServerAddress
from mailswitch.core.errors import ConfigError, InventoryError
from mailswitch.core.evidence import MailLog
from mailswitch.core.ledger import Guard, Pin
from mailswitch.core.mx import Addresses, HostAnswer, Indeterminate, NoAddress, NoSuchHost, address
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Limits, Mode, Policy
from mailswitch.core.zone import ZoneServer, ZoneServers
from mailswitch.evidence.source import MailLogSettings, PostfixLogs
from mailswitch.report.name_servers import NameServers, Place
from mailswitch.service.approve import approve
from mailswitch.service.explain import explain
from tests.support.builders import NOW
from tests.support.mail_logs import write
from tests.support.ports import AT_ONCE, Scene

MOVED = DomainName("moved.example")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "moved.example")


def test_it_asks_every_vantage_and_tells_what_is_on_record(scene: Scene) -> None:
    approve(scene.setup, (MOVED,), frozenset({Guard.FLAPPING}), by="bob")
    scene.once()
    with scene.place.writer(wait=timedelta(0)) as ledger:
        ledger.add_pin(Pin(pattern=NamePattern("*.example"), reason="asked", by="bob", at=NOW))
        ledger.add_pin(Pin(pattern=NamePattern("other.example"), reason="asked", by="bob", at=NOW))

    (found,) = explain(scene.setup, MOVED, by="alice")

    assert (found.server, found.mode) == ("web01", Mode.ENFORCE)
    assert [opinion.vantage.name for opinion in found.entry.finding.opinions] == ["a", "b", "c"]
    assert [str(pin.pattern) for pin in found.pins] == ["*.example"]
    assert found.approval is not None
    assert [change.name for change in found.changes] == [MOVED]
    assert found.refusal is None


def test_it_records_nothing_and_changes_nothing(scene: Scene) -> None:
    explain(scene.setup, MOVED, by="alice")

    assert list(scene.folder.iterdir()) == []
    assert scene.plesk.calls == [("inventory",)]


def test_each_server_with_the_name_has_its_own_explanation(scene: Scene) -> None:
    scene.add_server("web02").host("moved.example")

    both = explain(scene.setup, MOVED, by="alice")
    one = explain(scene.setup, MOVED, by="alice", server="web02")

    assert [found.server for found in both] == ["web01", "web02"]
    assert [found.server for found in one] == ["web02"]


def test_a_server_that_has_the_name_is_enough(scene: Scene) -> None:
    scene.add_server("web02").failure = InventoryError("web02: no answer", code="unreachable")

    assert [found.server for found in explain(scene.setup, MOVED, by="alice")] == ["web01"]


def test_a_name_nobody_hosts_is_an_error_and_with_a_silent_server_another(scene: Scene) -> None:
    with pytest.raises(ConfigError, match=r"nobody.example is not hosted on any server that was asked \(web01\)"):
        explain(scene.setup, DomainName("nobody.example"), by="alice")

    scene.add_server("web02").failure = InventoryError("web02: no answer", code="unreachable")
    with pytest.raises(InventoryError, match=r"cannot tell who hosts nobody.example: web02: no answer"):
        explain(scene.setup, DomainName("nobody.example"), by="alice")


def test_a_pause_is_part_of_the_explanation(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "moved.example", policy=Policy(confirm=AT_ONCE, limits=Limits(changes=0)))
    scene.pause()

    (found,) = explain(scene.setup, MOVED, by="alice")

    assert found.pause is not None


def test_it_tells_what_the_server_knows_of_the_name(tmp_path: Path) -> None:
    log = tmp_path / "maillog"
    scene = Scene(tmp_path, "moved.example", mail_log=PostfixLogs(MailLogSettings(paths=(log,))))
    scene.view.hosts["moved.example"] = Addresses(addresses=frozenset({address("203.0.113.10")}))
    login = "imap-login: Login: user=<Info@Moved.example>, method=PLAIN, rip=192.0.2.1, lip=203.0.113.10"
    at = scene.clock()
    write(log, [f"{(at - timedelta(hours=ago)).isoformat()} web01 dovecot: {login}" for ago in (30, 3)])
    scene.once()
    write(log, [f"{at.isoformat()} web01 dovecot: {login.replace('Info', 'bob')}"])

    (found,) = explain(scene.setup, MOVED, by="alice")

    assert isinstance(found.entry.evidence, MailLog)
    assert [(one.mailbox, one.logins) for one in found.entry.evidence.logins] == [("info", 1), ("info", 1), ("bob", 1)]
    assert [(one.host, one.is_here) for one in found.pointing.web] == [
        ("moved.example", True),
        ("www.moved.example", False),
    ]


def test_a_wildcard_has_no_web_site(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "*.moved.example")

    (found,) = explain(scene.setup, DomainName("*.moved.example"), by="alice")

    assert found.pointing.web == ()


def at(*addresses: str, unanswered: str | None = None) -> Addresses:
    return Addresses(addresses=frozenset(map(address, addresses)), unanswered=unanswered)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        (at("203.0.113.10", "192.0.2.1"), Place.HERE),
        (at("203.0.113.10", unanswered="AAAA: SERVFAIL"), Place.HERE),
        (at("192.0.2.1"), Place.ELSEWHERE),
        (at("192.0.2.1", unanswered="AAAA: SERVFAIL"), Place.UNKNOWN),
        (NoAddress(), Place.NOWHERE),
        (NoSuchHost(), Place.NOWHERE),
        (Indeterminate("the CNAME chain is a loop"), Place.UNKNOWN),
    ],
)
def test_each_name_server_is_held_against_the_servers_own_addresses(
    scene: Scene, host: HostAnswer, place: Place
) -> None:
    server = ZoneServer(name=DomainName("ns.example"), host=host)
    scene.zones.told["moved.example"] = ZoneServers(zone=MOVED, servers=(server,), left_out=2)

    (found,) = explain(scene.setup, MOVED, by="alice")

    servers = found.pointing.name_servers
    assert isinstance(servers, NameServers)
    assert [(one.host, one.place) for one in servers.servers] == [("ns.example", place)]
    assert (servers.zone, servers.is_above, servers.left_out) == ("moved.example", False, 2)


def test_name_servers_are_one_servers_own_and_the_others_elsewhere(scene: Scene) -> None:
    second = scene.add_server("web02")
    second.host("moved.example")
    second.addresses = (ServerAddress(address=address("203.0.113.20")),)
    server = ZoneServer(name=DomainName("ns.example"), host=at("203.0.113.20"))
    scene.zones.told["moved.example"] = ZoneServers(zone=DomainName("example"), servers=(server,))

    both = explain(scene.setup, MOVED, by="alice")

    told = [found.pointing.name_servers for found in both]
    assert [one.servers[0].place for one in told if isinstance(one, NameServers)] == [Place.ELSEWHERE, Place.HERE]
    assert [one.is_above for one in told if isinstance(one, NameServers)] == [True, True]


def test_name_servers_that_nobody_can_tell_are_no_error(scene: Scene) -> None:
    (found,) = explain(scene.setup, MOVED, by="alice")

    assert found.pointing.name_servers == Indeterminate("a: SERVFAIL")


def test_zones_are_asked_about_by_explain_only_and_for_hosted_names_only(scene: Scene) -> None:
    scene.once()
    with pytest.raises(ConfigError):
        explain(scene.setup, DomainName("nobody.example"), by="alice")
    assert scene.zones.asked == []

    explain(scene.setup, MOVED, by="alice")
    assert scene.zones.asked == ["moved.example"]
