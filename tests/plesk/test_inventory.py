"""An inventory made of records: kinds, parents, suspension, doubles, names left out."""

from __future__ import annotations

from datetime import date

import pytest

from mailswitch.core.domain import HostedDomain, Inventory, Kind, Platform, ServerAddress, Switch
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.plesk import inventory
from mailswitch.plesk.failures import PanelFailure
from mailswitch.plesk.records import AliasRecord, ServerRecord, SiteRecord, created_on

ADDRESS = ServerAddress(address=address("203.0.113.10"))


def a_site(
    number: int = 5,
    name: str = "main.example",
    *,
    of: int = 0,
    below: int | None = None,
    status: int | None = 0,
    created: date | None = None,
) -> SiteRecord:
    return SiteRecord(
        id=number, ascii_name=name, name=None, status=status, webspace_id=of, parent_site_id=below, created=created
    )


def an_alias(
    number: int = 7,
    name: str = "alias.example",
    *,
    of: int | None = 5,
    status: int | None = 0,
    switch: Switch = Switch.ON,
) -> AliasRecord:
    return AliasRecord(id=number, ascii_name=name, name=None, site_id=of, status=status, switch=switch)


def built(
    *sites: SiteRecord, aliases: tuple[AliasRecord, ...] = (), host_name: str | None = "plesk.example.net"
) -> Inventory:
    return inventory.build(
        server="web01",
        panel="xml-api",
        record=ServerRecord(host_name=host_name, version="18.0.61", system="Debian"),
        addresses=[ADDRESS, ADDRESS],
        sites=sites,
        aliases=aliases,
        switches={site.id: Switch.ON for site in sites},
    )


def of_name(found: Inventory, name: str) -> HostedDomain:
    (domain,) = [domain for domain in found.domains if domain.name == DomainName(name)]
    return domain


def test_a_webspace_is_a_main_domain_with_its_id() -> None:
    domain = of_name(built(a_site(created=date(2024, 5, 1))), "main.example")

    assert (domain.kind, domain.parent, domain.panel_id) == (Kind.DOMAIN, None, "5")
    assert (domain.switch, domain.created, domain.is_suspended) == (Switch.ON, date(2024, 5, 1), False)


def test_a_site_below_a_domain_of_its_subscription_is_a_subdomain_of_the_nearest() -> None:
    found = built(
        a_site(),
        a_site(6, "shop.main.example", of=5),
        a_site(8, "old.shop.main.example", of=5),
        a_site(9, "b.example", of=5),
    )

    assert of_name(found, "shop.main.example").parent == DomainName("main.example")
    assert of_name(found, "old.shop.main.example").parent == DomainName("shop.main.example")
    assert of_name(found, "old.shop.main.example").kind is Kind.SUBDOMAIN
    assert (of_name(found, "b.example").kind, of_name(found, "b.example").parent) == (
        Kind.ADDON,
        DomainName("main.example"),
    )


def test_a_site_below_a_domain_of_another_subscription_is_an_addon() -> None:
    found = built(a_site(), a_site(20, "other.example"), a_site(21, "shop.main.example", of=20))

    domain = of_name(found, "shop.main.example")
    assert (domain.kind, domain.parent) == (Kind.ADDON, DomainName("other.example"))


def test_a_name_that_merely_ends_alike_is_no_subdomain() -> None:
    assert of_name(built(a_site(), a_site(6, "notmain.example", of=5)), "notmain.example").kind is Kind.ADDON


def test_a_panel_that_tells_the_parent_is_believed() -> None:
    found = built(a_site(), a_site(6, "sub.main.example", of=5, below=0), a_site(8, "x.example", of=5, below=6))

    assert of_name(found, "sub.main.example").kind is Kind.ADDON
    assert (of_name(found, "x.example").kind, of_name(found, "x.example").parent) == (
        Kind.SUBDOMAIN,
        DomainName("sub.main.example"),
    )


def test_an_alias_belongs_to_its_site() -> None:
    domain = of_name(built(a_site(), aliases=(an_alias(),)), "alias.example")

    assert (domain.kind, domain.parent, domain.panel_id) == (Kind.ALIAS, DomainName("main.example"), "7")


def test_an_alias_of_nothing_known_is_kept_and_told() -> None:
    found = built(a_site(), aliases=(an_alias(of=99),))

    assert of_name(found, "alias.example").parent is None
    assert "99" in found.oddities[0]


