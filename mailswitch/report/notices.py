"""One bulletin, as a mail's subject and text and as a JSON document, schema ``mailswitch/notice/1`` (docs/notices.md).

However much happened, a bulletin is bounded, and it says what it leaves out. All foreign text in subject and text is
cleaned here; in the document it reads back exactly, as in every other document.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailswitch.core.names import DomainName
from mailswitch.core.notices import Bulletin, Digest, Notice, NoticeKind
from mailswitch.core.policy import Mode
from mailswitch.core.words import counted, duration
from mailswitch.report.clean import printable
from mailswitch.report.documents import document, moment
from mailswitch.report.records import change_fields, shown_moment

__all__ = ["NOTICE_SCHEMA", "Issue", "bulletin_of"]

NOTICE_SCHEMA = "mailswitch/notice/1"

_MOST_IN_TEXT = 100
_MOST_IN_DOCUMENT = 1_000
_LONGEST_SUBJECT = 150
_LONGEST_LINE = 400

_TITLES = {
    NoticeKind.MAIL_REFUSED: "Mail is refused that should be accepted",
    NoticeKind.FAILING: "Newly failing",
    NoticeKind.CHANGE_FAILED: "Changes that failed",
    NoticeKind.REFUSED: "Held back by a limit",
    NoticeKind.ALERT: "Alerts",
    NoticeKind.CHANGED: "Changed",
    NoticeKind.MAIL_ACCEPTED: "Mail is accepted again",
    NoticeKind.RECOVERED: "Working again",
}
"""In the order in which they are told: what hurts first."""

_SHORT = {
    NoticeKind.MAIL_REFUSED: "mail refused",
    NoticeKind.FAILING: "failing",
    NoticeKind.CHANGE_FAILED: "not changed",
    NoticeKind.REFUSED: "held back by a limit",
    NoticeKind.ALERT: "alerts",
    NoticeKind.CHANGED: "changed",
    NoticeKind.MAIL_ACCEPTED: "mail accepted again",
    NoticeKind.RECOVERED: "working again",
}

_WHAT_TO_DO = {
    NoticeKind.MAIL_REFUSED: "mailswitch explain DOMAIN says why; mailswitch switch DOMAIN on --reason TEXT ends it",
    NoticeKind.FAILING: "mailswitch doctor says what each failure means",
    NoticeKind.CHANGE_FAILED: "mailswitch history DOMAIN has the record; the next pass tries again",
    NoticeKind.REFUSED: "mailswitch report shows what is held back, and the command that applies it once reviewed",
    NoticeKind.CHANGED: "mailswitch revert DOMAIN undoes a change; mailswitch history has the evidence",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What goes into one bulletin."""

    host: str
    """The machine mailswitch runs on."""
    at: datetime
    run_id: str | None = None
    """None where no pass could be made, and for tests."""
    mode: Mode | None = None
    notices: tuple[Notice, ...] = ()
    digest: Digest | None = None
    is_test: bool = False


def bulletin_of(issue: Issue, *, display: Callable[[DomainName], str] = str) -> Bulletin:
    """Return an issue in all its forms.

    Args:
        issue: What to tell.
        display: Makes the name people know from a name; by default its A-labels.
    """
    fields = _fields(issue)
    content = json.dumps(fields, ensure_ascii=True, sort_keys=True)
    number = hashlib.sha256(content.encode("ascii")).hexdigest()[:16]
    return Bulletin(
        id=number,
        subject=_subject(issue),
        text="".join(f"{line}\n" for line in _text(issue, display)),
        document=document(NOTICE_SCHEMA, {"id": number, **fields}),
    )


def _ordered(notices: Iterable[Notice]) -> list[Notice]:
    order = list(_TITLES)
    return sorted(
        notices, key=lambda one: (order.index(one.kind), one.server, "" if one.name is None else one.name.text)
    )


# --- For programs --------------------------------------------------------------------------------


def _fields(issue: Issue) -> dict[str, object]:
    notices = _ordered(issue.notices)
    return {
        "test": issue.is_test,
        "host": issue.host,
        "at": moment(issue.at),
        "run": issue.run_id,
        "mode": None if issue.mode is None else issue.mode.value,
        "notices": [_notice_fields(notice) for notice in notices[:_MOST_IN_DOCUMENT]],
        "left_out": max(len(notices) - _MOST_IN_DOCUMENT, 0),
        "digest": None if issue.digest is None else _digest_fields(issue.digest),
    }


