"""A check-up says what was found and whether anything is to be put right."""

from __future__ import annotations

import io
import json

from mailswitch.report.doctor import Grade, Symptom, doctor_json, print_doctor

FINE = Symptom(subject="clock", grade=Grade.OK, text="agrees with the panel")
BROKEN = Symptom(subject="server web01", grade=Grade.PROBLEM, text="no answer \x1b[2J: look at the firewall")


def shown(*symptoms: Symptom) -> str:
    stream = io.StringIO()
    print_doctor(symptoms, stream, is_terminal=False, width=None)
    return stream.getvalue()


def test_each_finding_is_a_line_and_problems_are_counted() -> None:
    assert shown(FINE, BROKEN).splitlines() == [
        "ok       clock         agrees with the panel",
        r"problem  server web01  no answer \x1b[2J: look at the firewall",
        "1 to put right",
    ]


def test_without_problems_nothing_is_to_be_put_right() -> None:
    assert shown(FINE).endswith("nothing to put right\n")


def test_the_document_says_whether_all_is_well() -> None:
    assert json.loads(doctor_json([FINE, BROKEN])) == {
        "schema": "mailswitch/doctor/1",
        "healthy": False,
        "findings": [
            {"subject": "clock", "grade": "ok", "text": "agrees with the panel"},
            {"subject": "server web01", "grade": "problem", "text": "no answer \x1b[2J: look at the firewall"},
        ],
    }
    assert json.loads(doctor_json([FINE]))["healthy"] is True
