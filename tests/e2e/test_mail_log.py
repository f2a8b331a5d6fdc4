"""What the server's own mail log says, from the log's lines to what people read."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.worlds import Play, Staged, a_world

LOG = """\
    mail_log:
      mail:
"""


def with_log(world: str, *mail: str) -> str:
    """Return a world whose server has a mail log."""
    written = "".join(f"        - {{{one}}}\n" for one in mail)
    return world.replace("    domains:\n", f"{LOG}{written}    domains:\n", 1)


def refuse(play: Play, number: int, *, client: str) -> None:
    """Let an outside host be refused just now."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    to = "info@moved0.example"
    line = (
        f"{now} web postfix/smtpd[2]: NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <{to}>: Relay access denied; "
        f"from=<bob@sender.example> to=<{to}> proto=ESMTP helo=<x>\n"
    )
    with (play.stage.directory / "panels" / "web01" / "maillog").open("a", encoding="utf-8") as log:
        log.write(line * number)


def test_a_report_tells_what_the_hole_costs_and_what_turning_off_stops(staged: Staged) -> None:
    play = staged(
        with_log(
            a_world(moved=2),
            "name: moved0.example, kind: co-tenant, number: 40",
            "name: moved1.example, kind: co-tenant, number: 2, days: 3",
            "name: here0.example, kind: co-tenant, number: 9",
        )
    )
    document = play.json("report")
    names = play.names(document)

    assert (
        "This server mis-delivered 286 messages in 30 days; turning these 2 switches off stops 286 of them"
        in play.ok("report")
    )
    assert document["servers"][0]["impact"] == {"last_30_days": 286, "stopped": 286}
    assert (names["moved0.example"]["impact"]["messages"], names["here0.example"]["impact"]) == (280, None)
    assert "280 messages from this server to moved0.example went into the abandoned mailbox" in play.ok(
        "explain", "moved0.example"
    )


def test_a_filter_that_relays_back_is_held_and_explained(staged: Staged) -> None:
    play = staged(
        with_log(
            a_world(),
            "name: moved0.example, address: 185.201.16.7, number: 6",
            "name: moved0.example, kind: co-tenant",
            "name: moved0.example, kind: log-in, mailbox: bob",
        )
    )
    explained = play.ok("explain", "moved0.example")

    assert "42 messages from 185.201.16.0/24 in 7 days" in explained
    assert "looks like a filter that relays back" in explained
    assert "bob@" in explained
    assert play.names(play.json("report"))["moved0.example"]["impact"] is None
    assert play.json("explain", "moved0.example")["usage"]["outside"]["messages"] == 42


def test_a_name_whose_mail_is_refused_after_all_is_turned_on_and_stays_on(staged: Staged) -> None:
    play = staged(with_log(a_world(), "name: here0.example"))
    play.edit_config("mode: report", "mode: enforce")
    play.ok("once")
    assert play.switch("moved0.example") == "off"

    refuse(play, 3, client="mx12.eu.mimecast.com[185.201.16.7]")
    document = play.json("once")
    text = play.ok("report", "--verbose")

    assert document["alerts"][0]["code"] == "refused-here"
    assert "185.201.16.0/24 is a known filter's" in document["alerts"][0]["text"]
    assert play.switch("moved0.example") == "on"
    assert "still-receiving: 3 messages (3 of them refused) from 185.201.16.0/24" in text
    play.ok("once")
    assert play.writes() == [("moved0.example", "off"), ("moved0.example", "on")]


def test_without_a_log_every_report_says_so(staged: Staged) -> None:
    play = staged(a_world())

    (alert,) = play.json("report")["alerts"]
    assert (alert["code"], alert["server"]) == ("mail-log", "web01")
    assert "no mail log is read" in play.ok("report")
    assert "no mail log is read" in play.ok("explain", "moved0.example")


def test_a_log_that_is_collected_reaches_the_report(staged: Staged) -> None:
    play = staged(with_log(a_world(), "name: moved0.example, kind: co-tenant, number: 3"))
    spool = play.stage.directory / "spool"
    spool.mkdir()
    play.edit_config("mail_log:", f"mail_log:\n    collected: {spool}")
    assert "nothing to do" in play.ok("evidence", "collect")

    before = play.json("once")
    said = play.ok("evidence", "collect")
    play.ok("once")

    assert [alert["code"] for alert in before["alerts"]] == ["mail-log"]
    assert said == "batch 1: 7 counts\n" or said.startswith("batch 1: 8 counts")
    assert "This server mis-delivered 21 messages in 30 days" in play.ok("report")
    assert "exactly one server has to have mail_log: collected" in staged(a_world()).complains(2, "evidence", "collect")
