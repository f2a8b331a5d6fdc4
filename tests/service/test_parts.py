"""How long the watchdog waits for a sign of a pass: longer than everything that may keep one waiting."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mailswitch.config.settings import load_text
from mailswitch.service.parts import Parts, parts_of
from mailswitch.service.wiring import setup_of

MINUTE = timedelta(minutes=1)
WAYS = """
notify:
  mail: {to: root, sender: root, timeout: 20m}
  webhook: {url: 'https://h.example/x', secret_env: HOOK, timeout: 10m}
"""


def parts(folder: Path, text: str = "") -> Parts:
    written = f"ledger: sqlite:///{folder}/ledger.db\nservers: [{{name: web01, panel: local}}]\n{text}"
    settings = load_text(written, origin="x", base=folder, environ={"HOOK": "hush"})
    return parts_of(settings, setup_of(settings), tuple)


def test_lookups_and_three_answers_of_a_panel_may_take_their_time(tmp_path: Path) -> None:
    assert parts(tmp_path, "dns: {deadline: 40m}").longest_silence >= 40 * MINUTE + 3 * 5 * MINUTE


def test_two_ways_that_hang_twice_each_while_connecting_and_after_do_not_look_like_a_dead_pass(tmp_path: Path) -> None:
    longer = parts(tmp_path, WAYS).longest_silence - parts(tmp_path).longest_silence

    assert longer >= 2 * 2 * (20 + 10) * MINUTE
