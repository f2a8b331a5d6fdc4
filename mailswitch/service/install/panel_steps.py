"""The steps at the panel: a secret key of its own, and handlers of the events after which a name is looked at.

Facts:

- ``plesk bin secret_key --create -ip-address IP -description TEXT`` prints the key, once (plesk.md section 3.1).
- ``plesk bin event_handler --list`` has a line for each setting of a handler: ``Id`` first, ``Command`` below it. The
  event stands there in the panel's language, so each command says for which event it is (plesk.md section 6).
- A handler has to return at once: ``recheck`` leaves a note in the ledger, and the daemon looks.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mailswitch.core.errors import InstallError
from mailswitch.service.install.host import Host

__all__ = ["PLESK", "WANTED_EVENTS", "EventHandlers", "SecretKey"]

PLESK = "/usr/sbin/plesk"

WANTED_EVENTS = (
    "domain_create",
    "domain_update",
    "site_create",
    "site_update",
    "subdomain_create",
    "site_subdomain_create",
    "domain_alias_create",
    "domain_alias_update",
    "site_alias_create",
    "site_alias_update",
    "domain_dns_update",
    "site_dns_update",
    "subdomain_dns_update",
    "mail_management_status_update",
)
"""After these a name or its mail may have changed; those that a server does not list are left out."""

_KEY = re.compile(r"(?<![\w-])[0-9A-Za-z]{8}(?:-[0-9A-Za-z]{4}){3}-[0-9A-Za-z]{12}(?![\w-])")
_EVENT = re.compile(r"[a-z][a-z0-9_]+")
_ID = re.compile(r"\W*id\W+(\d+)\W*$", re.IGNORECASE)
_PRIORITY = "50"
_MARK = "recheck --from-plesk "


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """The key with which the daemon logs in at the panel of its own machine."""

    host: Host
    path: Path
    config: Path
    """A configuration that is there already and does not use the key makes it needless."""
    group: str
    address: str = "127.0.0.1"

    @property
    def what(self) -> str:
        """See Step."""
        return f"make a secret key of the panel for {self.address}, and keep it in {self.path} (root:{self.group} 0640)"

    @property
    def takes_away(self) -> str:
        """See Step."""
        return f"delete the secret key in {self.path} from the panel, and that file"

    def is_done(self) -> bool:
        """See Step."""
        if (self.host.read(self.path) or "").strip():
            return True
        written = self.host.read(self.config)
        return written is not None and self.path.name not in written

    def do(self) -> None:
        """See Step."""
        gid = self.host.group(self.group)
        if gid is None:
            raise InstallError(f"there is no group {self.group!r}")
        words = ("--create", "-ip-address", self.address, "-description", "mailswitch")
        printed = self.host.must_run(PLESK, "bin", "secret_key", *words, is_telling=False)
        found = _KEY.findall(printed)
        if len(found) != 1:
            raise InstallError(
                "what plesk printed holds no key, or more than one; delete the key described as 'mailswitch' in the "
                "panel, if there is one"
            )
        try:
            self.host.make_directory(self.path.parent, mode=0o750, gid=gid)
            self.host.write(self.path, f"{found[0]}\n", mode=0o640, gid=gid)
        except InstallError:
            with suppress(InstallError):
                self._delete(found[0])
            raise

    def is_undone(self) -> bool:
        """See Step."""
        return self.host.read(self.path) is None

    def undo(self) -> None:
        """See Step. Also a key that the panel does not know any more is removed from this machine."""
        key = (self.host.read(self.path) or "").strip()
        try:
            if key:
                self._delete(key)
        finally:
            self.host.remove(self.path)
            self.host.remove_if_empty(self.path.parent)

    def _delete(self, key: str) -> None:
        ran = self.host.run(PLESK, "bin", "secret_key", "--delete", key)
        if ran.code != 0:
            raise InstallError(
                f"plesk ended with exit code {ran.code} on deleting the key; look in the panel for a key described as "
                "'mailswitch', and delete it there"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHandlers:
    """A handler for each event of `WANTED_EVENTS` that this server lists."""

    host: Host
    program: Path

    @property
    def what(self) -> str:
        """See Step."""
        return f"let the panel call '{self.program} recheck' after changes of domains, aliases and DNS zones"

    @property
    def takes_away(self) -> str:
        """See Step."""
        return "remove mailswitch's event handlers from the panel"

    def is_done(self) -> bool:
        """See Step."""
        return not self._missing()

    def do(self) -> None:
        """See Step."""
        for event in self._missing():
            command = self._command(event)
            words = ("-command", command, "-priority", _PRIORITY, "-user", "root", "-event", event)
            try:
                self.host.must_run(PLESK, "bin", "event_handler", "--create", *words)
            except InstallError:
                with suppress(InstallError):
                    self.undo()
                raise

    def is_undone(self) -> bool:
        """See Step."""
        return not self._handlers()

    def undo(self) -> None:
        """See Step. Also those of an installation that lay elsewhere are removed."""
        for number in sorted(self._handlers().values(), key=int):
            self.host.must_run(PLESK, "bin", "event_handler", "--delete", number)

    def _command(self, event: str) -> str:
        return f"{self.program} {_MARK}{event}"

    def _listed(self) -> list[str]:
        printed = self.host.must_run(PLESK, "bin", "event_handler", "--list-events")
        named = set(_EVENT.findall(printed))
        return [event for event in WANTED_EVENTS if event in named]

    def _missing(self) -> list[str]:
        there = self._handlers()
        return [event for event in self._listed() if self._command(event) not in there]

    def _handlers(self) -> dict[str, str]:
        """Return the ids of the handlers that are ours, by their commands."""
        found: dict[str, str] = {}
        number: str | None = None
        for line in self.host.must_run(PLESK, "bin", "event_handler", "--list").splitlines():
            told = _ID.match(line)
            if told is not None:
                number = told[1]
            at = re.search(rf"/\S+ {_MARK}[a-z0-9_]+", line)
            if at is None:
                continue
            if number is None:
                raise InstallError(
                    "plesk lists a handler of mailswitch's without its id; remove mailswitch's handlers in the panel, "
                    "under Tools & Settings > Event Manager"
                )
            found[at[0]] = number
        return found
