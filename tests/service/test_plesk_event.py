"""What a Plesk event is about."""

from __future__ import annotations

import pytest

from mailswitch.core.names import DomainName
from mailswitch.service.plesk_event import names_of_event


def test_the_names_before_and_after_are_told_once_each() -> None:
    environ = {
        "NEW_DOMAIN_NAME": "new.example",
        "OLD_DOMAIN_NAME": "old.example",
        "NEW_DOMAIN_ALIAS_NAME": "NEW.example.",
    }

    assert names_of_event(environ) == (DomainName("new.example"), DomainName("old.example"))


def test_unicode_names_are_told_as_a_labels() -> None:
    assert names_of_event({"NEW_DOMAIN_NAME": "bücher.example"}) == (DomainName("xn--bcher-kva.example"),)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("NEW_DOMAIN_NAME", ""),
        ("NEW_DOMAIN_NAME", "shop"),
        ("NEW_DOMAIN_NAME", "$(reboot).example"),
        ("NEW_DOMAIN_NAME", "--help.example"),
        ("NEW_LOGIN_NAME", "a.example"),
        ("DOMAIN_NAME", "a.example"),
        ("NEW_DOMAIN_ID", "7.5"),
    ],
)
def test_what_is_no_name_is_passed_over(variable: str, text: str) -> None:
    assert names_of_event({variable: text}) == ()


def test_a_flood_of_variables_is_bounded() -> None:
    environ = {f"NEW_{'X' * number}_DOMAIN_NAME": f"n{number}.example" for number in range(1, 100)}

    assert len(names_of_event(environ)) == 20
