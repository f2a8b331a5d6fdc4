"""Stranded mail through a real Postfix: what arrives, what is learnt of refusals, and processes killed on the way."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.real_rescue import CONTENTS

_APART = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
pytestmark = pytest.mark.mail_servers


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What happened, played once."""
    folder = tmp_path_factory.mktemp("postfix")
    folder.chmod(0o755)
    for parent in folder.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    done = subprocess.run(
        [*_APART, sys.executable, "-m", "tests.support.real_rescue", str(folder)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_message_arrives_octet_for_octet_but_for_the_ends_of_lines(told: Any) -> None:
    arrived = [base64.b64decode(one) for one in told["all"]["arrived"]]

    assert told["all"]["counts"] == {"delivered": len(CONTENTS)}
    assert told["all"]["stopped"] is None
    assert told["all"]["senders"] == ["help@hoster.example"]
    for content in CONTENTS:
        is_lines = b"\0" not in content and b"\r" not in content.replace(b"\r\n", b"") and len(content) < 50_000
        has_two_ends = b"\r\n" in content and content.replace(b"\r\n", b"").count(b"\n")
        lines = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        assert (lines if is_lines and not has_two_ends else content) in arrived
    assert len(arrived) == len(CONTENTS)


def test_a_refusing_side_stops_it_after_one_message_and_is_quoted(told: Any) -> None:
    assert told["gone"]["counts"] == {"rejected": 1}
    assert "550 5.1.1 no such user here" in told["gone"]["stopped"]


def test_a_side_that_puts_it_off_stops_it_and_is_quoted(told: Any) -> None:
    assert told["later"]["counts"] == {"taken": 1}
    assert "450 4.2.0 greylisted" in told["later"]["stopped"]


@pytest.mark.parametrize("stage", ["intend", "intended", "replied"])
def test_killed_on_the_way_every_message_still_arrives_exactly_once(told: Any, stage: str) -> None:
    assert told[stage] == {"killed": True, "mails": 3, "distinct": 3, "perhaps": 0, "stopped": None}


def test_mail_that_postfix_keeps_here_is_noticed(told: Any) -> None:
    assert told["kept"]["counts"] == {"rejected": 1}
    assert "delivered on this server itself" in told["kept"]["stopped"]
