"""Request packets: what they hold, and that they hold nothing else."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import defusedxml.ElementTree
import pytest

from mailswitch.core.domain import Switch
from mailswitch.plesk import packets
from mailswitch.simulation.schemas import SchemaSet

EVERY_REQUEST = {
    "identity": packets.identity_request(),
    "domains": packets.domains_request(),
    "preferences": packets.prefs_request([5]),
    "many preferences": packets.prefs_request(range(1, 501)),
    "alias": packets.alias_request(7),
    "site off": packets.turn_site_request(5, Switch.OFF),
    "site on": packets.turn_site_request(5, Switch.ON),
    "alias off": packets.turn_alias_request(7, Switch.OFF),
    "alias on": packets.turn_alias_request(7, Switch.ON),
}


def parsed(request: bytes) -> Element:
    found: Element = defusedxml.ElementTree.fromstring(request)
    return found


def shape(node: Element) -> str:
    """The packet without spaces, attributes told apart."""
    inner = "".join(shape(child) for child in node) or (node.text or "").strip()
    attributes = "".join(f" {name}={value}" for name, value in node.attrib.items())
    return f"<{node.tag}{attributes}>{inner}</{node.tag}>"


@pytest.mark.schemas
@pytest.mark.parametrize("name", EVERY_REQUEST)
def test_every_request_is_valid_against_the_official_schema(name: str) -> None:
    schemas = SchemaSet.from_environment()

    assert schemas is not None
    assert schemas.validate_request(EVERY_REQUEST[name]) == []


@pytest.mark.parametrize("name", EVERY_REQUEST)
def test_no_request_names_a_protocol_version(name: str) -> None:
    assert parsed(EVERY_REQUEST[name]).attrib == {}


def test_identity_asks_for_name_version_and_addresses_in_one_packet() -> None:
    assert shape(parsed(packets.identity_request())) == (
        "<packet><server><get><gen_info></gen_info><stat></stat></get></server><ip><get></get></ip></packet>"
    )


def test_domains_asks_for_main_domains_sites_and_aliases_in_one_packet() -> None:
    get = "<get><filter></filter><dataset><gen_info></gen_info></dataset></get>"

    assert shape(parsed(packets.domains_request())) == (
        f"<packet><webspace>{get}</webspace><site>{get}</site>"
        "<site-alias><get><filter></filter></get></site-alias></packet>"
    )


def test_preferences_are_asked_for_by_id() -> None:
    found = parsed(packets.prefs_request([5, 12]))

    assert [node.text for node in found.findall("mail/get_prefs/filter/site-id")] == ["5", "12"]


def test_preferences_of_no_site_are_never_asked_for() -> None:
    with pytest.raises(ValueError, match="empty filter"):
        packets.prefs_request([])


@pytest.mark.parametrize(("to", "text"), [(Switch.ON, "true"), (Switch.OFF, "false")])
def test_a_site_is_turned_by_the_single_node_mailservice(to: Switch, text: str) -> None:
    assert shape(parsed(packets.turn_site_request(5, to))) == (
        "<packet><mail><set_prefs><filter><site-id>5</site-id></filter>"
        f"<prefs><mailservice>{text}</mailservice></prefs></set_prefs></mail></packet>"
    )


@pytest.mark.parametrize(("to", "text"), [(Switch.ON, "true"), (Switch.OFF, "false")])
def test_an_alias_is_turned_by_id_and_the_single_node_mail(to: Switch, text: str) -> None:
    assert shape(parsed(packets.turn_alias_request(7, to))) == (
        "<packet><site-alias><set><filter><id>7</id></filter>"
        f"<settings><pref><mail>{text}</mail></pref></settings></set></site-alias></packet>"
    )


@pytest.mark.parametrize("to", [Switch.NOT_CONFIGURED, Switch.UNKNOWN])
def test_nothing_is_turned_to_anything_but_on_and_off(to: Switch) -> None:
    with pytest.raises(ValueError, match="on or off"):
        packets.turn_site_request(5, to)
    with pytest.raises(ValueError, match="on or off"):
        packets.turn_alias_request(7, to)


@pytest.mark.parametrize("number", [0, -1])
def test_an_id_that_is_none_is_never_sent(number: int) -> None:
    with pytest.raises(ValueError, match="no id"):
        packets.turn_site_request(number, Switch.OFF)
    with pytest.raises(ValueError, match="no id"):
        packets.turn_alias_request(number, Switch.OFF)
