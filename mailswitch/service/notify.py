"""Telling people: after each recorded pass, what is news goes out every configured way. Never fails a pass.

What is to be sent is on record before it is tried, and only one process gets it there: of the daemon and a pass by hand
that find the same news one tells it. Killed in between, a later pass tries it once more, so that a bulletin may come
twice and is not lost. A way that fails is tried once more with the next pass, then it is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Protocol

from mailswitch.core.errors import AlreadyRunning, LedgerError, MailswitchError, OutletError, ResolverError, Stopped
from mailswitch.core.ledger import Change, ServerPass
from mailswitch.core.names import DomainName
from mailswitch.core.notices import Bulletin, NoticeMemory, Seen, Unsent, digest_of, news_of
from mailswitch.core.policy import Mode
from mailswitch.core.reports import PassReport
from mailswitch.core.troubles import failed_pass, seen_in
from mailswitch.report.notices import Issue, bulletin_of
from mailswitch.service.observers import DaemonState, PassContext, PassReason
from mailswitch.service.ports import LedgerPlace, LedgerReader

__all__ = ["NoticeObserver", "NoticeWay", "Sent", "Telling", "send_test"]

_PATIENCE = timedelta(seconds=5)
"""How long a busy ledger is waited for."""
_MOST_TRIES = 10
"""At putting news on record while others put theirs there; what is not told then is found by the next pass."""


_Key = tuple[str, str]


class NoticeWay(Protocol):
    """One way a bulletin reaches people."""

    @property
    def name(self) -> str:
        """``mail`` or ``webhook``."""

    @property
    def shown(self) -> str:
        """Where it goes, for people; without secrets."""

    def send(self, bulletin: Bulletin, *, at: datetime) -> None:
        """Send one bulletin, within the way's own time-out.

        Raises:
            OutletError: it was not taken, or nobody said that it was.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How one attempt to send ended."""

    way: str
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Whom to tell, and what that needs."""

    ways: tuple[NoticeWay, ...]
    ledger: LedgerPlace
    host: str
    """What this machine calls itself."""
    now: Callable[[], datetime]
    digest: time | None = None
    """The time of day, in UTC, of the daily digest."""
    display: Callable[[DomainName], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What the ledger says before anything is told."""

    memory: NoticeMemory
    stored: NoticeMemory | None = None
    """What is on record, before anything this process could not put there."""
    changes: tuple[Change, ...] = ()
    passes: tuple[ServerPass, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """What this process, and no other, is to send."""

    again: tuple[Unsent, ...] = ()
    """Failed the last time, or left by one who was killed."""
    new: tuple[Unsent, ...] = ()


@dataclass(slots=True)
class NoticeObserver:
    """Tells people of each pass; satisfies PassObserver."""

    telling: Telling
    on_sent: Callable[[Sent], None] = field(default=lambda _: None)
    """Told of every attempt, for logs and metrics."""
    _unsaved: NoticeMemory | None = None
    """What could not be written to the ledger, so that an unusable ledger is not told every hour."""

    def pass_done(self, report: PassReport, context: PassContext) -> None:
        """Tell what is news in a pass of the daemon."""
        self.tell(report, whole=context.servers if context.reason is PassReason.SWEEP else ())

    def pass_failed(self, error: MailswitchError, context: PassContext) -> None:
        """Tell that no pass can be made, unless another one is at it or it was stopped."""
        del context
        if not isinstance(error, AlreadyRunning | Stopped):
            now = self.telling.now()
            self._tell(lambda changes: failed_pass(_word_for(error), str(error), now, changes=changes))

    def ticked(self, state: DaemonState) -> None:
        """Do nothing: only passes make news."""

    def close(self) -> None:
        """Do nothing: what could not be sent is in the ledger."""

    def tell(self, report: PassReport, *, whole: Iterable[str]) -> tuple[Sent, ...]:
        """Tell what is news in a recorded pass that was to look at every name of the servers ``whole``."""
        servers = tuple(whole)
        return self._tell(
            lambda changes: seen_in(report, whole=servers, changes=changes), run_id=report.run_id, mode=report.mode
        )

    def _tell(
        self, see: Callable[[tuple[Change, ...]], Seen], *, run_id: str | None = None, mode: Mode | None = None
    ) -> tuple[Sent, ...]:
        for _ in range(_MOST_TRIES):
            looked = self._look(run_id)
            memory, taken = self._prepared(looked, see(looked.changes), run_id=run_id, mode=mode)
            if memory == looked.memory or self._remember(memory, former=looked.stored):
                return self._send(taken)
        return ()

    def _prepared(
        self, looked: _Looked, seen: Seen, *, run_id: str | None, mode: Mode | None
    ) -> tuple[NoticeMemory, _Taken]:
        """Return what is to be remembered before anything is sent, and what to send then."""
        before = looked.memory
        memory, notices = news_of(before, seen)
        digest = None
        if self.telling.digest is not None:
            memory, digest = digest_of(memory, seen.now, self.telling.digest, looked.passes)
        new: tuple[Unsent, ...] = ()
        now = self.telling.now()
        if notices or digest is not None:
            issue = Issue(host=self.telling.host, at=seen.now, run_id=run_id, mode=mode, notices=notices, digest=digest)
            bulletin = bulletin_of(issue, display=self.telling.display)
            new = tuple(Unsent(way=way.name, bulletin=bulletin, taken_at=now) for way in self.telling.ways)
        others = tuple(unsent for unsent in before.unsent if unsent.is_in_hand(now))
        again = tuple(unsent for unsent in before.unsent if unsent not in others)
        return replace(memory, unsent=(*others, *new)), _Taken(again=again, new=new)

    def _send(self, taken: _Taken) -> tuple[Sent, ...]:
        """Send, and note what of the new was not taken, for one more try."""
        sent_again = [self._sent(unsent) for unsent in taken.again]
        sent = [self._sent(unsent) for unsent in taken.new]
        if taken.new:
            failed = [unsent for unsent, one in zip(taken.new, sent, strict=True) if one is not None and one.error]
            self._note_failed(taken.new, {_key(unsent) for unsent in failed})
        return tuple(one for one in (*sent_again, *sent) if one is not None)

    def _note_failed(self, tried: tuple[Unsent, ...], failed: set[_Key]) -> None:
        """Forget what was sent, and let go of what failed, whatever others have put on record meanwhile."""
        keys = {_key(unsent) for unsent in tried}
        for _ in range(_MOST_TRIES):
            looked = self._look(None)
            unsent = tuple(
                replace(one, taken_at=None) if _key(one) in failed else one
                for one in looked.memory.unsent
                if _key(one) in failed or _key(one) not in keys
            )
            if self._remember(replace(looked.memory, unsent=unsent), former=looked.stored):
                return

    def _sent(self, unsent: Unsent) -> Sent | None:
        """Try one bulletin; None where its way is configured no more."""
        way = next((one for one in self.telling.ways if one.name == unsent.way), None)
        if way is None:
            return None
        try:
            way.send(unsent.bulletin, at=self.telling.now())
        except OutletError as error:
            sent = Sent(way=way.name, error=str(error))
        else:
            sent = Sent(way=way.name)
        self.on_sent(sent)
        return sent

    # --- What is remembered ----------------------------------------------------------------------

    def _look(self, run_id: str | None) -> _Looked:
        """Read what was told and what has changed since; with an unusable ledger, what this process remembers."""
        try:
            reader = self.telling.ledger.reader()
        except LedgerError:
            return _Looked(memory=self._unsaved or NoticeMemory())
        try:
            stored = reader.notice_memory()
            memory = stored or _beginning(reader, run_id)
            if self._unsaved is not None:
                memory = _joined(memory, self._unsaved)
            changes = (*_still_open(reader, memory), *reader.changes_after(memory.last_change))
            return _Looked(memory=memory, stored=stored, changes=changes, passes=reader.last_passes())
        except LedgerError:
            return _Looked(memory=self._unsaved or NoticeMemory())
        finally:
            reader.close()

    def _remember(self, memory: NoticeMemory, *, former: NoticeMemory | None) -> bool:
        """Put on record what is told; return False where somebody else did so meanwhile, and may have told the same.

        An unusable ledger keeps nobody from being told; this process remembers it then.
        """
        try:
            with self.telling.ledger.writer(wait=_PATIENCE) as ledger:
                if not ledger.remember_notices(memory, former=former):
                    return False
        except (LedgerError, AlreadyRunning):
            self._unsaved = memory
        else:
            self._unsaved = None
        return True


def send_test(telling: Telling) -> tuple[Sent, ...]:
    """Send a test every way, one after another, and return how each ended."""
    at = telling.now()
    bulletin = bulletin_of(Issue(host=telling.host, at=at, is_test=True))
    found = []
    for way in telling.ways:
        try:
            way.send(bulletin, at=at)
        except OutletError as error:
            found.append(Sent(way=way.name, error=str(error)))
        else:
            found.append(Sent(way=way.name))
    return tuple(found)


def _key(unsent: Unsent) -> _Key:
    return unsent.way, unsent.bulletin.id


def _beginning(reader: LedgerReader, run_id: str | None) -> NoticeMemory:
    """Return the first memory: what was changed before this pass is no news."""
    earlier = [change.id or 0 for change in reader.changes(limit=1) if change.run_id != run_id]
    ours = [change.id or 0 for change in reader.changes(run_id=run_id)] if run_id is not None else []
    last = min(ours) - 1 if ours else max(earlier, default=0)
    return NoticeMemory(last_change=last)


def _joined(stored: NoticeMemory, unsaved: NoticeMemory) -> NoticeMemory:
    """Return what was told by way of both; what could not be saved is newer, but may know of no changes."""
    told = {one.key: one for one in (*stored.told, *unsaved.told)}
    base = unsaved if unsaved.last_change >= stored.last_change else stored
    return replace(base, told=tuple(told.values()), unsent=unsaved.unsent)


def _still_open(reader: LedgerReader, memory: NoticeMemory) -> Iterable[Change]:
    for number in memory.open_changes:
        yield from reader.changes(change_id=number)


def _word_for(error: MailswitchError) -> str:
    match error:
        case LedgerError():
            return "ledger"
        case ResolverError():
            return "public-dns"
        case _:
            return "pass"
