"""docs/report.md describes the documents as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mailswitch.core.reports import ServerError
from mailswitch.report.csv_report import COLUMNS
from mailswitch.report.doctor import DOCTOR_SCHEMA
from mailswitch.report.explain import EXPLAIN_SCHEMA
from mailswitch.report.json_report import report_json
from mailswitch.report.records import APPROVALS_SCHEMA, CHANGES_SCHEMA, PINS_SCHEMA, approval_fields, change_fields
from mailswitch.report.status import STATUS_SCHEMA
from tests.support.builders import NOW, a_change, a_report, a_server, an_alert, an_approval, an_entry

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")


def shape(value: Any) -> Any:
    """Return a document with its keys and without its values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else None


def test_the_example_has_the_keys_of_a_report_in_their_order() -> None:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    example = json.loads(found.group(1))

    report = json.loads(report_json(a_report(a_server(an_entry()), alerts=(an_alert(),))))

    assert shape(report) == shape(example)
    assert json.dumps(shape(report)) == json.dumps(shape(example))


def test_a_failed_server_has_the_described_error() -> None:
    server = json.loads(report_json(a_report(a_server(error=ServerError(code="x", text="y")))))["servers"][0]

    assert set(server["error"]) == {"code", "text"}


def test_every_document_and_column_is_named() -> None:
    named = [CHANGES_SCHEMA, PINS_SCHEMA, APPROVALS_SCHEMA, STATUS_SCHEMA, EXPLAIN_SCHEMA, DOCTOR_SCHEMA, *COLUMNS]
    named += [*change_fields(a_change()), *approval_fields(an_approval(), now=NOW)]

    assert [word for word in named if f"`{word}`" not in PAGE] == []
