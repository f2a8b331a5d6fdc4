"""Sending stranded messages on: examined, covered, and handed to the local mail server one at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from mailswitch.core.errors import UnreadableMessage
from mailswitch.core.mailboxes import Content, Examined
from mailswitch.core.rescue import Handover, Letter
from mailswitch.outlets.cover import cover_for
from mailswitch.outlets.examine import examined
from mailswitch.outlets.submission import Submission, SubmissionSettings

__all__ = ["RescueMail", "RescueMailSettings"]

_COVER_OCTETS = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueMailSettings:
    """Whom it comes from, in which language, and through which server."""

    sender: str
    language: str
    """``en`` or ``ja``."""
    server: SubmissionSettings


class RescueMail:
    """Sends stranded messages on; satisfies Outbox."""

    def __init__(self, settings: RescueMailSettings) -> None:
        """Connect to nothing yet."""
        self._settings = settings
        self._submission = Submission(settings.server)

    def examine(self, content: Content) -> Examined:
        """Read a whole message once."""
        return examined(content)

    def obstacle(self, examined: Examined) -> str | None:
        """Return why a message cannot be sent on at all."""
        largest = self._submission.largest
        # Base64 takes 78 octets for 57.
        is_encoded = not examined.is_plain or (examined.has_eight_bit and not self._submission.takes_eight_bit)
        octets = examined.octets * 78 // 57 if is_encoded else examined.octets + examined.lone_feeds
        size = octets + _COVER_OCTETS
        return "too large for the local mail server" if largest is not None and size > largest else None

    def send(self, letter: Letter, content: Content, examined: Examined, *, commit: Callable[[], bool]) -> Handover:
        """Send one message, and say whether the mail server has it."""
        settings = self._settings
        takes_eight_bit = self._submission.takes_eight_bit
        cover = cover_for(
            letter, examined, sender=settings.sender, language=settings.language, takes_eight_bit=takes_eight_bit
        )
        same = _Checked(content)

        def agreed() -> bool:
            if same.sha256 != examined.sha256:
                raise UnreadableMessage("the message changed while it was sent")
            return commit()

        return self._submission.hand_over(
            cover.stream(same),
            sender=settings.sender,
            recipient=letter.recipient,
            is_eight_bit=cover.is_eight_bit,
            commit=agreed,
        )

    def close(self) -> None:
        """End the connection; the next message makes a new one."""
        self._submission.close()


class _Checked:
    """A message's octets, with the digest of what was read of them."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def rewind(self) -> None:
        self._content.rewind()
        self._digest = hashlib.sha256()

    def readline(self, limit: int, /) -> bytes:
        piece = self._content.readline(limit)
        self._digest.update(piece)
        return piece
