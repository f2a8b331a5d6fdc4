"""The keys of stranded mail: where mailboxes are, and how their mail is sent on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.config.rescue import Language
from mailswitch.config.settings import Settings

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

SERVERS = "servers: [{name: web01, panel: local}]\n"


def test_without_a_word_about_it_nothing_can_be_sent(load_yaml: Load) -> None:
    settings = load_yaml(SERVERS)

    assert settings.rescue.sender is None
    assert (settings.rescue.language, settings.rescue.rate, settings.rescue.batch) == (Language.ENGLISH, 30, 20)
    assert (settings.rescue.smtp.host, settings.rescue.smtp.port) == ("127.0.0.1", 25)
    assert (settings.servers[0].mailboxes.path, settings.servers[0].mailboxes.owner) == (
        Path("/var/qmail/mailnames"),
        None,
    )


def test_everything_can_be_configured(load_yaml: Load) -> None:
    settings = load_yaml(
        "servers: [{name: web01, panel: local, mailboxes: {path: /srv/mail, owner: vmail}}]\n"
        "rescue: {sender: help@münchen.example, language: ja, rate: 6, batch: 5, wait: 90s, "
        "smtp: {host: '::1', port: 2525, timeout: 5s}}\n"
    )

    assert settings.rescue.sender == "help@xn--mnchen-3ya.example"
    assert settings.rescue.language is Language.JAPANESE
    assert (settings.rescue.wait, settings.rescue.smtp.timeout) == (timedelta(seconds=90), timedelta(seconds=5))
    assert (settings.rescue.smtp.host, settings.rescue.smtp.port) == ("::1", 2525)
    assert (settings.servers[0].mailboxes.path, settings.servers[0].mailboxes.owner) == (Path("/srv/mail"), "vmail")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rescue: {sender: root}", "has no domain: other servers have to be able to answer it"),
        ("rescue: {sender: 'Help <help@example.net>'}", "is no mail address"),
        ("rescue: {sender: 'a@b.example\\r\\nX: y'}", "is no mail address"),
        ("rescue: {language: jp}", "ja"),
        ("rescue: {rate: 0}", "at least 1"),
        ("rescue: {batch: 100000}", "at most 1000"),
        ("rescue: {wait: 0s}", "has to be longer than 0s"),
        ("rescue: {smtp: {host: 'a b'}}", "is neither a host name nor an IP address"),
    ],
)
def test_what_would_not_work_is_refused(problems_in: Problems, text: str, problem: str) -> None:
    assert any(problem in one for one in problems_in(SERVERS + text))
