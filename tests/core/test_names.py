"""Names and patterns compare the way the DNS compares."""

from __future__ import annotations

from itertools import permutations
from string import ascii_letters, digits

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.errors import ConfigError, InvalidName
from mailswitch.core.names import DomainName, NamePattern, most_specific

_LABELS = st.text(alphabet=ascii_letters + digits + "-_", min_size=1, max_size=20)
_NAMES = st.lists(_LABELS, min_size=1, max_size=6).map(".".join)
_PATTERN_LABELS = st.text(alphabet="ab*", min_size=1, max_size=6)


# --- DomainName ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        (".", "."),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("*.example.org", "*.example.org"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        (r"a\.b.example", r"a\.b.example"),
        (r"back\\.", r"back\\"),
        (r"\065\b.example", "ab.example"),
        (r"\032.example", r"\032.example"),
        (r"\255.example", r"\255.example"),
        ("user@example", r"user\@example"),
    ],
)
def test_a_name_is_kept_in_one_spelling(text: str, kept: str) -> None:
    assert DomainName(text).text == kept
    assert str(DomainName(text)) == kept


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("..", "a label is empty"),
        (".example", "a label is empty"),
        ("a..example", "a label is empty"),
        ("a b.example", "holds a character"),
        ("bücher.example", "write it as A-label"),
        ("\u212aelvin.example", "write it as A-label"),  # KELVIN SIGN, whose lower case is an ASCII k
        ("a\n.example", "holds a character"),
        ("a\x1b[2J.example", "holds a character"),
        ("a\\", "holds a character"),
        (r"\256.example", "holds a character"),
        ("a" * 64, "longer than 63 octets"),
        (".".join(["a" * 63] * 4), "longer than 253 characters"),
        ("a" * 5000, "longer than 253 characters"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidName, match=why) as refused:
        DomainName(text)

    assert len(str(refused.value)) < 700


def test_an_invalid_name_is_an_administrator_s_problem_to_correct() -> None:
    assert issubclass(InvalidName, ConfigError)


def test_the_longest_label_and_the_longest_name_are_names() -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])

    assert len(longest) == 253
    assert DomainName(longest + ".").text == longest


def test_an_escaped_octet_counts_once_towards_the_length() -> None:
    assert len(DomainName(r"\200" * 63).labels) == 1


@given(_NAMES)
def test_letter_case_and_final_dot_do_not_matter(text: str) -> None:
    assert DomainName(text) == DomainName(text.upper()) == DomainName(text.lower() + ".")
    assert len({DomainName(text), DomainName(text.swapcase())}) == 1


@given(_NAMES)
def test_a_kept_name_is_kept_again_as_it_is(text: str) -> None:
    assert DomainName(DomainName(text).text) == DomainName(text)


@given(st.lists(st.binary(min_size=1, max_size=15), min_size=1, max_size=5))
def test_every_name_that_can_be_on_the_wire_is_kept_as_the_dns_library_writes_it(labels: list[bytes]) -> None:
    name = dns.name.Name([*labels, b""])

    kept = DomainName(name.to_text())

    assert dns.name.from_text(kept.text) == name
    assert len(kept.labels) == len(labels)
    assert kept == DomainName(name.to_text().swapcase())


@given(st.text(max_size=300))
def test_any_text_is_a_name_in_visible_ascii_or_refused(text: str) -> None:
    try:
        kept = DomainName(text).text
    except InvalidName:
        kept = "refused"

    assert kept.isascii()
    assert kept.isprintable()


def test_the_root_has_no_labels_and_is_no_host() -> None:
    root = DomainName(".")

    assert root.is_root
    assert root.labels == ()
    assert not root.is_host_name


@pytest.mark.parametrize("text", ["example", "mx-1.example", "1.example", "xn--bcher-kva.example"])
def test_letters_digits_and_inner_hyphens_make_a_host_name(text: str) -> None:
    assert DomainName(text).is_host_name


@pytest.mark.parametrize("text", ["*.example", "_spf.example", "-a.example", "a-.example", r"a\.b.example"])
def test_wildcards_underscores_and_outer_hyphens_make_none(text: str) -> None:
    assert not DomainName(text).is_host_name


@pytest.mark.parametrize(
    ("name", "parent", "expected"),
    [
        ("a.example", "example", True),
        ("b.a.example", "example", True),
        ("example", "example", False),
        ("notexample", "example", False),
        ("a.example", ".", True),
        (".", ".", False),
        (r"a\.example", "example", False),
        ("example", "a.example", False),
    ],
)
def test_below_goes_by_labels(name: str, parent: str, *, expected: bool) -> None:
    assert DomainName(name).is_below(DomainName(parent)) is expected


