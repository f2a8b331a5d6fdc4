"""The xml-api panel against the simulated Plesk, and against replies that no simulation makes up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, Platform, Switch, SwitchTarget, target_of
from mailswitch.core.errors import ApplyError, ConfigError, InventoryError
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.plesk.credentials import Credentials, Key, Login
from mailswitch.plesk.secret import Secret
from mailswitch.plesk.tls import TlsSettings
from mailswitch.plesk.transport import TransportLimits
from mailswitch.plesk.xml_api import XmlApiPanel, XmlApiSettings, open_xml_api
from mailswitch.service.ports import Panel
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.plesk_xml import XmlApiServer
from mailswitch.simulation.schemas import SchemaSet
from mailswitch.simulation.state import DEFAULT_KEY, DEFAULT_LOGIN, DEFAULT_PASSWORD
from tests.support.agent import a_hosted, a_server, serving
from tests.support.raw_panel import RawPanel, Reply, Stall, a_panel, a_reply, a_write_reply

SITE = SwitchTarget(name=DomainName("moved.example"), kind=Kind.DOMAIN, panel_id="3")
ALIAS = SwitchTarget(name=DomainName("alias.example"), kind=Kind.ALIAS, panel_id="1")
WORLD = a_server(
    a_hosted("moved.example"),
    a_hosted("shop.moved.example", Kind.SUBDOMAIN, of="moved.example", switch=Switch.OFF),
    a_hosted("more.example", Kind.ADDON, of="moved.example", switch=Switch.NOT_CONFIGURED, status=16),
    a_hosted("alias.example", Kind.ALIAS, of="moved.example"),
    a_hosted("xn--bcher-kva.example"),
)


@pytest.fixture
def plesk(tmp_path: Path) -> Iterator[XmlApiServer]:
    with serving(tmp_path, WORLD) as found:
        yield found


def opened(
    plesk: XmlApiServer, *, credentials: Credentials | None = None, chunk: int = 250, waits: list[float] | None = None
) -> XmlApiPanel:
    settings = XmlApiSettings(
        server="web01",
        url=plesk.url,
        credentials=Key(Secret(DEFAULT_KEY)) if credentials is None else credentials,
        tls=TlsSettings(verify=False),
        chunk=chunk,
    )
    return open_xml_api(settings, sleep=([] if waits is None else waits).append)


@pytest.fixture
def panel(plesk: XmlApiServer) -> Iterator[XmlApiPanel]:
    found = opened(plesk)
    yield found
    found.close()
    assert plesk.state.violations() == ()


def test_the_panel_is_one_for_the_service(panel: XmlApiPanel) -> None:
    seam: Panel = panel

    assert (seam.server, seam.kind) == ("web01", "xml-api")


# ---- Inventory


def test_inventory_tells_everything_hosted(panel: XmlApiPanel) -> None:
    found = panel.inventory()

    assert {(d.name.text, d.kind, d.switch, d.is_suspended) for d in found.domains} == {
        ("moved.example", Kind.DOMAIN, Switch.ON, False),
        ("shop.moved.example", Kind.SUBDOMAIN, Switch.OFF, False),
        ("more.example", Kind.ADDON, Switch.NOT_CONFIGURED, True),
        ("alias.example", Kind.ALIAS, Switch.ON, False),
        ("xn--bcher-kva.example", Kind.DOMAIN, Switch.ON, False),
    }
    assert found.oddities == ()


def test_inventory_tells_the_server(panel: XmlApiPanel) -> None:
    found = panel.inventory()

    assert (found.server, found.panel, found.version, found.platform) == ("web01", "xml-api", "18.0.61", Platform.LINUX)
    assert found.host_name is not None
    assert {a.address: a.public for a in found.addresses} == {
        address("10.0.0.5"): address("203.0.113.10"),
        address("2001:db8::10"): None,
    }


def test_a_login_reads_the_same_as_a_key(plesk: XmlApiServer, panel: XmlApiPanel) -> None:
    by_login = opened(plesk, credentials=Login(name=DEFAULT_LOGIN, password=Secret(DEFAULT_PASSWORD)))

    assert by_login.inventory() == panel.inventory()
    by_login.close()


def test_inventory_tells_how_far_the_panels_clock_is_ahead(panel: XmlApiPanel) -> None:
    ahead = panel.inventory().clock_ahead

    assert ahead is not None
    assert abs(ahead) < timedelta(minutes=2)  # it is this machine's clock, told in whole seconds


@pytest.mark.parametrize("chunk", [1, 2, 3, 250])
def test_calls_for_an_inventory_are_two_and_one_a_chunk(plesk: XmlApiServer, chunk: int) -> None:
    panel = opened(plesk, chunk=chunk)
    panel.inventory()
    panel.close()

    assert len(plesk.state.requests("xml")) == 2 + math.ceil(4 / chunk)


def test_calls_for_2000_names_do_not_grow_but_for_chunks(tmp_path: Path) -> None:
    names = [a_hosted(f"d{number}.example") for number in range(2000)]
    with serving(tmp_path, a_server(*names)) as plesk:
        panel = opened(plesk)
        found = panel.inventory()
        panel.close()

        assert len(found.domains) == 2000
        assert len(plesk.state.requests("xml")) <= 2 + math.ceil(2000 / 250)


def test_an_empty_panel_has_an_empty_inventory(tmp_path: Path) -> None:
    with serving(tmp_path, a_server()) as plesk:
        panel = opened(plesk)

        assert panel.inventory().domains == ()
        panel.close()
        assert len(plesk.state.requests("xml")) == 2


def test_an_inventory_writes_nothing(plesk: XmlApiServer, panel: XmlApiPanel) -> None:
    panel.inventory()

    assert not any(request.is_write for request in plesk.state.requests())
    assert plesk.state.writes() == ()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.WRONG_KEY, "authentication"),
        (Fault.LICENCE_EXPIRED, "licence"),
        (Fault.HTML, "not-understood"),
        (Fault.GARBAGE, "not-understood"),
        (Fault.REDIRECT, "refused"),
        (Fault.SERVER_ERROR, "not-understood"),
    ],
)
def test_a_panel_that_misbehaves_ends_the_inventory_at_once(
    plesk: XmlApiServer, panel: XmlApiPanel, fault: Fault, code: str
) -> None:
    plesk.state.misbehave(Misbehaviour(fault=fault), times=None)

    with pytest.raises(InventoryError, match="web01") as caught:
        panel.inventory()
    assert caught.value.code == code
    assert len(plesk.state.requests()) == 1
    assert DEFAULT_KEY not in str(caught.value)


def test_a_wrong_key_is_told_as_such(plesk: XmlApiServer) -> None:
    panel = opened(plesk, credentials=Key(Secret("00000000-0000-0000-0000-000000000000")))

    with pytest.raises(InventoryError, match="11003") as caught:
        panel.inventory()
    panel.close()
    assert caught.value.code == "authentication"


def test_a_wrong_password_is_told_as_such(plesk: XmlApiServer) -> None:
    panel = opened(plesk, credentials=Login(name="admin", password=Secret("wrong")))

    with pytest.raises(InventoryError, match="1001") as caught:
        panel.inventory()
    panel.close()
    assert caught.value.code == "authentication"


@pytest.mark.parametrize("operation", ["webspace/get", "site/get", "site-alias/get", "ip/get"])
def test_an_inventory_without_one_of_its_parts_is_none(plesk: XmlApiServer, panel: XmlApiPanel, operation: str) -> None:
    plesk.state.misbehave(Misbehaviour(fault=Fault.ERROR, on=operation, code=1026), times=None)

    with pytest.raises(InventoryError) as caught:
        panel.inventory()
    assert caught.value.code == "incomplete"


def test_preferences_that_cannot_be_read_leave_switches_unknown(plesk: XmlApiServer, panel: XmlApiPanel) -> None:
    plesk.state.misbehave(Misbehaviour(fault=Fault.ERROR, on="mail/get_prefs", code=1026))
    found = panel.inventory()

    assert {d.switch for d in found.domains if d.kind is not Kind.ALIAS} == {Switch.UNKNOWN}
    assert "1026" in found.oddities[0]


def test_a_version_that_cannot_be_read_is_no_reason_to_fail(plesk: XmlApiServer, panel: XmlApiPanel) -> None:
    plesk.state.misbehave(Misbehaviour(fault=Fault.ERROR, on="server/get", code=1017))
    found = panel.inventory()

    assert (found.version, found.platform) == (None, Platform.UNKNOWN)
    assert found.domains


# ---- Retries


@pytest.mark.parametrize("fault", [Fault.CUT_OFF, Fault.ERROR])
def test_a_read_is_tried_again_after_a_passing_failure(plesk: XmlApiServer, fault: Fault) -> None:
    waits: list[float] = []
    panel = opened(plesk, waits=waits)
    plesk.state.misbehave(Misbehaviour(fault=fault), times=2)
    found = panel.inventory()
    panel.close()

    assert len(found.domains) == 5
    assert waits == [1.0, 4.0]


def test_a_read_is_tried_three_times_and_no_more(plesk: XmlApiServer) -> None:
    waits: list[float] = []
    panel = opened(plesk, waits=waits)
    plesk.state.misbehave(Misbehaviour(fault=Fault.ERROR, on="read", code=1008), times=None)

    with pytest.raises(InventoryError) as caught:
        panel.inventory()
    panel.close()
    assert caught.value.code == "unavailable"
    assert len(plesk.state.requests()) == 3
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.CUT_OFF, "reply-lost"),
        (Fault.REPLY_LOST, "reply-lost"),
        (Fault.ERROR, "unavailable"),
        (Fault.HTML, "not-understood"),
        (Fault.GARBAGE, "not-understood"),
        (Fault.REDIRECT, "refused"),
        (Fault.WRONG_KEY, "authentication"),
        (Fault.LICENCE_EXPIRED, "licence"),
        (Fault.SERVER_ERROR, "not-understood"),
    ],
)
@pytest.mark.parametrize("target", [SITE, ALIAS])
def test_a_write_is_never_tried_again(plesk: XmlApiServer, fault: Fault, code: str, target: SwitchTarget) -> None:
    waits: list[float] = []
    panel = opened(plesk, waits=waits)
    plesk.state.misbehave(Misbehaviour(fault=fault, on="write"), times=None)

    with pytest.raises(ApplyError, match=target.name.text) as caught:
        panel.turn(target, Switch.OFF)
    panel.close()
    assert caught.value.code == code
    assert len(plesk.state.requests()) == 1
    assert waits == []
    assert DEFAULT_KEY not in str(caught.value)


def test_a_write_that_could_not_be_sent_is_not_a_lost_reply(tmp_path: Path) -> None:
    with RawPanel(tmp_path) as raw:
        pinned_wrongly = a_panel(raw, tls=TlsSettings(fingerprints=("00" * 32,)))
        with pytest.raises(ApplyError) as unpinned:
            pinned_wrongly.turn(SITE, Switch.OFF)
        gone = a_panel(raw)
    with pytest.raises(ApplyError) as unreachable:
        gone.turn(SITE, Switch.OFF)

    assert unpinned.value.code == "certificate"
    assert unreachable.value.code == "unreachable"
    assert raw.seen == []


@pytest.mark.parametrize("stall", ["silent", "dripping", "closing"])
def test_a_write_that_stuck_in_the_handshake_is_not_a_lost_reply(tmp_path: Path, stall: Stall) -> None:
    limits = TransportLimits(connect_timeout=timedelta(seconds=0.2))
    with RawPanel(tmp_path, stalls=[stall]) as raw:
        panel = a_panel(raw, limits=limits)
        with pytest.raises(ApplyError) as caught:
            panel.turn(SITE, Switch.OFF)
        panel.close()

    assert caught.value.code == "unreachable"
    assert "may have been done" not in str(caught.value)
    assert raw.seen == []


@pytest.mark.parametrize("cut", [0, 1, 40, 80])
def test_a_write_whose_reply_is_cut_is_a_lost_reply(tmp_path: Path, cut: int) -> None:
    with RawPanel(tmp_path, [replace(a_write_reply(3), cut=cut)]) as raw:
        panel = a_panel(raw)
        with pytest.raises(ApplyError) as caught:
            panel.turn(SITE, Switch.OFF)
        panel.close()

        assert caught.value.code == "reply-lost"
        assert len(raw.seen) == 1


def test_a_cut_reply_of_the_length_it_announces_is_a_lost_reply(tmp_path: Path) -> None:
    with RawPanel(tmp_path, [Reply(body=b"<packet><mail><set_prefs><result><status>ok</sta")]) as raw:
        panel = a_panel(raw)
        with pytest.raises(ApplyError) as caught:
            panel.turn(SITE, Switch.OFF)
        panel.close()

    assert caught.value.code == "reply-lost"


# ---- Switches


@pytest.mark.parametrize("to", [Switch.OFF, Switch.ON])
def test_every_kind_is_turned_and_read_back(plesk: XmlApiServer, panel: XmlApiPanel, to: Switch) -> None:
    targets = [target_of(d) for d in panel.inventory().domains if d.switch is not Switch.NOT_CONFIGURED]
    for target in targets:
        panel.turn(target, to)

    assert [panel.read_switch(target) for target in targets] == [to] * len(targets)
    assert [(write.name, write.to) for write in plesk.state.writes()] == [(target.name, to) for target in targets]


def test_a_write_touches_one_name_only(plesk: XmlApiServer, panel: XmlApiPanel) -> None:
    panel.turn(ALIAS, Switch.OFF)

    assert plesk.state.switch_of("alias.example") is Switch.OFF
    assert plesk.state.switch_of("moved.example") is Switch.ON


def test_accepted_and_not_applied_shows_in_the_reading_back(plesk: XmlApiServer, panel: XmlApiPanel) -> None:
    plesk.state.misbehave(Misbehaviour(fault=Fault.NOT_APPLIED))
    panel.turn(SITE, Switch.OFF)

    assert panel.read_switch(SITE) is Switch.ON


def test_applied_with_the_reply_lost_shows_in_the_reading_back(plesk: XmlApiServer, panel: XmlApiPanel) -> None:
    plesk.state.misbehave(Misbehaviour(fault=Fault.REPLY_LOST))
    with pytest.raises(ApplyError):
        panel.turn(SITE, Switch.OFF)

    assert panel.read_switch(SITE) is Switch.OFF


@pytest.mark.parametrize("target", [SITE, ALIAS])
def test_a_name_that_is_gone_is_told_so(plesk: XmlApiServer, panel: XmlApiPanel, target: SwitchTarget) -> None:
    plesk.state.remove("alias.example")
    plesk.state.remove("moved.example")

    with pytest.raises(InventoryError) as read:
        panel.read_switch(target)
    assert read.value.code == "gone"
    with pytest.raises(ApplyError) as written:
        panel.turn(target, Switch.OFF)
    assert written.value.code == "gone"


def test_an_alias_id_that_bears_no_name_at_all_is_gone(tmp_path: Path) -> None:
    nameless = a_reply(
        "<site-alias><get><result><status>ok</status><id>1</id>"
        "<info><name>a b</name></info></result></get></site-alias>"
    )
    with RawPanel(tmp_path, [nameless]) as raw:
        panel = a_panel(raw)
        with pytest.raises(InventoryError) as caught:
            panel.read_switch(ALIAS)
        panel.close()

    assert caught.value.code == "gone"


def test_an_alias_id_that_bears_another_name_is_gone(panel: XmlApiPanel) -> None:
    renamed = SwitchTarget(name=DomainName("former.example"), kind=Kind.ALIAS, panel_id=ALIAS.panel_id)

    with pytest.raises(InventoryError) as caught:
        panel.read_switch(renamed)
    assert caught.value.code == "gone"


@pytest.mark.parametrize("to", [Switch.NOT_CONFIGURED, Switch.UNKNOWN])
@pytest.mark.parametrize("target", [SITE, ALIAS])
def test_nothing_is_turned_to_anything_else(
    plesk: XmlApiServer, panel: XmlApiPanel, to: Switch, target: SwitchTarget
) -> None:
    with pytest.raises(ValueError, match="on or off"):
        panel.turn(target, to)

    assert plesk.state.requests() == ()


@pytest.mark.parametrize("panel_id", ["", "0", "-1", "5 or 1", "<id/>", "9" * 40])
@pytest.mark.parametrize("kind", [Kind.DOMAIN, Kind.ALIAS])
def test_an_id_that_is_none_is_never_sent(plesk: XmlApiServer, panel: XmlApiPanel, panel_id: str, kind: Kind) -> None:
    target = SwitchTarget(name=SITE.name, kind=kind, panel_id=panel_id)

    with pytest.raises(ApplyError):
        panel.turn(target, Switch.OFF)
    with pytest.raises(InventoryError):
        panel.read_switch(target)
    assert plesk.state.requests() == ()


def test_an_answer_about_another_site_is_no_success(tmp_path: Path) -> None:
    other = a_reply("<mail><set_prefs><result><status>ok</status><site-id>4</site-id></result></set_prefs></mail>")
    with RawPanel(tmp_path, [other]) as raw:
        panel = a_panel(raw)
        with pytest.raises(ApplyError) as caught:
            panel.turn(SITE, Switch.OFF)
        panel.close()

    assert caught.value.code == "not-understood"


# ---- The rest


def test_closing_twice_is_harmless(plesk: XmlApiServer) -> None:
    panel = opened(plesk)
    panel.close()
    panel.close()

    assert panel.inventory().domains  # a session opens again by itself
    panel.close()


def test_a_url_without_tls_is_a_configuration_error() -> None:
    settings = XmlApiSettings(server="web01", url="http://127.0.0.1:8880", credentials=Key(Secret("k")))

    with pytest.raises(ConfigError, match="https"):
        open_xml_api(settings)


@pytest.mark.parametrize("chunk", [0, 1001])
def test_a_chunk_out_of_range_is_refused(chunk: int) -> None:
    with pytest.raises(ValueError, match="chunk"):
        XmlApiSettings(server="web01", url="https://h.example", credentials=Key(Secret("k")), chunk=chunk)


def test_limits_have_the_documented_defaults() -> None:
    assert TransportLimits().read_timeout.total_seconds() == 300


@pytest.mark.schemas
def test_every_request_of_a_full_pass_is_valid_against_the_official_schema(tmp_path: Path) -> None:
    schemas = SchemaSet.from_environment()
    assert schemas is not None
    with serving(tmp_path, WORLD, schemas=schemas) as plesk:
        panel = opened(plesk, chunk=2)
        for target in (target_of(domain) for domain in panel.inventory().domains if domain.switch is Switch.ON):
            panel.turn(target, Switch.OFF)
            panel.read_switch(target)
            panel.turn(target, Switch.ON)
        panel.close()

        requests = [request.text.encode() for request in plesk.state.requests("xml")]
        assert [schemas.validate_request(request) for request in requests] == [[]] * len(requests)
        assert plesk.state.violations() == ()