@pytest.mark.parametrize(("own", "subscription"), [(16, 0), (0, 2), (272, 16), (None, 0)])
def test_a_site_is_suspended_by_itself_or_by_its_subscription(own: int | None, subscription: int) -> None:
    found = built(a_site(status=subscription), a_site(6, "b.example", of=5, status=own))

    assert of_name(found, "b.example").is_suspended


@pytest.mark.parametrize(("own", "site", "subscription"), [(1, 0, 0), (0, 16, 0), (0, 0, 16), (None, 0, 0)])
def test_an_alias_is_suspended_by_itself_its_domain_or_its_subscription(
    own: int | None, site: int, subscription: int
) -> None:
    found = built(
        a_site(status=subscription),
        a_site(6, "b.example", of=5, status=site),
        aliases=(an_alias(of=6, status=own),),
    )

    assert of_name(found, "alias.example").is_suspended


def test_a_site_of_an_unlisted_subscription_is_unknown() -> None:
    found = built(a_site(6, "b.example", of=99))

    assert of_name(found, "b.example").switch is Switch.UNKNOWN
    assert "99" in found.oddities[0]


def test_a_name_that_is_none_is_left_out_and_told_cleaned() -> None:
    found = built(a_site(), a_site(6, "\x1b[2J bad.example", of=5), aliases=(an_alias(name="a..b"),))

    assert [domain.name.text for domain in found.domains] == ["main.example"]
    assert len(found.oddities) == 2
    assert "id 6" in found.oddities[0]
    assert not any("\x1b" in oddity for oddity in found.oddities)


def test_a_subscription_whose_own_name_is_none_still_suspends_its_sites() -> None:
    found = built(a_site(name="a..b", status=16), a_site(6, "b.example", of=5))

    assert of_name(found, "b.example").is_suspended
    assert of_name(found, "b.example").parent is None


def test_a_main_domain_that_site_get_tells_again_is_one() -> None:
    assert [d.kind for d in built(a_site(), a_site()).domains] == [Kind.DOMAIN]


def test_one_id_for_two_names_is_a_contradiction() -> None:
    with pytest.raises(PanelFailure, match="id 5"):
        built(a_site(), a_site(5, "other.example"))


def test_a_name_that_is_there_twice_has_an_unknown_switch() -> None:
    found = built(a_site(), aliases=(an_alias(name="main.example"),))

    assert of_name(found, "main.example").switch is Switch.UNKNOWN
    assert "2 times" in found.oddities[0]


def test_display_names_are_made_here() -> None:
    assert (
        of_name(built(a_site(name="xn--bcher-kva.example")), "xn--bcher-kva.example").display_name == "bücher.example"
    )


def test_a_server_without_a_usable_host_name_has_none() -> None:
    assert built(host_name=None).host_name is None
    assert built(host_name="no name").host_name is None
    assert "host name" in built(host_name="no name").oddities[0]
    assert built(host_name="plesk.example.net").host_name == DomainName("plesk.example.net")


def test_addresses_are_listed_once() -> None:
    assert built().addresses == (ADDRESS,)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("18.0.61", "18.0.61"),
        ("Plesk Obsidian 18.0.61 Update #5", "18.0.61"),
        ("Plesk Obsidian 18.0.61.5", "18.0.61.5"),
        ("17.8.11 #53", "17.8.11"),
        ("Obsidian", None),
        (None, None),
        ("9" * 10_000, None),
    ],
)
def test_a_version_is_found_in_any_words(text: str | None, wanted: str | None) -> None:
    assert inventory.version_of(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Debian", Platform.LINUX),
        ("RedHat", Platform.LINUX),
        ("Ubuntu 22.04.4 LTS x86_64", Platform.LINUX),
        ("AlmaLinux 9.3", Platform.LINUX),
        ("CloudLinux", Platform.LINUX),
        ("unix", Platform.LINUX),
        ("Windows", Platform.WINDOWS),
        ("Microsoft Windows Server 2022", Platform.WINDOWS),
        ("", Platform.UNKNOWN),
        (None, Platform.UNKNOWN),
        ("BeOS", Platform.UNKNOWN),
    ],
)
def test_a_platform_is_known_or_not_guessed(text: str | None, wanted: Platform) -> None:
    assert inventory.platform_of(text) is wanted


@pytest.mark.parametrize("text", ["", None, "yesterday", "2024-13-01", "0000-00-00", "01.05.2024"])
def test_a_day_that_is_none_is_no_day(text: str | None) -> None:
    assert created_on(text) is None


def test_a_time_of_day_is_ignored() -> None:
    assert created_on("2024-05-01 12:00:00") == date(2024, 5, 1)