# --- NamePattern --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("example.jp", "example.jp", True),
        ("Example.JP.", "example.jp", True),
        ("example.jp", "www.example.jp", False),
        ("*.example.jp", "www.example.jp", True),
        ("*.example.jp", "a.b.example.jp", True),
        ("*.example.jp", "example.jp", False),
        ("*.example.jp", "badexample.jp", False),
        ("*", "example", True),
        ("*", "a.example", True),
        ("*", ".", False),
        ("mx*.example.com", "mx1.example.com", True),
        ("mx*.example.com", "mx.example.com", True),
        ("mx*.example.com", "mx1.eu.example.com", False),
        ("mx*.example.com", "amx1.example.com", False),
        ("*.mx*.example.com", "a.b.mx7.example.com", True),
        ("*.mx*.example.com", "mx7.example.com", False),
        ("a.*.example", "a.b.example", True),
        ("a.*.example", "a.b.c.example", False),
        ("a*b*c.example", "aXbYbZc.example", True),
        ("a*b*c.example", "aXbYbZcd.example", False),
        ("**.example", "a.example", True),
        ("example", "other", False),
        (".", ".", True),
        (".", "example", False),
    ],
)
def test_patterns_match_by_label(pattern: str, name: str, *, expected: bool) -> None:
    assert NamePattern(pattern).matches(DomainName(name)) is expected


def test_a_pattern_is_kept_like_a_name() -> None:
    assert str(NamePattern("*.Example.JP.")) == "*.example.jp"
    assert NamePattern("example").is_exact
    assert not NamePattern("*.example").is_exact


def test_what_is_no_pattern_is_refused() -> None:
    with pytest.raises(InvalidName, match="not a domain name"):
        NamePattern("*..example")


@given(_NAMES)
def test_a_name_matches_itself_as_pattern_and_a_star_before_it_matches_only_names_below(text: str) -> None:
    name = DomainName(text)

    assert NamePattern(text).matches(name)
    assert not NamePattern(f"*.{text}").matches(name)
    assert NamePattern(f"*.{text}").matches(DomainName(f"x.{text}"))


def _matches_plainly(wanted: str, label: str) -> bool:
    """Say by plain recursion whether a label matches: slow and beyond doubt."""
    if not wanted:
        return not label
    if wanted[0] == "*":
        return any(_matches_plainly(wanted[1:], label[skipped:]) for skipped in range(len(label) + 1))
    return bool(label) and wanted[0] == label[0] and _matches_plainly(wanted[1:], label[1:])


@given(_PATTERN_LABELS, st.text(alphabet="ab", min_size=1, max_size=8))
def test_stars_inside_a_label_match_as_plain_recursion_says(wanted: str, label: str) -> None:
    # The name's own second label keeps a lone "*" from being a leading "*.", which has a meaning of its own.
    pattern, name = NamePattern(f"x.{wanted}.example"), DomainName(f"x.{label}.example")

    assert pattern.matches(name) is _matches_plainly(wanted, label)


def test_a_hostile_pattern_does_not_explode() -> None:
    pattern = NamePattern("x" + "*a" * 31 + ".example")

    assert not pattern.matches(DomainName("x" + "a" * 61 + "b.example"))


# --- most_specific ------------------------------------------------------------------------------


def test_an_exact_name_wins_over_any_pattern_and_the_longer_pattern_over_the_shorter() -> None:
    exact, longer, shorter = NamePattern("a.b.example"), NamePattern("*.b.example"), NamePattern("*.example")
    name = DomainName("a.b.example")

    assert {most_specific(order, name) for order in permutations((exact, longer, shorter))} == {exact}
    assert {most_specific(order, name) for order in permutations((longer, shorter))} == {longer}
    assert most_specific((longer, shorter), DomainName("c.example")) == shorter


def test_nothing_matches_nothing() -> None:
    assert most_specific((NamePattern("*.example"),), DomainName("example")) is None
    assert most_specific((), DomainName("example")) is None


@given(st.lists(_PATTERN_LABELS, max_size=6), st.text(alphabet="ab", min_size=1, max_size=6))
def test_the_order_of_patterns_does_not_matter(labels: list[str], label: str) -> None:
    patterns = tuple(NamePattern(f"{wanted}.example") for wanted in labels)
    name = DomainName(f"{label}.example")

    assert most_specific(patterns, name) == most_specific(patterns[::-1], name)
