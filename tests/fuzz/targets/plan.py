"""A plan file for ``once --plan``: taken, or refused as what it is; it need not be one of ours."""

from __future__ import annotations

from collections.abc import Iterator

from mailswitch.core.errors import ConfigError
from mailswitch.report.json_report import plan_from_json, report_json
from tests.support.builders import a_report, a_server, an_entry

__all__ = ["MAX_OCTETS", "TOKENS", "seeds", "try_one"]

MAX_OCTETS = 6_000
TOKENS = (
    b'"schema": ', b'"mailswitch/report/1"', b'"run": ', b'"plan": ', b'"servers": ', b'"domains": ', b'"name": ',
    b'"kind": ', b'"switch": ', b'"decision": ', b'"on_review": ', b'"route": ', b'"mx": ', b'"exchange": ', b"[[[",
    b"{}", b"null", b"true", b"1e999", b"NaN", b'"\\ud800"',
)  # fmt: skip


def try_one(data: bytes) -> None:
    """Read one file."""
    try:
        plan_from_json(data.decode("utf-8", "replace"))
    except ConfigError as error:
        if not all(line.isprintable() for line in str(error).split("\n")):
            raise AssertionError(f"a problem's text is not fit to be shown: {error!s}") from error


def seeds() -> Iterator[bytes]:
    """Return a report, parts of it, and other JSON."""
    report = report_json(a_report(a_server(an_entry()))).encode()
    yield report
    yield report.replace(b'"turn-off"', b'"turn-on"')
    yield report.replace(b"moved.example", b"other.example")
    yield report.replace(b"report/1", b"report/99999999999")
    yield from (b"{}", b"[]", b"null", b'"x"', b"[" * 2_000, b'{"schema": 1}', b"\xef\xbb\xbf{}")
