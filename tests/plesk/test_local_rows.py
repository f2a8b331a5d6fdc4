"""What plesk db and plesk version print, in documented and in broken shapes."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.domain import ServerAddress, Switch
from mailswitch.core.mx import address
from mailswitch.plesk import local_rows, local_sql
from mailswitch.plesk.failures import PanelFailure

ON, OFF, NOT_CONFIGURED, UNKNOWN = Switch.ON, Switch.OFF, Switch.NOT_CONFIGURED, Switch.UNKNOWN


def printed(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in (*rows, "end")).encode()


def a_site_row(
    *,
    number: str = "5",
    name: str = "main.example",
    status: str = "0",
    webspace_status: str = "0",
    webspace: str = "0",
    parent: str = "0",
    created: str = "2024-05-01",
    service: str = "0",
) -> str:
    return "\t".join(("site", number, name, status, webspace_status, webspace, parent, created, service))


def failure(output: bytes) -> PanelFailure:
    with pytest.raises(PanelFailure) as caught:
        local_rows.read_rows(output)
    return caught.value


def test_rows_become_records() -> None:
    found = local_rows.read_rows(
        printed(
            "host\tplesk.example.net",
            "address\t10.0.0.5\t203.0.113.10",
            "address\t2001:db8::10\tNULL",
            a_site_row(),
            a_site_row(number="6", name="shop.main.example", webspace="5", parent="5", created="NULL", service="64"),
            "alias\t7\talias.example\t5\t0\ttrue",
        )
    )

    assert found.host_name == "plesk.example.net"
    assert found.addresses == (
        ServerAddress(address=address("10.0.0.5"), public=address("203.0.113.10")),
        ServerAddress(address=address("2001:db8::10")),
    )
    assert [(s.id, s.ascii_name, s.webspace_id, s.parent_site_id, s.created) for s in found.sites] == [
        (5, "main.example", 0, 0, date(2024, 5, 1)),
        (6, "shop.main.example", 5, 5, None),
    ]
    assert found.switches == {5: ON, 6: OFF}
    assert [(a.id, a.site_id, a.status, a.switch) for a in found.aliases] == [(7, 5, 0, ON)]


@pytest.mark.parametrize(
    ("service", "status", "webspace_status", "wanted"),
    [
        ("0", "0", "0", ON),
        ("0", "16", "0", ON),
        ("NULL", "0", "0", NOT_CONFIGURED),
        ("NULL", "16", "16", NOT_CONFIGURED),
        ("64", "0", "0", OFF),
        ("1", "0", "0", OFF),
        ("80", "16", "0", UNKNOWN),
        ("16", "16", "0", UNKNOWN),
        ("16", "0", "16", UNKNOWN),
        ("64", "16", "0", OFF),
        ("2", "16", "0", UNKNOWN),
        ("2", "0", "256", UNKNOWN),
        ("2", "0", "0", OFF),
        ("16", "NULL", "0", UNKNOWN),
        ("on", "0", "0", UNKNOWN),
        ("-1", "0", "0", UNKNOWN),
    ],
)
def test_a_service_status_is_a_switch_unless_a_suspension_explains_it(
    service: str, status: str, webspace_status: str, wanted: Switch
) -> None:
    row = a_site_row(service=service, status=status, webspace_status=webspace_status)

    assert local_rows.read_rows(printed(row)).switches == {5: wanted}


@pytest.mark.parametrize(
    ("status", "webspace_status", "wanted"),
    [("16", "0", 16), ("0", "2", 2), ("16", "256", 272), ("NULL", "0", None), ("0", "NULL", 0), ("x", "0", None)],
)
def test_a_status_is_the_sum_of_both(status: str, webspace_status: str, wanted: int | None) -> None:
    (found,) = local_rows.read_rows(printed(a_site_row(status=status, webspace_status=webspace_status))).sites

    assert found.status == wanted


def test_null_for_no_parent_and_its_own_subscription_is_a_main_domain() -> None:
    (found,) = local_rows.read_rows(printed(a_site_row(webspace="5", parent="NULL"))).sites

    assert (found.webspace_id, found.parent_site_id) == (0, 0)


@pytest.mark.parametrize(
    ("mail", "wanted"), [("true", ON), ("false", OFF), ("NULL", UNKNOWN), ("", UNKNOWN), ("x", UNKNOWN)]
)
def test_the_switch_of_an_alias(mail: str, wanted: Switch) -> None:
    (found,) = local_rows.read_rows(printed(f"alias\t7\talias.example\t5\t0\t{mail}")).aliases

    assert found.switch is wanted


@pytest.mark.parametrize(
    ("column", "wanted"),
    [(r"a\tb", "a\tb"), (r"a\nb", "a\nb"), (r"a\0b", "a\0b"), (r"a\\nb", r"a\nb"), (r"a\xb", r"a\xb"), ("NULL", None)],
)
def test_escapes_of_the_batch_mode_are_undone(column: str, wanted: str | None) -> None:
    (found,) = local_rows.read_rows(printed(a_site_row(name=column))).sites

    assert found.ascii_name == wanted


def test_a_line_separator_in_a_value_does_not_end_a_row() -> None:
    (found,) = local_rows.read_rows(printed(a_site_row(name="a\u2028b\x85c\rd"))).sites

    assert found.ascii_name == "a\u2028b\x85c\rd"


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"end",
        printed(a_site_row())[:-4],
        printed(a_site_row())[:20],
        printed("site\t5\tmain.example"),
        printed("nothing\tasked\tfor"),
        printed(a_site_row(number="0")),
        printed(a_site_row(number="NULL")),
        printed(a_site_row(webspace="x")),
        printed("alias\t-1\talias.example\t5\t0\ttrue"),
        printed("address\tno address\tNULL"),
        printed("address\tNULL\tNULL"),
        printed() + printed(),
        b"\xff\xfe\n" + printed(),
        b"<html>\x00 no\tsuch\tthing\n",
        b"ERROR 2002 (HY000): no server\n",
    ],
)
def test_rows_that_were_not_asked_for_are_not_understood(output: bytes) -> None:
    assert failure(output).code == "not-understood"


@given(st.integers(min_value=0, max_value=200))
def test_no_prefix_of_the_rows_is_taken_for_all_of_them(length: int) -> None:
    whole = printed("address\t203.0.113.10\tNULL", a_site_row(), a_site_row(number="6", name="b.example"))

    assert failure(whole[: min(length, len(whole) - 1)]).code == "not-understood"


@given(st.binary(max_size=200))
def test_noise_is_never_taken_for_rows(noise: bytes) -> None:
    assert failure(b"x" + noise).code == "not-understood"


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        (b"domain_aliases\n", "domain_aliases"),
        (b"domainaliases\n", "domainaliases"),
        (b"domainaliases\ndomain_aliases\n", "domain_aliases"),
        (b"domain_alias_extras\ndomain_aliases\n", "domain_aliases"),
    ],
)
def test_the_table_of_aliases_is_found(output: bytes, wanted: str) -> None:
    assert local_rows.read_alias_table(output, local_sql.ALIAS_TABLES) == wanted


@pytest.mark.parametrize("output", [b"", b"domain_aliasing\n"])
def test_without_a_table_of_aliases_the_inventory_is_incomplete(output: bytes) -> None:
    with pytest.raises(PanelFailure) as caught:
        local_rows.read_alias_table(output, local_sql.ALIAS_TABLES)

    assert caught.value.code == "incomplete"


def test_version_is_read_from_its_lines() -> None:
    output = (
        b"Product version: Plesk Obsidian 18.0.61 Update #5\n     OS version: Debian 12.5 x86_64\n Build date: 2024\n"
    )
    found = local_rows.read_version(output, "plesk.example.net")

    assert (found.version, found.system) == ("Plesk Obsidian 18.0.61 Update #5", "Debian 12.5 x86_64")
    assert found.host_name == "plesk.example.net"


@pytest.mark.parametrize("output", [b"", b"\xff\x00", b"no such line\n", b"Product version:\nOS version: \n"])
def test_a_version_that_is_not_told_is_none(output: bytes) -> None:
    found = local_rows.read_version(output, None)

    assert (found.version, found.system, found.host_name) == (None, None, None)


@pytest.mark.parametrize("table", local_sql.ALIAS_TABLES)
def test_statements_only_read(table: str) -> None:
    for text in (local_sql.inventory_sql(table), local_sql.one_site_sql(5), local_sql.one_alias_sql(table, 7)):
        assert all(statement.strip().startswith("SELECT ") for statement in text.split(";"))


def test_an_unknown_table_gets_into_no_statement() -> None:
    with pytest.raises(KeyError):
        local_sql.inventory_sql("domains; DROP TABLE domains")
