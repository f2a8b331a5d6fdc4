"""The simulated XML API over HTTPS: what it answers, what it refuses, how it misbehaves."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from mailswitch.core.domain import Kind, Platform, ServerAddress, Switch
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.simulation.certificates import self_signed
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.plesk_xml import XmlApiServer
from mailswitch.simulation.state import DEFAULT_KEY, DEFAULT_LOGIN, DEFAULT_PASSWORD, PanelState
from mailswitch.simulation.world import WorldDomain, WorldServer
from tests.support.agent import a_hosted, a_server, ask, packet, post, serving

DATASET = "<dataset><gen_info/></dataset>"
OFF = "<prefs><mailservice>false</mailservice></prefs>"
ALIAS_OFF = "<settings><pref><mail>false</mail></pref></settings>"
GET_IP = packet("<ip><get/></ip>")


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[XmlApiServer]:
    world = a_server(
        WorldDomain(name=DomainName("xn--bcher-kva.example"), display="bücher.example"),
        a_hosted("held.example", status=272, switch=Switch.OFF),
        a_hosted("addon.example", Kind.ADDON, of="held.example"),
        a_hosted("sub.addon.example", Kind.SUBDOMAIN, of="addon.example", switch=Switch.NOT_CONFIGURED),
        a_hosted("alias.example", Kind.ALIAS, of="xn--bcher-kva.example"),
        a_hosted("other.example", Kind.ALIAS, of="held.example", switch=Switch.OFF),
    )
    with serving(tmp_path, world) as server:
        yield server


def texts(reply: Element, path: str) -> list[str | None]:
    return [node.text for node in reply.findall(path)]


def set_prefs(*sites: int, prefs: str = OFF) -> str:
    ids = "".join(f"<site-id>{site}</site-id>" for site in sites)
    return f"<mail><set_prefs><filter>{ids}</filter>{prefs}</set_prefs></mail>"


def alias_set(filter_: str, settings: str = ALIAS_OFF) -> str:
    return f"<site-alias><set><filter>{filter_}</filter>{settings}</set></site-alias>"


# ---- reading


def test_webspaces_are_the_main_domains_with_both_forms_of_the_name(panel: XmlApiServer) -> None:
    reply = ask(panel, f"<webspace><get><filter/>{DATASET}</get></webspace>")

    info = "webspace/get/result/data/gen_info"
    assert texts(reply, f"{info}/ascii-name") == ["xn--bcher-kva.example", "held.example"]
    assert texts(reply, f"{info}/name") == ["bücher.example", "held.example"]
    assert texts(reply, f"{info}/status") == ["0", "272"]
    assert texts(reply, f"{info}/dns_ip_address")[:2] == ["10.0.0.5", "2001:db8::10"]


def test_sites_without_a_filter_leave_out_the_main_domains(panel: XmlApiServer) -> None:
    reply = ask(panel, f"<site><get><filter/>{DATASET}</get></site>")

    info = "site/get/result/data/gen_info"
    assert texts(reply, f"{info}/ascii-name") == ["addon.example", "sub.addon.example"]
    assert texts(reply, f"{info}/webspace-id") == ["4", "4"]


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        ("<id>5</id><id>6</id>", ["5", "6"]),
        ("<name>bücher.example</name>", ["3"]),
        ("<parent-id>4</parent-id>", ["4", "5", "6"]),
        ("<parent-site-id>5</parent-site-id>", ["6"]),
    ],
)
def test_sites_are_found_by_any_filter(panel: XmlApiServer, filter_: str, ids: list[str]) -> None:
    reply = ask(panel, f"<site><get><filter>{filter_}</filter>{DATASET}</get></site>")

    assert texts(reply, "site/get/result/id") == ids


def test_preferences_come_for_each_site_with_none_for_what_is_not_configured(panel: XmlApiServer) -> None:
    ids = "<site-id>3</site-id><site-id>4</site-id><site-id>6</site-id><site-id>999</site-id>"
    results = ask(panel, f"<mail><get_prefs><filter>{ids}</filter></get_prefs></mail>").findall("mail/get_prefs/result")

    assert [result.findtext("prefs/mailservice") for result in results] == ["true", "false", None, None]
    assert results[2].find("prefs/none") is not None
    assert [result.findtext("site-id") for result in results] == ["3", "4", "6", None]
    assert results[3].findtext("errcode") == "1013"


def test_aliases_have_their_own_switch(panel: XmlApiServer) -> None:
    info = "site-alias/get/result/info"
    reply = ask(panel, "<site-alias><get><filter/></get></site-alias>")

    assert texts(reply, f"{info}/ascii-name") == ["alias.example", "other.example"]
    assert texts(reply, f"{info}/pref/mail") == ["true", "false"]
    assert texts(reply, f"{info}/site-id") == ["3", "4"]


def test_addresses_come_with_what_nat_makes_of_them(panel: XmlApiServer) -> None:
    reply = ask(panel, "<ip><get/></ip>")

    path = "ip/get/result/addresses/ip_info"
    assert texts(reply, f"{path}/ip_address") == ["10.0.0.5", "2001:db8::10"]
    assert [node.findtext("public_ip_address") for node in reply.findall(path)] == ["203.0.113.10", None]


@pytest.mark.parametrize(("platform", "system"), [(Platform.LINUX, "Debian"), (Platform.WINDOWS, "Windows")])
def test_the_server_tells_its_name_version_and_system(tmp_path: Path, platform: Platform, system: str) -> None:
    own = (ServerAddress(address=address("203.0.113.1")),)
    world = WorldServer(name="w", addresses=own, version="18.0.49", platform=platform)
    with serving(tmp_path, world) as server:
        result = ask(server, "<server><get><gen_info/><stat/></get></server>").find("server/get/result")

    assert result is not None
    assert result.findtext("gen_info/server_name") == "plesk.hoster.example"
    assert result.findtext("stat/version/plesk_version") == "18.0.49"
    assert result.findtext("stat/version/plesk_os") == system


def test_operators_are_answered_in_the_order_of_the_packet(panel: XmlApiServer) -> None:
    reply = ask(panel, "<ip><get/></ip><server><get_protos/><get><gen_info/></get></server><ip><get/></ip>")

    assert [operator.tag for operator in reply] == ["ip", "server", "ip"]
    assert [operation.tag for operation in reply[1]] == ["get_protos", "get"]


def test_a_name_that_xml_cannot_hold_is_made_harmless(tmp_path: Path) -> None:
    shown = WorldDomain(name=DomainName("x.example"), display="a\x1b[2J<b>\u202e&")
    with serving(tmp_path, a_server(shown)) as server:
        reply = ask(server, f"<webspace><get><filter/>{DATASET}</get></webspace>")

    assert reply.findtext("webspace/get/result/data/gen_info/name") == "a\ufffd[2J<b>\u202e&"


# ---- who may ask, and how


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"KEY": "wrong"}, "11003"),
        ({"KEY": ""}, "11003"),
        ({}, "1001"),
        ({"HTTP_AUTH_LOGIN": DEFAULT_LOGIN, "HTTP_AUTH_PASSWD": "wrong"}, "1001"),
        ({"HTTP_AUTH_LOGIN": DEFAULT_LOGIN, "HTTP_AUTH_PASSWD": DEFAULT_PASSWORD}, None),
        ({"KEY": DEFAULT_KEY}, None),
    ],
)
def test_credentials_of_both_styles(panel: XmlApiServer, headers: Mapping[str, str], code: str | None) -> None:
    answer = post(panel, GET_IP, headers=headers)

    assert (answer.status, answer.xml.findtext("system/errcode")) == (200, code)


def test_a_key_is_good_for_the_address_it_is_bound_to(tmp_path: Path) -> None:
    state = PanelState.create(tmp_path / "panel.db", a_server(), key_address="192.0.2.1")
    with XmlApiServer(state, self_signed("127.0.0.1").write(tmp_path / "panel.pem")) as server:
        assert post(server, GET_IP).xml.findtext("system/errcode") == "11003"


@pytest.mark.parametrize(
    ("version", "code"), [("1.6.9.1", None), ("1.6", None), ("1.6.5", None), ("100.0.0", "1005"), ("x", "1005")]
)
def test_protocol_versions(panel: XmlApiServer, version: str, code: str | None) -> None:
    assert post(panel, packet("<ip><get/></ip>", version)).xml.findtext("system/errcode") == code
    assert panel.state.violations() == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<packet>",
        b"<packet/>",
        b"<other><ip><get/></ip></other>",
        b"<packet><nonsense><get/></nonsense></packet>",
        b"\xff\xfe",
        b'<!DOCTYPE p [<!ENTITY a "aaaa">]><packet><ip><get>&a;</get></ip></packet>',
        b'<?xml version="1.0" encoding="no-such"?><packet/>',
    ],
)
def test_what_is_no_packet_is_a_parse_error_and_a_violation(panel: XmlApiServer, body: bytes) -> None:
    assert post(panel, body).xml.findtext("system/errcode") == "1014"
    assert len(panel.state.violations()) == 1


def test_another_path_is_not_found(panel: XmlApiServer) -> None:
    assert post(panel, GET_IP, path="/login").status == 404


@pytest.mark.parametrize(("length", "status"), [("-1", 413), ("99999999", 413), ("many", 411)])
def test_a_body_without_a_sensible_length_is_refused(panel: XmlApiServer, length: str, status: int) -> None:
    assert post(panel, b"", headers={"KEY": DEFAULT_KEY, "Content-Length": length}).status == status


def test_error_texts_are_in_the_panel_s_language_which_changes(panel: XmlApiServer) -> None:
    said = {post(panel, GET_IP, headers={"KEY": "wrong"}).xml.findtext("system/errtext") for _ in range(2)}

    assert len(said) == 2
    assert any("秘密鍵" in (text or "") for text in said)


def test_an_operation_that_is_not_simulated_is_refused_without_a_violation_when_it_reads(panel: XmlApiServer) -> None:
    reply = ask(panel, "<dns><get_rec><filter/></get_rec></dns>")

    assert reply.findtext("dns/get_rec/result/errcode") == "1017"
    assert panel.state.violations() == ()


# ---- writing


def test_the_switches_of_several_sites_are_turned_with_a_result_for_each(panel: XmlApiServer) -> None:
    results = ask(panel, set_prefs(3, 999)).findall("mail/set_prefs/result")

    assert [(r.findtext("status"), r.findtext("errcode"), r.findtext("site-id")) for r in results] == [
        ("ok", None, "3"),
        ("error", "1013", "999"),
    ]
    assert panel.state.switch_of("xn--bcher-kva.example") is Switch.OFF
    assert [(w.name.text, w.to, w.interface, w.is_applied) for w in panel.state.writes()] == [
        ("xn--bcher-kva.example", Switch.OFF, "xml", True)
    ]
    assert panel.state.violations() == ()


def test_the_switch_of_an_alias_is_turned_and_nothing_else_changes(panel: XmlApiServer) -> None:
    result = ask(panel, alias_set("<id>1</id>")).find("site-alias/set/result")

    assert result is not None
    assert (result.findtext("status"), result.findtext("id")) == ("ok", "1")
    assert panel.state.switch_of("alias.example") is Switch.OFF
    assert panel.state.switch_of("xn--bcher-kva.example") is Switch.ON


@pytest.mark.parametrize(
    "inner",
    [
        set_prefs(),
        set_prefs(3, prefs="<prefs><none/></prefs>"),
        set_prefs(3, prefs="<prefs><webmail>none</webmail><mailservice>false</mailservice></prefs>"),
        set_prefs(3, prefs="<prefs><mailservice>0</mailservice></prefs>"),
        set_prefs(3, prefs=""),
        set_prefs(6),
        "<mail><set_prefs><filter><site-name>x</site-name></filter>" + OFF + "</set_prefs></mail>",
        "<mail><disable><site-id>3</site-id></disable></mail>",
        "<mail><enable><site-id>3</site-id></enable></mail>",
        "<mail><remove><filter><site-id>3</site-id></filter></remove></mail>",
        alias_set("<id>1</id>", "<settings><pref><web>false</web><mail>false</mail></pref></settings>"),
        alias_set("<id>1</id>", "<settings><status>1</status></settings>"),
        alias_set("<id>1</id>", "<settings><pref><mail>0</mail></pref></settings>"),
        alias_set("<id>1</id>", ""),
        alias_set("<nonsense>1</nonsense>"),
        alias_set("<id>1</id><name>other.example</name>"),
        "<site-alias><delete><filter/></delete></site-alias>",
        "<webspace><del><filter><id>3</id></filter></del></webspace>",
        "<secret_key><create/></secret_key>",
    ],
)
def test_any_other_write_is_refused_and_a_violation(panel: XmlApiServer, inner: str) -> None:
    reply = ask(panel, inner)

    assert {node.text for node in reply.iter("status")} == {"error"}
    assert {node.text for node in reply.iter("errcode")} <= {"1006", "1014", "1023"}
    assert len(panel.state.violations()) == 1
    assert panel.state.writes() == ()
    assert panel.state.switch_of("xn--bcher-kva.example") is Switch.ON


def test_refusing_disable_echoes_no_id(panel: XmlApiServer) -> None:
    reply = ask(panel, "<mail><disable><site-id>3</site-id></disable></mail>")

    assert [node.tag for node in reply.iter() if node.tag in {"site-id", "id", "filter-id"}] == []


def test_an_alias_that_is_not_there_is_said_by_what_was_asked_for(panel: XmlApiServer) -> None:
    result = ask(panel, alias_set("<name>no.example</name>")).find("site-alias/set/result")

    assert result is not None
    assert (result.findtext("errcode"), result.findtext("filter-id")) == ("1013", "no.example")
    assert panel.state.violations() == ()


def test_an_empty_filter_reaches_every_alias_and_is_a_violation(panel: XmlApiServer) -> None:
    ask(panel, alias_set(""))

    assert [panel.state.switch_of(name) for name in ("alias.example", "other.example")] == [Switch.OFF, Switch.OFF]
    assert "empty filter" in panel.state.violations()[0]


def test_the_journal_tells_reads_from_writes_and_keeps_no_key(panel: XmlApiServer) -> None:
    ask(panel, "<ip><get/></ip><server><get_protos/></server>")
    ask(panel, set_prefs(3))

    assert [(r.kind, r.operations, r.is_write) for r in panel.state.requests()] == [
        ("xml", ("ip/get", "server/get_protos"), False),
        ("xml", ("mail/set_prefs",), True),
    ]
    assert not any(DEFAULT_KEY in request.text for request in panel.state.requests())


# ---- misbehaving


@pytest.mark.parametrize(
    ("misbehaviour", "code"),
    [
        (Misbehaviour(fault=Fault.WRONG_KEY), "11003"),
        (Misbehaviour(fault=Fault.LICENCE_EXPIRED), "1030"),
        (Misbehaviour(fault=Fault.ERROR, code=1003), "1003"),
    ],
)
def test_errors_of_the_whole_request_happen_as_often_as_told(
    panel: XmlApiServer, misbehaviour: Misbehaviour, code: str
) -> None:
    panel.state.misbehave(misbehaviour, times=2)

    assert [post(panel, GET_IP).xml.findtext("system/errcode") for _ in range(3)] == [code, code, None]


def test_misbehaviour_without_an_end_lasts_until_it_is_cleared(panel: XmlApiServer) -> None:
    panel.state.misbehave(Misbehaviour(fault=Fault.LICENCE_EXPIRED), times=None)

    before = [post(panel, GET_IP).xml.findtext("system/errcode") for _ in range(3)]
    panel.state.clear_misbehaviour()

    assert before == ["1030"] * 3
    assert post(panel, GET_IP).xml.findtext("system/errcode") is None


def test_an_error_may_strike_one_operation_of_several(panel: XmlApiServer) -> None:
    panel.state.misbehave(Misbehaviour(fault=Fault.ERROR, code=1030, on="site/get"))

    reply = ask(panel, f"<ip><get/></ip><site><get><filter/>{DATASET}</get></site>")

    assert reply.findtext("site/get/result/errcode") == "1030"
    assert reply.findtext("ip/get/result/status") == "ok"


def test_misbehaviour_waits_for_the_request_it_is_about(panel: XmlApiServer) -> None:
    panel.state.misbehave(Misbehaviour(fault=Fault.ERROR, code=1008, on="write"))

    assert post(panel, GET_IP).xml.findtext("system/errcode") is None
    assert ask(panel, set_prefs(3)).findtext("system/errcode") == "1008"
    assert panel.state.switch_of("xn--bcher-kva.example") is Switch.ON


def test_a_write_is_applied_though_its_reply_is_lost(panel: XmlApiServer) -> None:
    panel.state.misbehave(Misbehaviour(fault=Fault.REPLY_LOST))

    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        post(panel, packet(set_prefs(3)))
    assert panel.state.switch_of("xn--bcher-kva.example") is Switch.OFF


def test_a_write_is_accepted_and_not_applied(panel: XmlApiServer) -> None:
    panel.state.misbehave(Misbehaviour(fault=Fault.NOT_APPLIED))

    assert ask(panel, set_prefs(3)).findtext("mail/set_prefs/result/status") == "ok"
    assert panel.state.switch_of("xn--bcher-kva.example") is Switch.ON
    assert [write.is_applied for write in panel.state.writes()] == [False]


def test_a_reply_is_cut_off_in_the_middle(panel: XmlApiServer) -> None:
    panel.state.misbehave(Misbehaviour(fault=Fault.CUT_OFF))

    with pytest.raises(http.client.IncompleteRead) as raised:
        post(panel, GET_IP)
    assert raised.value.partial.startswith(b"<?xml")


def test_a_web_page_garbage_an_empty_error_and_a_redirect(panel: XmlApiServer) -> None:
    for fault in (Fault.HTML, Fault.GARBAGE, Fault.SERVER_ERROR, Fault.REDIRECT):
        panel.state.misbehave(Misbehaviour(fault=fault, location="https://other.example/x"))

    html, garbage, error, redirect = (post(panel, GET_IP) for _ in range(4))

    assert (html.status, html.headers["Content-Type"], html.body[:9]) == (200, "text/html", b"<!DOCTYPE")
    assert (garbage.status, garbage.body[:1]) == (200, b"\x00")
    assert (error.status, error.body) == (500, b"")
    assert (redirect.status, redirect.headers["Location"]) == (307, "https://other.example/x")


def test_a_slow_answer_does_not_outlive_the_panel(tmp_path: Path) -> None:
    server = serving(tmp_path, a_server())
    server.state.misbehave(Misbehaviour(fault=Fault.SLOW, seconds=3600))
    failures: list[BaseException] = []

    def wait_for_it() -> None:
        try:
            post(server, GET_IP)
        except (OSError, http.client.HTTPException) as error:
            failures.append(error)

    waiting = threading.Thread(target=wait_for_it)
    waiting.start()
    while not server.state.requests():
        time.sleep(0)
    server.close()
    waiting.join(timeout=5)

    assert len(failures) == 1
    server.close()


def test_many_may_ask_at_once(panel: XmlApiServer) -> None:
    statuses: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask(panel, "<ip><get/></ip>").findtext("ip/get/result/status")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == ["ok"] * 8
    assert len(panel.state.requests("xml")) == 8
