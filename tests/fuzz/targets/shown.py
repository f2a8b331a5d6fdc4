"""Texts of others shown to people: nothing of them acts on a terminal, a spreadsheet, JSON, a page or a mail's head.

An input is UTF-8 text, cut at U+001F into what is put in the places of a report and of a notice.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import SMTP
from functools import cache

from mailswitch.core.names import DomainName
from mailswitch.core.notices import Notice, NoticeKind
from mailswitch.core.reports import PassReport, ServerError
from mailswitch.core.route import Reason
from mailswitch.outlets.mail import MailSettings, MailWay
from mailswitch.report.csv_report import COLUMNS, report_csv
from mailswitch.report.html_report import html_report
from mailswitch.report.json_report import report_json
from mailswitch.report.notices import Issue, bulletin_of
from mailswitch.report.text_report import print_report
from tests.support.builders import NOW, a_decision, a_domain, a_report, a_server, an_alert, an_entry
from tests.support.html_pages import Element, html_page

__all__ = ["MAX_OCTETS", "TOKENS", "seeds", "try_one"]

MAX_OCTETS = 1_500
TOKENS = (
    b"\x1f", b"\x1b[2J", b"\x1b]0;", b"\x07", b"\r\n", b"\r\nBcc: x@y.example", b"=cmd|", b"@SUM(", b"+1", b"-1",
    b"[bold]", b"[/]", b"\xe2\x80\xae", b"\xe2\x80\x8b", b"\xc2\x9b", b"\xef\xbc\x9d", b'"', b"'", b",", b"</script>",
    b"<b>", b"</td>", b"<!--", b"&#60;", b" onclick=",
    b"\xf0\x9f\x92\xa9", b"\xcc\x81", b"\xe3\x85\xa4",
)  # fmt: skip
_PLACES = 6
_WAY = MailWay(
    MailSettings(
        to=("b@hoster.example",),
        sender="a@hoster.example",
        host="127.0.0.1",
        port=25,
        timeout=timedelta(seconds=1),
        helo="web01.hoster.example",
    )
)
_HEADS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
    "MIME-Version",
}  # fmt: skip


def try_one(data: bytes) -> None:
    """Put one input wherever texts of others are shown."""
    parts = data.decode("utf-8", "replace").split("\x1f")[:_PLACES]
    texts = [*parts, *[""] * (_PLACES - len(parts))]
    report = _report(texts)
    for width in (None, 40):
        stream = io.StringIO()
        print_report(report, stream, is_terminal=False, width=width, verbose=True)
        _check_plain(stream.getvalue())
    _check_csv(report_csv(report))
    json.loads(report_json(report))
    _check_html(report, texts)
    _check_mail(texts)


def _report(texts: list[str]) -> PassReport:
    display, reason, error, alert, failure, panel = texts
    entry = an_entry(
        domain=replace(a_domain("moved.example"), display_name=display),
        decision=a_decision(reasons=(Reason(code="elsewhere", text=reason),)),
        error=error,
    )
    servers = (a_server(entry, version=panel), a_server(name="web02", error=ServerError(code="x", text=failure)))
    return a_report(*servers, alerts=(an_alert(text=alert, name="moved.example"),))


def _check_plain(text: str) -> None:
    wrong = [character for character in text if not character.isprintable() and character not in "\n "]
    if [character for character in wrong if character != "\u00a0" and not character.isspace()]:
        raise AssertionError(f"shown as they are: {wrong!r}")


def _check_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    for row in rows:
        if len(row) != len(COLUMNS):
            raise AssertionError(f"a row has {len(row)} cells: {row!r}")
        for cell in row:
            if cell.lstrip()[:1] in set("=+-@\t\r") and cell:
                raise AssertionError(f"a spreadsheet would run {cell!r}")
            _check_plain(cell)


def _check_html(report: PassReport, texts: list[str]) -> None:
    page = html_page("".join(html_report(report)))
    if page.elements != _elements(tuple(map(bool, texts))):
        raise AssertionError("a text made or changed an element")
    _check_plain("".join(page.texts))


@cache
def _elements(are_there: tuple[bool, ...]) -> list[Element]:
    """Return what a page consists of that has a harmless text, or none, in each place."""
    report = _report(["harmless" if is_there else "" for is_there in are_there])
    return html_page("".join(html_report(report))).elements


def _check_mail(texts: list[str]) -> None:
    notice = Notice(kind=NoticeKind.ALERT, code="x", server=texts[4], name=DomainName("moved.example"), text=texts[3])
    bulletin = bulletin_of(Issue(host=texts[5], at=NOW, notices=(notice,)), display=lambda _: texts[0])
    _check_plain(bulletin.text)
    json.loads(bulletin.document)
    written = _WAY._message(bulletin, NOW).as_bytes()
    heads = set(message_from_bytes(written, policy=SMTP).keys())
    if heads - _HEADS:
        raise AssertionError(f"a text made a head of its own: {heads - _HEADS}")


def seeds() -> Iterator[bytes]:
    """Return texts that have fooled programs before."""
    for text in (
        "b\u00fccher.example\x1fMX aspmx.l.google.com", "\x1b[31mred\x1b[0m", "=1+1\x1f=1+1\x1f=1+1",
        "a\r\nBcc: x@y.example",
        "\u202egpj.exe", "[bold]x[/bold]", "\x1f".join(["\x9b2J"] * 6), "x" * 1_000, " \t=cmd()", "\u3164",
        "</td></title><script src=//x.example>", "'\" onclick=x <!-- ]]> {{ 7 * 7 }} &lt;",
    ):  # fmt: skip
        yield text.encode()
    yield b"\xff\xfe\x80"
