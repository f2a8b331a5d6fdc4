"""Daily counts in a bounded amount of memory, however many networks a flood of spam comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network

from mailswitch.core.domain import Network
from mailswitch.core.evidence import LoginCount, MailCount, Traffic
from mailswitch.core.names import DomainName

__all__ = ["MOST_COUNTS", "MOST_MAILBOXES", "MOST_NETWORKS", "Tally"]

MOST_NETWORKS = 1_000
"""Kept apart of one name, day and kind; the rest are one count without a network."""
MOST_MAILBOXES = 1_000
"""Kept apart of one name and day; the rest are one count without a name."""
MOST_COUNTS = 400_000
"""Of all names and days together."""
_EPOCH = date(1970, 1, 1)
_DAY_SECONDS = 86_400


class Tally:
    """Counts by name, day, kind and network, and log-ins by name, day and mailbox."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._counts: dict[tuple[str, int, Traffic, str | None], list[int]] = {}
        self._networks: Counter[tuple[str, int, Traffic]] = Counter()
        self._logins: dict[tuple[str, int, str], list[int]] = {}
        self._mailboxes: Counter[tuple[str, int]] = Counter()

    def add(self, name: str, at: int, traffic: Traffic, network: str | None) -> None:
        """Count one message; ``at`` is its second since 1970."""
        day = at // _DAY_SECONDS
        count = self._counts.get((name, day, traffic, network))
        if count is None:
            group = (name, day, traffic)
            if network is not None:
                if self._networks[group] >= MOST_NETWORKS or len(self._counts) >= MOST_COUNTS:
                    self.add(name, at, traffic, None)
                    return
                self._networks[group] += 1
            self._counts[name, day, traffic, network] = [1, at]
        else:
            count[0] += 1
            count[1] = max(count[1], at)

    def add_login(self, name: str, mailbox: str, at: int) -> None:
        """Count one log-in."""
        day = at // _DAY_SECONDS
        count = self._logins.get((name, day, mailbox))
        if count is None:
            if mailbox:
                if self._mailboxes[name, day] >= MOST_MAILBOXES or len(self._logins) >= MOST_COUNTS:
                    self.add_login(name, "", at)
                    return
                self._mailboxes[name, day] += 1
            self._logins[name, day, mailbox] = [1, at]
        else:
            count[0] += 1
            count[1] = max(count[1], at)

    def counts(self, names: Mapping[str, DomainName]) -> tuple[MailCount, ...]:
        """Return the messages counted since it was asked last, of ``names`` by their texts."""
        counts, self._counts = self._counts, {}
        self._networks.clear()
        days = {day: _EPOCH + timedelta(days=day) for day in {day for _, day, _, _ in counts}}
        # A network writes to many names on many days, and is the same each time.
        texts = {text for _, _, _, text in counts if text is not None}
        networks: dict[str | None, Network | None] = {None: None, **{text: ip_network(text) for text in texts}}
        return tuple(
            MailCount(
                name=names[name],
                day=days[day],
                traffic=traffic,
                network=networks[network],
                messages=messages,
                last=datetime.fromtimestamp(last, UTC),
            )
            for (name, day, traffic, network), (messages, last) in counts.items()
            if name in names
        )

    def logins(self, names: Mapping[str, DomainName]) -> tuple[LoginCount, ...]:
        """Return the log-ins counted since it was asked last, of ``names`` by their texts."""
        logins, self._logins = self._logins, {}
        self._mailboxes.clear()
        return tuple(
            LoginCount(
                name=names[name],
                mailbox=mailbox,
                day=_EPOCH + timedelta(days=day),
                logins=number,
                last=datetime.fromtimestamp(last, UTC),
            )
            for (name, day, mailbox), (number, last) in logins.items()
            if name in names
        )
