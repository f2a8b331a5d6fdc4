"""A world's master file is read whole, and every problem in it is told at once."""

from __future__ import annotations

import dns.name
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.errors import ConfigError
from mailswitch.simulation.public_dns import PublicRecords, overlay, parse_records


def shown(records: PublicRecords) -> list[str]:
    return sorted(line for rrset in records.rrsets.values() for line in rrset.to_text().splitlines())


def problems(text: str, *, first_line: int = 1) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        parse_records(text, first_line=first_line)
    return raised.value.problems


@pytest.mark.parametrize(
    "text",
    [
        "a.example. 3600 IN MX 10 mx.example.",
        "a.example. IN 3600 MX 10 mx.example.",
        "A.EXAMPLE.\t1h in mx 10 mx.example. ; a remark",
        "a.example. MX ( 10 ; the preference\n  mx.example. )",
        "; nothing\n\n$TTL 1h\n$ORIGIN example.\na MX 10 mx",
        "a.example. TYPE15 \\# 14 000a 026d78 076578616d706c65 00",
    ],
)
def test_the_ways_to_write_a_record(text: str) -> None:
    assert shown(parse_records(text)) == ["a.example. 3600 IN MX 10 mx.example."]


def test_a_line_that_begins_with_a_blank_belongs_to_the_owner_before() -> None:
    records = parse_records("a.example. 60 IN A 192.0.2.1\n          60 IN A 192.0.2.2")

    assert shown(records) == ["a.example. 60 IN A 192.0.2.1", "a.example. 60 IN A 192.0.2.2"]


def test_quoted_strings_keep_semicolons_parentheses_and_blanks() -> None:
    assert shown(parse_records('a.example. 60 TXT "v=spf1  ; (x" "\\"y"')) == [
        'a.example. 60 IN TXT "v=spf1  ; (x" "\\"y"'
    ]


def test_escaped_specials_are_part_of_a_name() -> None:
    assert shown(parse_records(r"a\;b\(.example. 60 A 192.0.2.1")) == [r"a\;b\(.example. 60 IN A 192.0.2.1"]


def test_u_labels_are_kept_as_a_labels() -> None:
    assert shown(parse_records("Bücher.example. 60 MX 1 straße.example.")) == [
        "xn--bcher-kva.example. 60 IN MX 1 xn--strae-oqa.example."
    ]


def test_the_smallest_ttl_of_an_rrset_is_its_ttl() -> None:
    assert shown(parse_records("a.example. 60 A 192.0.2.1\na.example. 30 A 192.0.2.1")) == [
        "a.example. 30 IN A 192.0.2.1"
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rel 60 IN A 192.0.2.1", "'rel' is a relative name"),
        ("a.example. 60 IN MX 1 rel", "the rdata holds a relative name"),
        ("a.example. -5 IN A 192.0.2.1", "'-5' is no TTL"),
        ("a.example. 4294967295 IN A 192.0.2.1", "the TTL '4294967295' is above"),
        ("a.example. 60 CH A 192.0.2.1", "class 'CH' is not IN"),
        ("a.example. 60 IN FOO x", "'FOO' is no record type"),
        ("a.example. 60 IN ANY x", "'ANY' is no type that a master file can hold"),
        ("a.example. 60 IN", "the record has no type"),
        ("a.example. 60 IN A 192.0.2.999", "'a.example. 60 IN A 192.0.2.999'"),
        ("a.example. 60 IN A 192.0.2.1 x", "expected EOL"),
        ("a.example. 60 IN MX 65536 b.example.", "65536"),
        (f"{'a' * 64}.example. 60 IN A 192.0.2.1", "DNS label"),
        ("a..example. 60 IN A 192.0.2.1", "empty"),
        ("xn--\u0080.example. 60 IN A 192.0.2.1", "IDNA"),
        (" 60 IN A 192.0.2.1", "no owner name"),
        ("a.example. 60 IN TXT ( x", "never closed"),
        ("a.example. 60 IN A 192.0.2.1 )", "not opened"),
        ('a.example. 60 IN TXT "x', "not closed on its line"),
        ("$INCLUDE other", "only $ORIGIN"),
        ("$TTL soon", "'soon' is no TTL"),
        ("$ORIGIN rel", "'rel' is a relative name"),
        ("a.example. CNAME b.example.\na.example. A 192.0.2.1", "line 2: a.example. has a CNAME"),
        ("a.example. A 192.0.2.1\na.example. CNAME b.example.", "line 2: a CNAME of a.example."),
        ("a.example. CNAME b.example.\na.example. CNAME c.example.", "line 2: a CNAME of a.example."),
    ],
)
def test_each_problem_is_told(text: str, told: str) -> None:
    assert told in "\n".join(problems(text))


def test_every_problem_is_told_with_its_line() -> None:
    text = "rel A 192.0.2.1\nok.example. A 192.0.2.1\na.example. MX (\n 1\n rel )\n\na.example. A no"

    assert [problem.split(":")[0] for problem in problems(text)] == ["line 1", "line 3", "line 7"]


def test_lines_are_numbered_from_where_the_text_begins_in_its_file() -> None:
    assert problems("rel A 192.0.2.1", first_line=40)[0].startswith("line 40: ")


def test_an_overlay_replaces_rrsets_of_the_same_name_and_type_only() -> None:
    base = parse_records("a.example. 60 MX 1 x.example.\na.example. 60 MX 2 y.example.\na.example. 60 A 192.0.2.1")

    assert shown(overlay(base, "A.example. 60 MX 5 z.example.\nb.example. 60 A 192.0.2.2")) == [
        "a.example. 60 IN A 192.0.2.1",
        "a.example. 60 IN MX 5 z.example.",
        "b.example. 60 IN A 192.0.2.2",
    ]


def test_an_overlaid_cname_and_other_records_replace_each_other() -> None:
    base = parse_records("a.example. 60 MX 1 x.example.\nb.example. 60 CNAME x.example.")

    assert shown(overlay(base, "a.example. 60 CNAME y.example.\nb.example. 60 A 192.0.2.2")) == [
        "a.example. 60 IN CNAME y.example.",
        "b.example. 60 IN A 192.0.2.2",
    ]


def test_an_overlay_that_leaves_the_base_alone_is_the_base() -> None:
    base = parse_records("a.example. 60 MX 1 x.example.")

    assert overlay(base, "") == base


def test_a_name_so_long_that_no_wildcard_fits_is_not_found() -> None:
    name = dns.name.from_text(".".join(["a" * 63] * 3 + ["b" * 61]) + ".")
    below = parse_records(f"x.{'.'.join(name.to_text().split('.')[1:])} 60 A 192.0.2.1")

    assert below.find(name, dns.rdatatype.A).rcode == dns.rcode.NXDOMAIN


@given(st.text(alphabet='a.@$()";\\ \n\t1-éA', max_size=60))
def test_any_text_is_read_or_refused_with_lines(text: str) -> None:
    try:
        found: tuple[str, ...] = tuple(f"line {entry}" for entry in shown(parse_records(text)))
    except ConfigError as error:
        found = error.problems

    assert all(problem.startswith("line ") for problem in found)
