"""Reply packets, saved in the shapes that plesk.md documents and in those that only a broken or hostile panel sends."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import defusedxml.ElementTree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.domain import ServerAddress, Switch
from mailswitch.core.mx import address
from mailswitch.plesk import replies
from mailswitch.plesk.failures import PanelFailure
from mailswitch.plesk.records import whole_number

ON, OFF, NOT_CONFIGURED, UNKNOWN = Switch.ON, Switch.OFF, Switch.NOT_CONFIGURED, Switch.UNKNOWN

PREFS = (
    "<prefs><nonexistent-user><reject/></nonexistent-user><webmail>horde</webmail>"
    "<spam-protect-sign>true</spam-protect-sign><mailservice>{}</mailservice></prefs>"
)


def a_packet(inner: str) -> Element:
    return replies.packet(f'<packet version="1.6.9.1">{inner}</packet>'.encode())


def prefs(*results: str) -> Element:
    return a_packet(f"<mail><get_prefs>{''.join(results)}</get_prefs></mail>")


def ok(site_id: int, inner: str) -> str:
    return f"<result><status>ok</status><site-id>{site_id}</site-id>{inner}</result>"


def error(code: int, inner: str = "") -> str:
    return f"<result><status>error</status><errcode>{code}</errcode><errtext>Fehler</errtext>{inner}</result>"


def webspace(number: int, name: str, status: str = "0") -> str:
    return (
        f"<result><status>ok</status><id>{number}</id><data><gen_info><cr_date>2024-05-01</cr_date>"
        f"<name>{name}</name><ascii-name>{name}</ascii-name><status>{status}</status></gen_info></data></result>"
    )


def alias(number: int, inner: str) -> str:
    return f"<result><status>ok</status><id>{number}</id><info>{inner}</info></result>"


def failure(read: object, *arguments: object) -> PanelFailure:
    assert callable(read)
    with pytest.raises(PanelFailure) as caught:
        read(*arguments)
    return caught.value


# ---- Packets


_TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=5)
_TREES = st.recursive(
    st.builds(lambda tag, text: (tag, text, ()), st.sampled_from("abc"), _TEXTS),
    lambda inner: st.tuples(st.sampled_from(["result", "a:b", "ü"]), _TEXTS, st.lists(inner, max_size=3)),
    max_leaves=10,
)


def _grown(parent: Element, tree: tuple[str, str, Iterable[Any]]) -> None:
    tag, text, inner = tree
    grown = SubElement(parent, tag.replace(":", ""), {"kind": text})
    grown.text, grown.tail = text, text
    for each in inner:
        _grown(grown, each)


@given(_TREES, st.sampled_from(["utf-8", "utf-16", "iso-8859-1"]))
def test_a_packet_is_the_tree_that_the_guarded_parser_makes(
    tree: tuple[str, str, Iterable[Any]], encoding: str
) -> None:
    root = Element("packet", version="1.6.9.1")
    _grown(root, tree)
    body: bytes = tostring(root, encoding=encoding, xml_declaration=True)

    assert tostring(replies.packet(body)) == tostring(defusedxml.ElementTree.fromstring(body))


def test_a_packet_in_a_namespace_is_none_of_plesk() -> None:
    assert failure(replies.packet, b'<packet xmlns="urn:other"/>').code == "not-understood"


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>log in</body></html>",
        b"<!DOCTYPE html><html><body><p>log in</body></html>",
        b"<html><body>",
        b"no such thing",
        b"\x00\xff\xfe<packet <<<",
        b"<packet/><packet/>",
        b"<answer/>",
        b'<?xml version="1.0" encoding="no-such"?><packet/>',
        b'<?xml version="1.0" encoding="utf-7"?><packet/>',
        b"<packet>&nbsp;</packet>",
        b'<!DOCTYPE packet [<!ENTITY a "b">]><packet>&a;</packet>',
        b'<!DOCTYPE packet [<!ENTITY a SYSTEM "file:///etc/passwd">]><packet>&a;</packet>',
        b'<!DOCTYPE packet SYSTEM "http://127.0.0.1:1/x.dtd"><packet/>',
        b'<!DOCTYPE p [<!ENTITY a "aa"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]><packet>&c;</packet>',
    ],
)
def test_what_is_no_packet_is_not_understood(body: bytes) -> None:
    found = failure(replies.packet, body)

    assert found.code == "not-understood"
    assert not found.is_passing


@pytest.mark.parametrize(
    "body", [b"", b"<?xml ", b"<packet", b"<packet><mail>", b"<packet><a><![CDATA[x", b"<packet>\xc3"]
)
def test_a_packet_that_ends_too_early_is_told_apart(body: bytes) -> None:
    found = failure(replies.packet, body)

    assert found.code == "cut"
    assert found.is_passing


@given(st.binary(max_size=300))
def test_noise_is_a_packet_or_a_failure(noise: bytes) -> None:
    for body in (noise, b"<packet>" + noise, b"<packet>" + noise + b"</packet>"):
        with suppress(PanelFailure):
            assert replies.packet(body).tag == "packet"


@pytest.mark.parametrize("inner", [b"<a/>" * 2_000_000, b"<a>" * 2_000_000, b"<a b='c'/>" * 1_000_000])
def test_a_packet_of_too_many_tags_and_attributes_makes_no_tree(inner: bytes) -> None:
    found = failure(replies.packet, b"<packet>" + inner + b"</packet>")

    assert found.code == "not-understood"
    assert "2000000 tags and attributes" in found.text


def test_a_very_deep_packet_is_read_like_any_other() -> None:
    deep = b"<packet>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</packet>"

    assert failure(replies.aliases, replies.packet(deep)).code == "incomplete"


@given(st.integers(min_value=0, max_value=150))
def test_no_prefix_of_a_packet_is_taken_for_a_packet(length: int) -> None:
    whole = (
        b"<packet><mail><set_prefs><result><status>ok</status><site-id>5</site-id></result></set_prefs></mail></packet>"
    )
    found = failure(replies.packet, whole[: min(length, len(whole) - 1)])

    assert found.code == "cut"


@pytest.mark.parametrize(("errcode", "code"), [(1001, "authentication"), (11003, "authentication"), (1030, "licence")])
def test_an_error_for_the_whole_packet_is_told_by_its_number(errcode: int, code: str) -> None:
    system = (
        f"<system><status>error</status><errcode>{errcode}</errcode><errtext>Zugriff\x7f verweigert</errtext></system>"
    )
    found = failure(a_packet, system)

    assert found.code == code
    assert str(errcode) in found.text
    assert "\x7f" not in found.text


def test_a_system_node_without_a_status_is_an_error() -> None:
    assert failure(a_packet, "<system/>").code == "refused"


@pytest.mark.parametrize("text", ["", None, "-1", "1.5", "٣", "0x1", "9" * 5000, "1e3", "²"])
def test_what_is_no_whole_number_is_none(text: str | None) -> None:
    assert whole_number(text) is None


# ---- Server and addresses


def test_server_tells_name_version_and_system() -> None:
    found = replies.server_record(
        a_packet(
            "<server><get><result><status>ok</status><gen_info><server_name>plesk.example.net</server_name></gen_info>"
            "<stat><version><plesk_version>18.0.61</plesk_version><plesk_os>Debian</plesk_os></version></stat>"
            "</result></get></server>"
        )
    )

    assert (found.host_name, found.version, found.system) == ("plesk.example.net", "18.0.61", "Debian")


@pytest.mark.parametrize("inner", ["", "<server/>", f"<server><get>{error(1023)}</get></server>"])
def test_a_server_that_tells_nothing_is_no_reason_to_fail(inner: str) -> None:
    found = replies.server_record(a_packet(inner))

    assert (found.host_name, found.version, found.system) == (None, None, None)


def test_a_key_with_too_few_rights_fails() -> None:
    reply = a_packet(f"<server><get>{error(1006)}</get></server>")

    assert failure(replies.server_record, reply).code == "authentication"


def ip(inner: str) -> Element:
    return a_packet(f"<ip><get><result><status>ok</status><addresses>{inner}</addresses></result></get></ip>")


def test_addresses_come_with_their_public_ones() -> None:
    reply = ip(
        "<ip_info><ip_address>10.0.0.5</ip_address><public_ip_address>203.0.113.10</public_ip_address></ip_info>"
        "<ip_info><ip_address>2001:DB8::10/64</ip_address><public_ip_address/></ip_info>"
        "<ip_info><ip_address>203.0.113.11</ip_address><public_ip_address>0.0.0.0</public_ip_address></ip_info>"
    )

    assert replies.addresses(reply) == (
        ServerAddress(address=address("10.0.0.5"), public=address("203.0.113.10")),
        ServerAddress(address=address("2001:db8::10")),
        ServerAddress(address=address("203.0.113.11")),
    )


@pytest.mark.parametrize("text", ["", "no address", "203.0.113.300", "203.0.113.10 "[:-4] + "x"])
def test_an_address_that_is_none_fails_the_inventory(text: str) -> None:
    assert (
        failure(replies.addresses, ip(f"<ip_info><ip_address>{text}</ip_address></ip_info>")).code == "not-understood"
    )


@pytest.mark.parametrize("reply", [ip(""), a_packet(""), a_packet("<ip/>"), a_packet("<ip><get/></ip>")])
def test_a_server_without_addresses_is_incomplete(reply: Element) -> None:
    assert failure(replies.addresses, reply).code == "incomplete"


# ---- Domains


def everything(webspaces: str = "", sites: str = "") -> Element:
    return a_packet(f"<site><get>{sites}</get></site><webspace><get>{webspaces}</get></webspace>")


def test_operators_are_told_apart_by_name_whatever_their_order() -> None:
    site = webspace(12, "shop.example").replace(
        "</status></gen_info>", "</status><webspace-id>5</webspace-id></gen_info>"
    )
    found = replies.sites(everything(webspace(5, "main.example", "272"), site))

    assert [(s.id, s.ascii_name, s.webspace_id, s.status) for s in found] == [
        (5, "main.example", 0, 272),
        (12, "shop.example", 5, 0),
    ]
    assert found[0].created == date(2024, 5, 1)


@pytest.mark.parametrize("nothing", ["", "<result><status>ok</status></result>", error(1013)])
def test_no_object_at_all_is_told_in_three_ways(nothing: str) -> None:
    assert replies.sites(everything(nothing, nothing)) == ()


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("", "incomplete"),
        ("<webspace><get/></webspace>", "incomplete"),
        ("<site><get/></site>", "incomplete"),
        (f"<webspace><get>{error(1014)}</get></webspace><site><get/></site>", "incomplete"),
        (f"<webspace><get/></webspace><site><get>{error(1026)}</get></site>", "incomplete"),
        (f"<webspace><get>{webspace(5, 'a.example')}{error(1013)}</get></webspace><site><get/></site>", "incomplete"),
        (f"<webspace><get>{error(1006)}</get></webspace><site><get/></site>", "authentication"),
        (f"<webspace><get>{error(1023)}</get></webspace><site><get/></site>", "unavailable"),
        (f"<webspace><get/></webspace><site><get>{webspace(9, 'a.example')}</get></site>", "incomplete"),
        (
            "<webspace><get><result><status>ok</status><id>5</id></result></get></webspace><site><get/></site>",
            "incomplete",
        ),
        (
            "<webspace><get><result><id>5</id><data><gen_info/></data></result></get></webspace><site><get/></site>",
            "incomplete",
        ),
    ],
)
def test_a_part_of_the_domains_is_no_inventory(inner: str, code: str) -> None:
    assert failure(replies.sites, a_packet(inner)).code == code


@pytest.mark.parametrize(
    ("told", "wanted"),
    [("true", ON), ("1", ON), ("false", OFF), ("0", OFF), ("TRUE", ON), ("", UNKNOWN), ("yes", UNKNOWN)],
)
def test_the_switch_of_an_alias(told: str, wanted: Switch) -> None:
    inner = (
        f"<status>8</status><pref><web>true</web><mail>{told}</mail></pref><site-id>5</site-id><name>b.example</name>"
    )
    (found,) = replies.aliases(a_packet(f"<site-alias><get>{alias(7, inner)}</get></site-alias>"))

    assert (found.id, found.site_id, found.status, found.switch) == (7, 5, 8, wanted)
    assert (found.ascii_name, found.name) == (None, "b.example")


def test_an_alias_without_a_status_is_active() -> None:
    (found,) = replies.aliases(a_packet(f"<site-alias><get>{alias(7, '<name>b.example</name>')}</get></site-alias>"))

    assert found.status == 0


@pytest.mark.parametrize("inner", ["", f"<site-alias><get>{error(1014)}</get></site-alias>"])
def test_without_its_aliases_an_inventory_is_incomplete(inner: str) -> None:
    assert failure(replies.aliases, a_packet(inner)).code == "incomplete"


# ---- Switches


@pytest.mark.parametrize(
    ("inner", "wanted"),
    [
        (PREFS.format("true"), ON),
        (PREFS.format("false"), OFF),
        (PREFS.format(" 1 "), ON),
        (PREFS.format("0"), OFF),
        (PREFS.format("maybe"), UNKNOWN),
        (PREFS.format(""), UNKNOWN),
        ("<prefs><none/></prefs>", NOT_CONFIGURED),
        ("<prefs><none/><mailservice>true</mailservice></prefs>", UNKNOWN),
        ("<prefs><mailservice>true</mailservice><mailservice>true</mailservice></prefs>", UNKNOWN),
        ("<prefs/>", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_preferences_say_on_off_not_configured_or_nothing_to_rely_on(inner: str, wanted: Switch) -> None:
    found, _, odd = replies.switches(prefs(ok(5, inner)), [5])

    assert found == {5: wanted}
    assert odd == ()


def test_a_site_that_got_no_answer_is_unknown() -> None:
    found, _, _ = replies.switches(prefs(ok(5, PREFS.format("true"))), [5, 12])

    assert found == {5: ON, 12: UNKNOWN}


def test_an_error_that_names_its_site_makes_that_site_unknown() -> None:
    reply = prefs(error(1013, "<site-id>12</site-id>"), ok(5, PREFS.format("false")))
    found, faults, odd = replies.switches(reply, [5, 12])

    assert found == {5: OFF, 12: UNKNOWN}
    assert faults[12].is_gone
    assert "12" in odd[0]


def test_an_error_that_names_no_site_is_never_guessed_to_be_the_next_one() -> None:
    reply = prefs(error(1023), ok(5, PREFS.format("true")), ok(9, PREFS.format("false")))
    found, faults, odd = replies.switches(reply, [5, 7, 9])

    assert found == {5: ON, 7: UNKNOWN, 9: OFF}
    assert faults == {}
    assert len(odd) == 1


def test_an_operation_that_does_not_work_for_now_is_a_failure_to_try_again_and_no_answer() -> None:
    with pytest.raises(PanelFailure, match="1023") as caught:
        replies.switches(prefs(error(1023)), [5, 7])

    assert (caught.value.code, caught.value.is_passing) == ("unavailable", True)


@pytest.mark.parametrize("code", [1013, 1026])
def test_an_operation_with_a_lasting_error_leaves_its_sites_unknown(code: int) -> None:
    found, _, odd = replies.switches(prefs(error(code)), [5, 7])

    assert found == {5: UNKNOWN, 7: UNKNOWN}
    assert len(odd) == 1


def test_the_only_error_about_the_only_site_asked_for_is_about_that_site() -> None:
    found, faults, _ = replies.switches(prefs(error(1013)), [5])

    assert found == {5: UNKNOWN}
    assert faults[5].is_gone


def test_an_answer_about_another_site_is_left_out_and_told() -> None:
    found, _, odd = replies.switches(prefs(ok(99, PREFS.format("true"))), [5])

    assert found == {5: UNKNOWN}
    assert "99" in odd[0]


def test_contradictory_answers_are_unknown_whatever_their_order() -> None:
    on, off = ok(5, PREFS.format("true")), ok(5, PREFS.format("false"))

    assert replies.switches(prefs(on, off), [5])[0] == {5: UNKNOWN}
    assert replies.switches(prefs(off, on), [5])[0] == {5: UNKNOWN}
    assert replies.switches(prefs(on, off, on), [5])[0] == {5: UNKNOWN}
    assert replies.switches(prefs(on, on), [5])[0] == {5: ON}


@pytest.mark.parametrize(("errcode", "code"), [(1001, "authentication"), (1030, "licence")])
def test_an_error_about_ourselves_fails_the_reading(errcode: int, code: str) -> None:
    assert failure(replies.switches, prefs(error(errcode)), [5]).code == code


def test_an_answer_to_something_else_fails_the_reading() -> None:
    assert failure(replies.switches, a_packet("<mail/>"), [5]).code == "incomplete"


# ---- Writes


def done(*results: str) -> Element:
    return a_packet(f"<mail><set_prefs>{''.join(results)}</set_prefs></mail>")


def test_a_success_for_the_id_that_was_meant_is_one() -> None:
    assert replies.check_done(done(ok(5, "")), "mail/set_prefs", "site-id", 5) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((), "not-understood"),
        ((ok(6, ""),), "not-understood"),
        ((ok(5, ""), ok(6, "")), "not-understood"),
        (("<result><status>ok</status></result>",), "not-understood"),
        (("<result><site-id>5</site-id></result>",), "refused"),
        ((error(1013, "<site-id>5</site-id>"),), "gone"),
        ((error(1024),), "refused"),
        ((error(1030),), "licence"),
        ((ok(5, ""), error(1023)), "unavailable"),
    ],
)
def test_anything_else_is_no_success(results: tuple[str, ...], code: str) -> None:
    assert failure(replies.check_done, done(*results), "mail/set_prefs", "site-id", 5).code == code
