"""How a simulated panel can be told to misbehave.

========================  =============================================================================================
name                      what the panel does
========================  =============================================================================================
``wrong-key``             says that the key or the login is wrong (11003 or 1001)
``licence-expired``       says that its licence has expired (1030)
``error``                 answers with ``code``: for one operation (``mail/set_prefs``), or for the whole request
``slow``                  answers after ``seconds``
``cut-off``               does it, and breaks off in the middle of the reply
``reply-lost``            does it, and says nothing
``not-applied``           says that it did it, and did not
``html``                  answers with a web page instead of XML
``redirect``              sends the caller to another host
``garbage``               answers with something that is no XML at all
``server-error``          answers HTTP 500 without a body
========================  =============================================================================================

On the ``plesk`` executable ``html``, ``redirect`` and ``garbage`` print garbage; ``wrong-key`` and ``server-error``
end in exit code 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["EVERY_REQUEST", "READS", "WRITES", "Fault", "Misbehaviour"]

EVERY_REQUEST = "any"
READS = "read"
WRITES = "write"


class Fault(StrEnum):
    """What kind of misbehaviour."""

    WRONG_KEY = "wrong-key"
    LICENCE_EXPIRED = "licence-expired"
    ERROR = "error"
    SLOW = "slow"
    CUT_OFF = "cut-off"
    REPLY_LOST = "reply-lost"
    NOT_APPLIED = "not-applied"
    HTML = "html"
    REDIRECT = "redirect"
    GARBAGE = "garbage"
    SERVER_ERROR = "server-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """One way to misbehave, and at which requests."""

    fault: Fault
    on: str = EVERY_REQUEST
    """``any``, ``read``, ``write``, or one operation such as ``mail/get_prefs`` (for the executable: ``db``,
    ``domain --update`` and so on, without arguments)."""
    code: int = 1023
    """The error code of ``error`` (plesk.md section 1.2)."""
    seconds: float = 1.0
    """How long ``slow`` takes."""
    location: str = "https://elsewhere.invalid/enterprise/control/agent.php"
    """Where ``redirect`` points."""

    @property
    def is_for_one_operation(self) -> bool:
        """Whether it is bound to one operation by name."""
        return self.on not in {EVERY_REQUEST, READS, WRITES}

    def strikes(self, operations: tuple[str, ...], *, is_write: bool) -> bool:
        """Whether a request with these operations meets it.

        What is about writes only (``reply-lost``, ``not-applied``) lets reads pass.
        """
        if self.fault in {Fault.REPLY_LOST, Fault.NOT_APPLIED} and not is_write:
            return False
        match self.on:
            case "any":
                return True
            case "read":
                return not is_write
            case "write":
                return is_write
            case operation:
                return operation in operations
