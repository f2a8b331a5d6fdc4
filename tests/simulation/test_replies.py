"""Every kind of reply of the simulated XML API against Plesk's official schemas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, Switch
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.plesk_xml import XmlApiServer
from mailswitch.simulation.schemas import SchemaSet
from tests.support.agent import a_hosted, a_server, packet, post, serving

pytestmark = pytest.mark.schemas

_DATASET = "<dataset><gen_info/><hosting/></dataset>"

REQUESTS = {
    "webspaces": f"<webspace><get><filter/>{_DATASET}</get></webspace>",
    "subscriptions": "<webspace><get><filter><id>3</id></filter><dataset><subscriptions/></dataset></get></webspace>",
    "sites": f"<site><get><filter/>{_DATASET}</get></site>",
    "a site that is not there": f"<site><get><filter><id>999</id></filter>{_DATASET}</get></site>",
    "aliases": "<site-alias><get><filter/></get></site-alias>",
    "an alias that is not there": "<site-alias><get><filter><name>x.example</name></filter></get></site-alias>",
    "alias services": "<site-alias><get-supported-services/></site-alias>",
    "preferences": "<mail><get_prefs><filter><site-id>3</site-id><site-id>5</site-id></filter></get_prefs></mail>",
    "preferences of no site": "<mail><get_prefs><filter><site-id>999</site-id></filter></get_prefs></mail>",
    "mailboxes": "<mail><get_info><filter><site-id>3</site-id></filter><mailbox/><mailbox-usage/></get_info></mail>",
    "no mailboxes": "<mail><get_info><filter><site-id>5</site-id></filter><mailbox/></get_info></mail>",
    "mailboxes of no site": "<mail><get_info><filter><site-id>999</site-id></filter><mailbox/></get_info></mail>",
    "addresses": "<ip><get/></ip>",
    "server": "<server><get><gen_info/><stat/><services_state/></get></server>",
    "protocols": "<server><get_protos/></server>",
    "switch off": "<mail><set_prefs><filter><site-id>3</site-id></filter>"
    "<prefs><mailservice>false</mailservice></prefs></set_prefs></mail>",
    "switch off what is not there": "<mail><set_prefs><filter><site-id>999</site-id></filter>"
    "<prefs><mailservice>false</mailservice></prefs></set_prefs></mail>",
    "alias off": "<site-alias><set><filter><id>1</id></filter>"
    "<settings><pref><mail>false</mail></pref></settings></set></site-alias>",
    "alias off that is not there": "<site-alias><set><filter><id>99</id></filter>"
    "<settings><pref><mail>false</mail></pref></settings></set></site-alias>",
    "disable, which is refused": "<mail><disable><site-id>3</site-id></disable></mail>",
    "several operators": "<server><get><gen_info/></get></server><ip><get/></ip>"
    f"<webspace><get><filter/>{_DATASET}</get></webspace><site><get><filter/>{_DATASET}</get></site>"
    "<site-alias><get><filter/></get></site-alias>",
}


@pytest.fixture(scope="module")
def schemas() -> SchemaSet:
    found = SchemaSet.from_environment()
    assert found is not None, "the marker 'schemas' was selected without a folder of schemas"
    return found


@pytest.fixture
def panel(tmp_path: Path, schemas: SchemaSet) -> Iterator[XmlApiServer]:
    world = a_server(
        a_hosted("main.example"),
        a_hosted("addon.example", Kind.ADDON, of="main.example"),
        a_hosted("unset.main.example", Kind.SUBDOMAIN, of="main.example", switch=Switch.NOT_CONFIGURED),
        a_hosted("alias.example", Kind.ALIAS, of="main.example"),
    )
    with serving(tmp_path, world, schemas=schemas) as server:
        yield server


@pytest.mark.parametrize("inner", REQUESTS.values(), ids=REQUESTS.keys())
def test_request_and_reply_are_valid(panel: XmlApiServer, schemas: SchemaSet, inner: str) -> None:
    request = packet(inner, "1.6.9.1")

    reply = post(panel, request)

    assert schemas.validate_request(request) == []
    assert schemas.validate_reply(reply.body) == []
    assert b"<system>" not in reply.body


@pytest.mark.parametrize("code", [1001, 1005, 1014, 1030, 11003])
def test_errors_of_the_whole_packet_are_valid(panel: XmlApiServer, schemas: SchemaSet, code: int) -> None:
    panel.state.misbehave(Misbehaviour(fault=Fault.ERROR, code=code))

    reply = post(panel, packet("<ip><get/></ip>"))

    assert reply.xml.findtext("system/errcode") == str(code)
    assert schemas.validate_reply(reply.body) == []


@pytest.mark.parametrize("inner", REQUESTS.values(), ids=REQUESTS.keys())
def test_replies_of_an_empty_panel_are_valid(tmp_path: Path, schemas: SchemaSet, inner: str) -> None:
    with serving(tmp_path, a_server(), schemas=schemas) as server:
        assert schemas.validate_reply(post(server, packet(inner)).body) == []


def test_a_request_that_the_schema_rejects_is_a_parse_error_and_a_violation(panel: XmlApiServer) -> None:
    misplaced = f"<site><get>{_DATASET}<filter/></get></site>"

    reply = post(panel, packet(misplaced)).xml

    assert reply.findtext("system/errcode") == "1014"
    assert "the input schema rejects the packet" in panel.state.violations()[0]


def test_only_known_additions_are_overlooked(schemas: SchemaSet) -> None:
    reply = (
        b"<packet><mail><get_prefs><result><status>ok</status><site-id>3</site-id>"
        b"<prefs>%s</prefs></result></get_prefs></mail></packet>"
    )

    assert schemas.validate_reply(reply % b"<mailservice>true</mailservice><webmail-certificate/>") == []
    assert schemas.validate_reply(reply % b"<mailservice>true</mailservice><novelty/>") != []
