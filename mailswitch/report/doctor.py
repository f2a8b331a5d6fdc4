"""The view of a check-up: one finding a line, with what each failure means and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

from mailswitch.report.documents import document
from mailswitch.report.page import BAD, DIM, GOOD, WARNING, Page

__all__ = ["DOCTOR_SCHEMA", "Grade", "Symptom", "doctor_json", "print_doctor"]

DOCTOR_SCHEMA = "mailswitch/doctor/1"


class Grade(StrEnum):
    """How grave a finding is."""

    OK = "ok"
    NOTE = "note"
    """What this server really answers, where it is not known for sure what Plesk answers."""
    WARNING = "warning"
    PROBLEM = "problem"


_STYLES = {Grade.OK: GOOD, Grade.NOTE: DIM, Grade.WARNING: WARNING, Grade.PROBLEM: BAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """One thing that was looked at."""

    subject: str
    """What it is about: ``ledger``, ``vantage NAME``, ``server NAME``, ``clock``."""
    grade: Grade
    text: str
    """What was found and, where it is no good, what it means and what to do."""


def doctor_json(symptoms: Sequence[Symptom]) -> str:
    """Return a check-up as a JSON document."""
    rows = [{"subject": one.subject, "grade": one.grade.value, "text": one.text} for one in symptoms]
    is_healthy = all(one.grade is not Grade.PROBLEM for one in symptoms)
    return document(DOCTOR_SCHEMA, {"healthy": is_healthy, "findings": rows})


def print_doctor(symptoms: Sequence[Symptom], stream: TextIO, *, is_terminal: bool, width: int | None) -> None:
    """Write a check-up for people.

    Args:
        symptoms: What was found, in the order in which it is shown.
        stream: Where to.
        is_terminal: Whether colours are wanted.
        width: In columns; None does not wrap.
    """
    page = Page(is_terminal=is_terminal, width=width)
    page.rows((((one.grade.value, _STYLES[one.grade]), one.subject, one.text) for one in symptoms), indent=0)
    problems = sum(1 for one in symptoms if one.grade is Grade.PROBLEM)
    page.line((f"{problems} to put right", BAD) if problems else ("nothing to put right", GOOD))
    page.write(stream)
