"""The engine's answers are those of plain dnspython on made-up domains: few here, 100,000 in a run by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.same_answers import NOW, alike, generated_names, generated_records
from mailswitch.core.mx import Addresses, Indeterminate, Observation, Vantage, address
from mailswitch.core.names import DomainName
from mailswitch.simulation.public_dns import parse_records

_ROOT = Path(__file__).parent.parent.parent
_HOST = DomainName("mx.example")


def test_the_engine_with_either_codec_says_what_plain_dnspython_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.same_answers", "--names", "1000", "--seed", "11"],
        check=False,
        capture_output=True,
        text=True,
        cwd=_ROOT,
        timeout=110,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1,000 domains (" in done.stdout
    assert ": 0 differ between either codec and plain dnspython, seed 11" in done.stdout
    kinds = dict(re.findall(r"([0-9,]+) ([A-Z]\w+)", done.stdout))
    assert set(kinds.values()) >= {"NoMX", "NoSuchDomain", "NullMX", "Published"}


def test_the_same_seed_makes_the_same_domains() -> None:
    text = generated_records(500, 7)

    assert text == generated_records(500, 7) != generated_records(500, 8)
    assert len(parse_records(text).rrsets) > 500
    assert len(set(generated_names(500))) == 500


def test_only_the_words_of_what_is_no_answer_may_differ() -> None:
    where = frozenset({address("192.0.2.1")})
    seen = Observation(
        name=DomainName("d0.example"),
        vantage=Vantage(name="v", operator="O"),
        at=NOW,
        mx=Indeterminate("SERVFAIL"),
        hosts=((_HOST, Addresses(addresses=where, unanswered="AAAA: SERVFAIL")),),
    )

    assert alike(seen) == alike(replace(seen, mx=Indeterminate("time-out")))
    assert alike(seen) != alike(replace(seen, hosts=((_HOST, Addresses(addresses=where)),)))
    assert alike(seen) != alike(replace(seen, hosts=((_HOST, Indeterminate("SERVFAIL")),)))
