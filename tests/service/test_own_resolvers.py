"""A server's own resolvers: which they are, and the check-up that warns of those that mislead Postfix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import pytest

from mailswitch.config.settings import Settings, load
from mailswitch.core.domain import Switch
from mailswitch.core.errors import InventoryError
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.report.doctor import Grade, Symptom
from mailswitch.service.doctor import LedgerState, check_up
from mailswitch.service.own_resolvers import OwnResolver, own_resolver_symptoms
from mailswitch.service.resolver_wiring import own_resolver_prober
from mailswitch.service.wiring import setup_of
from mailswitch.simulation.public_dns import PublicDNSServer, parse_records
from tests.support.nasty_dns import NastyDNS, reply_to
from tests.support.ports import Scene

WELL = LedgerState(place="'ledger.db'", exists=True, problems=())
MOVED = DomainName("moved.example")
TEXT = (
    "this machine's own resolver 127.0.0.1 (/etc/resolv.conf) serves zones of names hosted here (moved.example): "
    "after a name moved and was turned off, Postfix finds its old MX there and bounces mail to it "
    '("loops back to myself"); let /etc/resolv.conf name a resolver that does not serve them, or remove Plesk\'s DNS '
    "zones of domains that moved"
)


def serving_all(query: bytes) -> list[bytes]:
    """Answer as a name server with a zone for whatever it is asked about."""
    name = dns.message.from_wire(query).question[0].name
    return [reply_to(query, f"{name} 60 IN SOA . . 1 2 3 4 5", with_flags=dns.flags.AA)]


@pytest.fixture
def name_server() -> Iterator[NastyDNS]:
    with NastyDNS(serving_all) as server:
        yield server


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    """Return a function that loads a configuration with one server."""

    def loaded(server: str = "panel: local", dns: str = "") -> Settings:
        (tmp_path / "key").write_text("secret\n", encoding="ascii")
        (tmp_path / "key").chmod(0o600)
        path = tmp_path / "mailswitch.yaml"
        path.write_text(f"servers: [{{name: web01, {server}}}]\ndns: {{timeout: 1s{dns}}}\n", encoding="ascii")
        return load(path, environ={})

    return loaded


def resolv_conf(folder: Path, *addresses: str) -> Path:
    path = folder / "resolv.conf"
    path.write_text("".join(f"nameserver {one}\n" for one in addresses), encoding="ascii")
    return path


def a_resolver(at: str, *serves: str) -> OwnResolver:
    return OwnResolver(address=address(at), serves=tuple(DomainName(name) for name in serves))


def warnings(*resolvers: OwnResolver) -> list[str]:
    return [one.text for one in own_resolver_symptoms("web01", resolvers)]


# ---- what is told


def test_a_resolver_that_serves_a_hosted_zone_is_warned_of_with_what_to_do() -> None:
    found = list(own_resolver_symptoms("web01", [a_resolver("127.0.0.1", "moved.example"), a_resolver("192.0.2.53")]))

    assert found == [Symptom(subject="server web01", grade=Grade.WARNING, text=TEXT)]


def test_several_are_told_in_one_warning_with_a_few_names() -> None:
    (text,) = warnings(a_resolver("127.0.0.1", "a.example", "b.example"), a_resolver("::1", *"ab", "c", "d", "e"))

    assert "own resolvers 127.0.0.1 and ::1 (/etc/resolv.conf) serve zones" in text
    assert "(a.example, b.example, a, and 4 others)" in text


def test_nothing_is_told_where_none_serves_a_hosted_zone() -> None:
    assert warnings(a_resolver("127.0.0.1"), a_resolver("192.0.2.53")) == []
    assert warnings() == []


# ---- which resolvers are tried


@pytest.mark.parametrize("server", ["panel: local", "url: 'https://127.0.0.1:8443', secret_key_file: key"])
def test_the_resolvers_of_a_server_on_this_machine_are_tried_each(
    tmp_path: Path, settings_of: Callable[..., Settings], name_server: NastyDNS, server: str
) -> None:
    with PublicDNSServer(parse_records(""), address="127.0.0.3", port=name_server.port):
        path = resolv_conf(tmp_path, "127.0.0.3", "127.0.0.2", "127.0.0.1")  # nobody listens at the second one
        tried = own_resolver_prober(settings_of(server), resolv_conf=path, port=name_server.port)("web01", [MOVED])

    assert tried == (a_resolver("127.0.0.3"), a_resolver("127.0.0.2"), a_resolver("127.0.0.1", "moved.example"))


@pytest.mark.parametrize(
    ("written", "hosted"),
    [
        (("url: 'https://192.0.2.10:8443', secret_key_file: key",), [MOVED]),
        (("panel: local", ", own_resolvers: false"), [MOVED]),
        (("panel: local",), []),
        (("panel: local, resolvers: ['127.0.0.9']",), [MOVED]),
    ],
    ids=["another-machine", "not-wanted", "nothing-hosted", "others-written"],
)
def test_no_resolver_is_asked_where_there_is_nothing_to_learn(
    tmp_path: Path,
    settings_of: Callable[..., Settings],
    name_server: NastyDNS,
    written: tuple[str, ...],
    hosted: list[DomainName],
) -> None:
    path = resolv_conf(tmp_path, "127.0.0.1")

    tried = own_resolver_prober(settings_of(*written), resolv_conf=path, port=name_server.port)("web01", hosted)

    assert [one for one in tried if one.serves] == []
    assert name_server.udp_queries == []


def test_resolvers_that_are_written_for_a_server_are_tried_wherever_it_is(
    tmp_path: Path, settings_of: Callable[..., Settings], name_server: NastyDNS
) -> None:
    server = (
        "url: 'https://192.0.2.10:8443', secret_key_file: key, "
        f"resolvers: ['127.0.0.1:{name_server.port}', 'tcp://127.0.0.2']"
    )
    settings = settings_of(server, ", own_resolvers: false")

    tried = own_resolver_prober(settings, resolv_conf=tmp_path / "absent")("web01", [MOVED])

    assert tried == (a_resolver("127.0.0.1", "moved.example"), a_resolver("127.0.0.2"))


# ---- who is asked in a pass


@pytest.mark.parametrize(
    ("written", "is_asked"),
    [
        (("panel: local",), True),
        (("url: 'https://127.0.0.1:8443', secret_key_file: key",), True),
        (("url: 'https://192.0.2.10:8443', secret_key_file: key",), False),
        (("url: 'https://192.0.2.10:8443', secret_key_file: key, resolvers: ['192.0.2.53']",), True),
        (("panel: local", ", own_resolvers: false"), False),
        (("panel: local, resolvers: ['192.0.2.53']", ", own_resolvers: false"), True),
    ],
    ids=["local", "loopback", "elsewhere", "elsewhere-written", "not-wanted", "not-wanted-but-written"],
)
def test_a_pass_asks_the_resolvers_of_a_server_that_are_known(
    settings_of: Callable[..., Settings], written: tuple[str, ...], is_asked: bool
) -> None:
    (server,) = setup_of(settings_of(*written)).servers

    assert (server.own_view is not None) is is_asked


# ---- the whole check-up


def test_the_check_up_warns_of_the_server_and_asks_for_its_own_names_only(
    tmp_path: Path, settings_of: Callable[..., Settings], name_server: NastyDNS
) -> None:
    scene = Scene(tmp_path, "moved.example")
    scene.plesk.host("off.example", switch=Switch.OFF)
    scene.add_server("web02").host("elsewhere.example")
    path = resolv_conf(tmp_path, "127.0.0.1")
    prober = own_resolver_prober(settings_of(), resolv_conf=path, port=name_server.port)

    found = check_up(scene.setup, probe_vantages=lambda _: (), inspect_ledger=lambda: WELL, probe_own_resolvers=prober)

    ((subject, text),) = [(one.subject, one.text) for one in found if one.grade is Grade.WARNING]
    assert subject == "server web01"
    assert "(here.example, moved.example)" in text
    asked = {dns.message.from_wire(query).question[0].name.to_text().lower() for query in name_server.udp_queries}
    assert "moved.example." in asked
    assert asked.isdisjoint({"off.example.", "elsewhere.example."})


def test_a_server_whose_panel_cannot_be_read_has_no_names_to_ask_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.plesk.failure = InventoryError("web01: wrong key", code="authentication")
    asked: list[str] = []

    def prober(server: str, _: object) -> tuple[OwnResolver, ...]:
        asked.append(server)
        return ()

    check_up(scene.setup, probe_vantages=lambda _: (), inspect_ledger=lambda: WELL, probe_own_resolvers=prober)

    assert asked == []
