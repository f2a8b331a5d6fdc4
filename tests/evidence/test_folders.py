from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.evidence.folders import Role, folder_name, role_of


@pytest.mark.parametrize(
    ("directory", "role"),
    [
        (".Sent", Role.OWN),
        (".sent.2024", Role.OWN),
        (".INBOX.Sent", Role.OWN),
        (".Drafts", Role.OWN),
        (".&kAFP4W4IMH8-", Role.OWN),
        (".Trash", Role.DISCARDED),
        (".Deleted Messages", Role.DISCARDED),
        (".Gel&APY-schte Elemente", Role.DISCARDED),
        (".Spam", Role.SPAM),
        (".Junk E-mail", Role.SPAM),
        (".&j,dg0TDhMPww6w-", Role.SPAM),
        (".Archive.2025", Role.ARRIVED),
        (".Sentinel", Role.ARRIVED),
        (".Customers.Trash Ltd", Role.ARRIVED),
        ("", Role.ARRIVED),
    ],
)
def test_a_folder_is_for_what_its_name_says_in_many_languages(directory: str, role: Role) -> None:
    assert role_of(directory) is role


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        (".Entw&APw-rfe", "Entwürfe"),
        (".R&-D", "R&D"),
        (".&2AA-", "&2AA-"),
        (".&A-", "&A-"),
        (".plain", "plain"),
    ],
)
def test_modified_utf_7_is_read_and_what_is_none_stays(directory: str, name: str) -> None:
    assert folder_name(directory) == name


@given(st.text())
def test_any_directory_name_has_a_role(directory: str) -> None:
    assert role_of(directory) in Role
