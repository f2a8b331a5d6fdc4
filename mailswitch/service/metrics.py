"""Keeping the metrics: after each pass and between passes, for the listener and the file. Never fails a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from mailswitch.core.errors import AlreadyRunning, LedgerError, MailswitchError, OutletError, Stopped
from mailswitch.core.reports import PassReport
from mailswitch.report.metrics import Metrics
from mailswitch.service.notify import Sent
from mailswitch.service.observers import DaemonState, PassContext, PassReason
from mailswitch.service.ports import LedgerPlace

__all__ = ["MetricsObserver", "remember_passes"]


@dataclass(slots=True, kw_only=True)
class MetricsObserver:
    """Brings passes into the metrics and the metrics to where they are read; satisfies PassObserver."""

    metrics: Metrics
    write: Callable[[bytes], None] | None = None
    """Writes the file; raises OutletError."""
    stop: Callable[[], None] = field(default=lambda: None)
    """Stops the listener."""
    on_failure: Callable[[str], None] = field(default=lambda _: None)
    """Told why the file cannot be written: once, and again when it is for another reason."""
    _written: bytes | None = None
    _failure: str | None = None

    def pass_done(self, report: PassReport, context: PassContext) -> None:
        """Take over a pass of the daemon."""
        whole = context.servers if context.reason is PassReason.SWEEP else ()
        self.take_over(report, whole=whole, elapsed=context.elapsed)

    def take_over(self, report: PassReport, *, whole: Iterable[str], elapsed: timedelta) -> None:
        """Take over a recorded pass that was to look at every name of the servers ``whole``."""
        self.metrics.pass_done(report, whole=whole, elapsed=elapsed)
        self._publish()

    def pass_failed(self, error: MailswitchError, context: PassContext) -> None:
        """Count a pass that could not be made, unless another one is at it or it was stopped."""
        del context
        if not isinstance(error, AlreadyRunning | Stopped):
            self.metrics.pass_failed()
            self._publish()

    def ticked(self, state: DaemonState) -> None:
        """Take over how it stands."""
        self.metrics.standing(unsettled=state.unsettled, is_paused=state.is_paused)
        self._publish()

    def notice_sent(self, sent: Sent) -> None:
        """Count an attempt to tell people."""
        self.metrics.notice_sent(sent.way, is_done=sent.error is None)

    def close(self) -> None:
        """Stop listening; the file stays, with what was last true."""
        self.stop()

    def _publish(self) -> None:
        if self.write is None:
            return
        content = self.metrics.exposition()
        if content == self._written:
            return
        try:
            self.write(content)
        except OutletError as error:
            self._written = None
            if str(error) != self._failure:
                self._failure = str(error)
                self.on_failure(str(error))
        else:
            self._written, self._failure = content, None


def remember_passes(metrics: Metrics, ledger: LedgerPlace) -> None:
    """Let the metrics know of the passes before this process, and how it stands; of nothing where none can be read."""
    try:
        reader = ledger.reader()
    except LedgerError:
        return
    try:
        metrics.remember(reader.last_passes())
        metrics.standing(unsettled=len(reader.unsettled()), is_paused=reader.pause() is not None)
    except LedgerError:
        return
    finally:
        reader.close()
