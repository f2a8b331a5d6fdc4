"""Answers remembered between runs: what is asked again, what is not, and what is never told from them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mailswitch.config.settings import load_text
from mailswitch.lookup.memory import AnswerMemory
from mailswitch.service.wiring import memory_of
from tests.support.worlds import Play, Staged, a_world

REMEMBERING = """\
config:
  confirm: {sightings: 1, window: 0s, unknown_provider_window: 0s}
  dns: {remember: true}
"""
BY_HAND = "      - {name: by-hand.example, mail: off, created: 2015-05-05}\n"
BY_HAND_DNS = "  by-hand.example. 3600 IN MX 10 aspmx.l.google.com.\n"


def a_remembering_world(staged: Staged, *, moved: int = 0, here: int = 20) -> Play:
    return staged(a_world(moved=moved, here=here, domains=BY_HAND, dns=BY_HAND_DNS, tail=REMEMBERING))


def answers(play: Play) -> Path:
    return play.stage.directory / "ledger.db.answers"


def asked(play: Play, *arguments: str) -> Counter[tuple[str, str]]:
    """Run the program and return what it asked of all vantages."""
    before = _asked(play)
    play.ok(*arguments)
    return _asked(play) - before


def _asked(play: Play) -> Counter[tuple[str, str]]:
    return sum((play.stage.vantage(name).queries for name in "abc"), Counter())


def test_a_clean_pass_asks_a_question_a_name_and_two_an_exchange_and_the_next_one_none(staged: Staged) -> None:
    play = a_remembering_world(staged)

    first, second = asked(play, "once"), asked(play, "once")

    assert first.total() == 21 + 2 * 2
    assert second.total() == 0
    assert answers(play).stat().st_mode & 0o777 == 0o600


def test_names_off_by_us_are_asked_about_in_every_pass_and_no_others(staged: Staged) -> None:
    play = a_remembering_world(staged, moved=1)
    play.ok("once", "--apply")
    assert play.switch("moved0.example") == "off"

    again = asked(play, "once")

    assert {name for name, _ in again} == {"moved0.example", "aspmx.l.google.com"}


def test_a_planned_change_is_asked_of_every_vantage_in_every_report(staged: Staged) -> None:
    play = a_remembering_world(staged, moved=1)
    play.ok("once")

    again = asked(play, "report")

    assert again["moved0.example", "MX"] == 3
    assert {name for name, _ in again} == {"moved0.example", "aspmx.l.google.com"}


def test_a_report_may_remember_and_leaves_the_memory_as_it_is(staged: Staged) -> None:
    play = a_remembering_world(staged)
    play.ok("once")
    before = answers(play).read_bytes()

    assert asked(play, "report").total() == 0
    assert answers(play).read_bytes() == before


def test_the_report_is_the_same_with_and_without_memory(staged: Staged) -> None:
    play = a_remembering_world(staged, moved=2)
    play.ok("once")

    told, fresh = play.json("report"), play.json("report", "--fresh")

    assert told["servers"] == fresh["servers"]
    assert told["run"]["plan"] == fresh["run"]["plan"]


def test_fresh_asks_about_every_name_and_so_does_a_name_that_is_typed(staged: Staged) -> None:
    play = a_remembering_world(staged)
    play.ok("once")

    assert asked(play, "report", "--fresh").total() == 21 + 2 * 2
    assert asked(play, "once", "--fresh").total() == 21 + 2 * 2
    assert asked(play, "report", "here3.example")["here3.example", "MX"] == 1


def test_explain_asks_every_vantage_and_tells_nothing_from_memory(staged: Staged) -> None:
    play = a_remembering_world(staged)
    play.ok("once")
    before = _asked(play)

    told = play.json("explain", "here3.example")

    assert (_asked(play) - before)["here3.example", "MX"] == 3
    assert [opinion["remembered"] for opinion in told["opinions"]] == [False] * 3


def test_a_name_that_comes_back_is_turned_on_at_the_next_pass(staged: Staged) -> None:
    play = a_remembering_world(staged, moved=1)
    play.ok("once", "--apply")
    play.stage.change_dns("moved0.example. 3600 IN MX 10 mail.web01.example.\n")

    play.ok("once", "--apply")

    assert play.switch("moved0.example") == "on"


def test_a_memory_that_was_tampered_with_costs_a_line_and_nothing_else(staged: Staged) -> None:
    play = a_remembering_world(staged)
    play.ok("once")
    answers(play).write_bytes(answers(play).read_bytes()[:-3])

    code, _, complaint = play.run("once")
    afterwards = play.run("once")

    assert code == 0
    assert complaint.count("\n") == 1
    assert "remembered DNS answers are not used, all is asked anew: it is torn or was altered" in complaint
    assert (afterwards[0], afterwards[2]) == (0, "")


def test_a_planted_symlink_is_neither_read_nor_written_through(staged: Staged) -> None:
    play = a_remembering_world(staged)
    victim = play.stage.directory / "victim"
    victim.write_text("untouched", encoding="ascii")
    answers(play).symlink_to(victim)

    code, _, complaint = play.run("once")

    assert code == 0
    assert "are not used" in complaint
    assert victim.read_text(encoding="ascii") == "untouched"
    assert not answers(play).is_symlink()


def test_nothing_is_remembered_where_the_configuration_says_so(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("once")

    assert asked(play, "once")["here0.example", "MX"] == 1
    assert not answers(play).exists()


def test_beside_a_ledger_that_is_no_file_answers_are_remembered_as_long_as_the_program_runs() -> None:
    text = "ledger: postgresql://mailswitch@db.example/mailswitch\nservers: [{name: web01, panel: local}]\n"
    memory = memory_of(load_text(text, origin="test"), lambda _: None)

    assert isinstance(memory, AnswerMemory)
    assert memory.path is None
    assert memory_of(load_text(text + "dns: {remember: false}\n", origin="test"), lambda _: None) is None
