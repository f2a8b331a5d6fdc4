"""A bulletin says what hurts first, is bounded whatever happened, and no foreign text can do anything in it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.ledger import Outcome, ServerPass
from mailswitch.core.names import DomainName
from mailswitch.core.notices import Digest, Notice, NoticeKind, Told
from mailswitch.core.policy import Mode
from mailswitch.core.reports import Summary
from mailswitch.report.notices import NOTICE_SCHEMA, Issue, bulletin_of
from tests.support.builders import NOW, a_change
from tests.support.report_strategies import names, texts

PAGE = (Path(__file__).parents[2] / "docs" / "notices.md").read_text(encoding="utf-8")


def a_notice(
    kind: NoticeKind = NoticeKind.FAILING,
    *,
    code: str = "unreachable",
    name: str | None = None,
    text: str = "no answer",
) -> Notice:
    return Notice(kind=kind, code=code, server="web01", name=None if name is None else DomainName(name), text=text)


CHANGED = Notice(
    kind=NoticeKind.CHANGED,
    code="changed",
    server="web01",
    name=DomainName("xn--bcher-kva.example"),
    text="turned off by mailswitch: MX is at Google",
    change=a_change("xn--bcher-kva.example"),
)
TOLD = Told(
    kind=NoticeKind.ALERT, code="never-local", server="web01", name=DomainName("gmail.com"), text="catches", said_at=NOW
)
DIGEST = Digest(
    since=NOW - timedelta(days=1),
    until=NOW,
    done=2,
    failed=1,
    standing=(TOLD,),
    passes=(
        ServerPass(
            run_id="r",
            server="web01",
            finished=NOW - timedelta(minutes=5),
            error_code=None,
            error_text=None,
            counts=tuple({**asdict(Summary()), "domains": 33, "keep": 30, "on_review": 3}.items()),
        ),
        ServerPass(run_id="r", server="web02", finished=NOW, error_code="x", error_text="broken", counts=()),
    ),
)


def an_issue(*notices: Notice, digest: Digest | None = None, is_test: bool = False) -> Issue:
    return Issue(
        host="web01.example.net",
        at=NOW,
        run_id="r1",
        mode=Mode.ENFORCE,
        notices=notices,
        digest=digest,
        is_test=is_test,
    )


def test_what_hurts_most_comes_first() -> None:
    recovered, refused = a_notice(NoticeKind.RECOVERED), a_notice(NoticeKind.MAIL_REFUSED, name="back.example")

    bulletin = bulletin_of(an_issue(recovered, CHANGED, refused))

    assert bulletin.subject == "[mailswitch web01.example.net] 1 mail refused, 1 changed, 1 working again"
    order = [bulletin.text.index(words) for words in ("Mail is refused", "Changed", "Working again")]
    assert order == sorted(order)
    kinds = [notice["kind"] for notice in json.loads(bulletin.document)["notices"]]
    assert kinds == ["mail-refused", "changed", "recovered"]


def test_the_text_names_the_pass_and_what_to_do() -> None:
    bulletin = bulletin_of(an_issue(CHANGED), display=lambda name: name.text.replace("xn--bcher-kva", "bücher"))

    assert bulletin.text == (
        "mailswitch on web01.example.net, 2026-03-01 12:00 UTC, mode enforce, run r1\n"
        "\n"
        "Changed\n"
        "  bücher.example (web01): turned off by mailswitch: MX is at Google\n"
        "  -> mailswitch revert DOMAIN undoes a change; mailswitch history has the evidence\n"
    )


def test_a_failed_pass_is_the_program_s_own() -> None:
    notice = Notice(kind=NoticeKind.FAILING, code="ledger", server="", name=None, text="cannot read the ledger")

    bulletin = bulletin_of(Issue(host="h", at=NOW, notices=(notice,)))

    assert "  mailswitch: cannot read the ledger\n" in bulletin.text
    document = json.loads(bulletin.document)
    assert (document["run"], document["mode"], document["notices"][0]["server"]) == (None, None, None)


def test_a_digest_tells_counts_servers_and_what_stands() -> None:
    bulletin = bulletin_of(an_issue(digest=DIGEST))

    assert bulletin.subject == "[mailswitch web01.example.net] daily digest"
    assert "Since 2026-02-28 12:00 UTC: 2 changed, 1 failed\n" in bulletin.text
    assert "  web01: last pass 5 min ago, 33 names; 30 keep, 3 on review\n" in bulletin.text
    assert "  web02: last pass 0 s ago, 0 names; x: broken\n" in bulletin.text
    assert "  gmail.com (web01): catches (since 2026-03-01 12:00 UTC)\n" in bulletin.text


def test_a_server_with_nothing_to_do_says_so() -> None:
    quiet = ServerPass(run_id="r", server="web01", finished=NOW, error_code=None, error_text=None, counts=())
    digest = Digest(since=NOW, until=NOW, done=0, failed=0, standing=(), passes=(quiet,))

    bulletin = bulletin_of(an_issue(digest=digest))

    assert "0 names; nothing to do" in bulletin.text
    assert "Still standing" not in bulletin.text


def test_a_test_says_that_it_is_one() -> None:
    bulletin = bulletin_of(an_issue(is_test=True))

    assert bulletin.subject == "[mailswitch web01.example.net] test notice"
    assert "This is a test" in bulletin.text
    assert json.loads(bulletin.document)["test"] is True


def test_a_bulletin_is_bounded_and_says_what_it_leaves_out() -> None:
    many = [a_notice(NoticeKind.ALERT, name=f"n{n}.example", text="x" * 1_000) for n in range(5_000)]
    standing = tuple(
        Told(kind=NoticeKind.ALERT, code="a", server="web01", name=None, text="t", said_at=NOW) for _ in range(200)
    )
    digest = Digest(since=NOW, until=NOW, done=0, failed=0, standing=standing, passes=())

    bulletin = bulletin_of(an_issue(*many, digest=digest))

    document = json.loads(bulletin.document)
    assert (len(document["notices"]), document["left_out"]) == (1_000, 4_000)
    assert "And 4900 more: mailswitch history" in bulletin.text
    assert "  and 100 more: mailswitch status" in bulletin.text
    assert len(bulletin.text) < 120_000
    assert max(map(len, bulletin.text.splitlines())) <= 400


def test_the_same_issue_has_the_same_id_and_another_one_another() -> None:
    assert bulletin_of(an_issue(CHANGED)).id == bulletin_of(an_issue(CHANGED)).id
    assert bulletin_of(an_issue(CHANGED)).id != bulletin_of(an_issue(a_notice())).id


_notices = st.builds(
    lambda kind, server, name, code, text, has_change: Notice(
        kind=kind,
        code=code,
        server=server,
        name=name,
        text=text,
        change=a_change(reason=text, error=text, by=code, outcome=Outcome.FAILED, evidence=text)
        if has_change
        else None,
    ),
    st.sampled_from(NoticeKind),
    texts(),
    st.none() | names(),
    texts(),
    texts(),
    st.booleans(),
)


@given(found=st.lists(_notices, max_size=5), host=texts())
def test_hostile_texts_stay_texts(found: list[Notice], host: str) -> None:
    bulletin = bulletin_of(Issue(host=host, at=NOW, run_id=host, notices=tuple(found)))

    message = EmailMessage()
    message["Subject"] = bulletin.subject
    assert all(line.isprintable() or not line.isascii() for line in (bulletin.subject, *bulletin.text.split("\n")))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", bulletin.text)
    assert "\n" not in bulletin.subject
    assert bulletin.document.isascii()
    assert "<" not in bulletin.document
    document = json.loads(bulletin.document)
    assert sorted(notice["text"] for notice in document["notices"]) == sorted(notice.text for notice in found)


# --- The page ------------------------------------------------------------------------------------


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    return [_shape(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else None


def test_the_page_shows_the_document_as_it_is() -> None:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None

    document = json.loads(bulletin_of(an_issue(CHANGED, digest=DIGEST)).document)

    assert json.dumps(_shape(json.loads(found.group(1)))) == json.dumps(_shape(document))
    assert document["schema"] == NOTICE_SCHEMA


def test_the_page_names_every_kind() -> None:
    assert [kind for kind in NoticeKind if f"| `{kind}` |" not in PAGE] == []
