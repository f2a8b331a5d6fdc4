"""Errors carry what an operator needs."""

from __future__ import annotations

import pytest

from mailswitch.core import errors


def test_every_error_is_in_the_one_tree_and_in_its_drawing() -> None:
    public = [getattr(errors, name) for name in errors.__all__]

    assert all(issubclass(error, errors.MailswitchError) for error in public)
    assert errors.__doc__ is not None
    for error in public:
        assert error is errors.InvalidName or error.__name__ in errors.__doc__


def test_a_configuration_error_carries_every_problem_in_order() -> None:
    error = errors.ConfigError(("a.yaml:1: one", "a.yaml:2: two"))

    assert error.problems == ("a.yaml:1: one", "a.yaml:2: two")
    assert str(error) == "a.yaml:1: one\na.yaml:2: two"


def test_one_problem_may_be_given_as_a_text() -> None:
    assert errors.ConfigError("only one").problems == ("only one",)


@pytest.mark.parametrize("kind", [errors.InventoryError, errors.ApplyError])
def test_panel_errors_carry_a_stable_code(kind: type[errors.InventoryError] | type[errors.ApplyError]) -> None:
    error = kind("web01: no answer within 30 s", code="unreachable")

    assert error.code == "unreachable"
    assert str(error) == "web01: no answer within 30 s"
