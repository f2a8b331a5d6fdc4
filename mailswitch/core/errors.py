"""Every error mailswitch raises on purpose, one branch for each thing an operator can do about it.

::

    MailswitchError
    ├── ConfigError       correct the configuration (or the words on the command line)
    ├── InventoryError    look at the panel: it did not say what it hosts
    ├── ResolverError     look at the vantages: no sweep could be made
    ├── UnsafePlan        review the plan: limits or a changed plan stand in front of it
    ├── ApplyError        look at one change: the panel did not do it, or we cannot tell
    ├── LedgerError       look at the ledger: it cannot be read or written
    ├── OutletError       look at notify and metrics: something could not be told
    ├── MailError         look at this server's mail: it cannot be read, written out or sent on
    │   └── UnreadableMessage
    ├── InstallError      look at this machine: the daemon could not be installed on it, or taken away
    ├── AlreadyRunning    wait: another pass holds the ledger
    └── Stopped           nothing: the pass was asked to end before it changed anything

Messages say what was attempted, on what, what happened and what to do.
They are shown as they are, so they carry no secrets; foreign text in them is cleaned where it is printed.
"""

from __future__ import annotations

__all__ = [
    "AlreadyRunning",
    "ApplyError",
    "ConfigError",
    "InstallError",
    "InvalidName",
    "InventoryError",
    "LedgerError",
    "MailError",
    "MailswitchError",
    "OutletError",
    "ResolverError",
    "Stopped",
    "UnreadableMessage",
    "UnsafePlan",
]


class MailswitchError(Exception):
    """Anything mailswitch reports as an error of its own; never raised itself."""


class ConfigError(MailswitchError):
    """Something an administrator wrote cannot be used; carries every problem found, not the first."""

    def __init__(self, problems: tuple[str, ...] | str) -> None:
        """Keep the problems, one line each, in the order in which they stand in the file."""
        self.problems = (problems,) if isinstance(problems, str) else problems
        super().__init__("\n".join(self.problems))


class InvalidName(ConfigError):
    """A text is no domain name (RFC 1035 §2.3.4, RFC 5890 §2.3.1, RFC 5891 §4)."""


class InventoryError(MailswitchError):
    """A panel could not be read.

    ``code`` is a short stable word for reports (``unreachable``, ``authentication``, ``licence``,
    ``not-understood``, ``certificate``, ``refused``, ``incomplete``, ``configuration``).
    """

    def __init__(self, message: str, *, code: str) -> None:
        """Keep the message and its stable code."""
        self.code = code
        super().__init__(message)


class ResolverError(MailswitchError):
    """Public DNS could not be asked at all."""


class UnsafePlan(MailswitchError):
    """A plan is refused: a limit stands in front of it, or it is not the plan that was reviewed."""


class ApplyError(MailswitchError):
    """A panel write failed.

    Whether it took effect is not known from this error: the caller reads the switch back and decides.
    """

    def __init__(self, message: str, *, code: str) -> None:
        """Keep the message and its stable code (as for InventoryError, and ``gone``: no such domain)."""
        self.code = code
        super().__init__(message)


class LedgerError(MailswitchError):
    """The ledger cannot be opened, read or written; nothing is changed without it."""


class MailError(MailswitchError):
    """Stranded mail cannot be read, written to a file, or sent on; the mailboxes are as they were."""


class UnreadableMessage(MailError):
    """One message's own octets cannot be read; others can."""


class InstallError(MailswitchError):
    """A step of installing the daemon, or of taking it away, failed."""


class OutletError(MailswitchError):
    """A notice or a metric did not leave; nothing but the telling failed."""


class AlreadyRunning(MailswitchError):
    """Another pass holds the ledger's pass lock."""


class Stopped(MailswitchError):
    """A pass was asked to end while it only looked; nothing was recorded or changed."""
