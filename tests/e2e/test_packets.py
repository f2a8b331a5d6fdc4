"""Every packet of a whole pass and of an undoing, against Plesk's official schemas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import urllib3

from mailswitch.simulation.plesk_xml import AGENT_PATH
from mailswitch.simulation.schemas import SchemaSet
from tests.support.worlds import Play, Staged, a_world

ALIAS = "      - {name: alias.example, kind: alias, of: here0.example, mail: on}\n"
ALIAS_MX = "  alias.example. 60 IN MX 1 aspmx.l.google.com.\n"


@pytest.fixture
def schemas() -> SchemaSet:
    found = SchemaSet.from_environment()
    assert found is not None
    return found


@pytest.fixture
def played(staged: Staged) -> Play:
    """A world whose panel was read, and where a domain and an alias were turned off and on again."""
    play = staged(a_world(domains=ALIAS, dns=ALIAS_MX))
    play.ok("once", "--apply")
    play.ok("revert", "--all")
    play.ok("doctor")
    assert sorted(play.writes()) == [
        ("alias.example", "off"), ("alias.example", "on"), ("moved0.example", "off"), ("moved0.example", "on"),
    ]  # fmt: skip
    return play


@pytest.mark.schemas
def test_every_request_of_a_pass_is_valid(played: Play, schemas: SchemaSet) -> None:
    requests_ = played.stage.panel("web01").requests("xml")

    operations = {name for request in requests_ for name in request.operations}
    assert operations >= {
        "webspace/get", "site/get", "site-alias/get", "site-alias/set", "mail/get_prefs", "mail/set_prefs",
    }  # fmt: skip
    problems = {request.text: schemas.validate_request(request.text.encode()) for request in requests_}
    assert {text: found for text, found in problems.items() if found} == {}


@pytest.mark.schemas
def test_every_reply_to_them_is_valid(played: Play, schemas: SchemaSet) -> None:
    asked = played.stage.panel("web01").requests("xml")

    with _asking(played) as ask:
        replies = [(request.text, ask(request.text)) for request in asked]

    assert all(b"<status>ok</status>" in reply for _, reply in replies)
    problems = {text: schemas.validate_reply(reply) for text, reply in replies}
    assert {text: found for text, found in problems.items() if found} == {}


def test_writes_are_the_one_flag_and_nothing_else(played: Play) -> None:
    writes = [request.text for request in played.stage.panel("web01").requests("xml") if request.is_write]

    assert len(writes) == 4
    for text in writes:
        assert text.count("mailservice") == 2 or ("<pref><mail>" in text and "<filter><id>" in text)
        assert "<filter/>" not in text
        assert "<filter></filter>" not in text


class _Asking:
    """Asks a panel as the program does, to see its replies."""

    def __init__(self, url: str, key: str, session: requests.Session) -> None:
        self._url, self._key, self._session = url, key, session

    def __call__(self, text: str) -> bytes:
        headers = {"KEY": self._key, "Content-Type": "text/xml"}
        with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
            answer = self._session.post(self._url, data=text.encode(), headers=headers, timeout=10, verify=False)
        return answer.content


@contextmanager
def _asking(play: Play) -> Iterator[_Asking]:
    key = Path(play.stage.directory / "keys" / "web01.key").read_text(encoding="ascii").strip()
    with requests.Session() as session:
        session.trust_env = False
        yield _Asking(play.stage.xml_api("web01").url + AGENT_PATH, key, session)