def _notice_fields(notice: Notice) -> dict[str, object]:
    change = notice.change
    unwanted = {"server", "name", "evidence"}
    return {
        "kind": notice.kind.value,
        "code": notice.code,
        "server": notice.server or None,
        "name": None if notice.name is None else notice.name.text,
        "text": notice.text,
        "change": None
        if change is None
        else {key: value for key, value in change_fields(change).items() if key not in unwanted},
    }


def _digest_fields(digest: Digest) -> dict[str, object]:
    return {
        "since": moment(digest.since),
        "until": moment(digest.until),
        "done": digest.done,
        "failed": digest.failed,
        "servers": [
            {
                "name": one.server,
                "last_pass": moment(one.finished),
                "error": None if one.error_code is None else {"code": one.error_code, "text": one.error_text},
                "counts": dict(one.counts),
            }
            for one in digest.passes[:_MOST_IN_DOCUMENT]
        ],
        "standing": [
            {
                "kind": told.kind.value,
                "code": told.code,
                "server": told.server or None,
                "name": None if told.name is None else told.name.text,
                "text": told.text,
                "since": moment(told.said_at),
            }
            for told in digest.standing[:_MOST_IN_DOCUMENT]
        ],
    }


# --- For people ----------------------------------------------------------------------------------


def _subject(issue: Issue) -> str:
    if issue.is_test:
        words = "test notice"
    else:
        kinds = Counter(notice.kind for notice in issue.notices)
        parts = [f"{kinds[kind]} {_SHORT[kind]}" for kind in _TITLES if kinds[kind]]
        words = ", ".join([*parts, *(["daily digest"] if issue.digest is not None else [])])
    return _line(f"[mailswitch {issue.host}] {words}", _LONGEST_SUBJECT)


def _text(issue: Issue, display: Callable[[DomainName], str]) -> Iterator[str]:
    mode = "" if issue.mode is None else f", mode {issue.mode}"
    run = "" if issue.run_id is None else f", run {issue.run_id}"
    yield _line(f"mailswitch on {issue.host}, {shown_moment(issue.at)}{mode}{run}")
    if issue.is_test:
        yield ""
        yield "This is a test: mailswitch notify --test sent it. Notices reach you this way."
    notices = _ordered(issue.notices)
    shown = notices[:_MOST_IN_TEXT]
    for kind, title in _TITLES.items():
        of_kind = [notice for notice in shown if notice.kind is kind]
        if of_kind:
            yield from _section(kind, title, of_kind, display)
    if len(notices) > len(shown):
        yield ""
        yield f"And {len(notices) - len(shown)} more: mailswitch history, mailswitch report"
    if issue.digest is not None:
        yield from _digest(issue.digest, display)


def _section(
    kind: NoticeKind, title: str, notices: Sequence[Notice], display: Callable[[DomainName], str]
) -> Iterator[str]:
    yield ""
    yield title
    for notice in notices:
        yield _line(f"  {_subject_of(notice.server, notice.name, display)}: {notice.text}")
    if kind in _WHAT_TO_DO:
        yield f"  -> {_WHAT_TO_DO[kind]}"


def _digest(digest: Digest, display: Callable[[DomainName], str]) -> Iterator[str]:
    yield ""
    yield f"Since {shown_moment(digest.since)}: {digest.done} changed, {digest.failed} failed"
    for one in digest.passes[:_MOST_IN_TEXT]:
        counts = dict(one.counts)
        words = [f"{counts[key]} {key.replace('_', ' ')}" for key in counts if counts[key] and key != "domains"]
        state = ", ".join(words) if one.error_code is None else f"{one.error_code}: {one.error_text or ''}"
        names = counted(counts.get("domains", 0), "name")
        ago = duration(digest.until - one.finished)
        yield _line(f"  {one.server}: last pass {ago} ago, {names}; {state or 'nothing to do'}")
    if digest.standing:
        yield ""
        yield "Still standing"
        for told in digest.standing[:_MOST_IN_TEXT]:
            about = _subject_of(told.server, told.name, display)
            yield _line(f"  {about}: {told.text} (since {shown_moment(told.said_at)})")
        more = len(digest.standing) - _MOST_IN_TEXT
        if more > 0:
            yield f"  and {more} more: mailswitch status, mailswitch report"


def _subject_of(server: str, name: DomainName | None, display: Callable[[DomainName], str]) -> str:
    if name is None:
        return server or "mailswitch"
    return f"{display(name)} ({server})"


def _line(text: str, longest: int = _LONGEST_LINE) -> str:
    clean = printable(text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
