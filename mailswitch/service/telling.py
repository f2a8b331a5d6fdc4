"""The only place that opens outlets: from checked settings to those who tell people and Prometheus of passes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from mailswitch.config.names import display_name
from mailswitch.config.settings import Settings
from mailswitch.config.values import Authoritative
from mailswitch.core.errors import OutletError
from mailswitch.core.mx import AUTHORITATIVE
from mailswitch.core.reports import PassReport
from mailswitch.outlets.mail import MailSettings, MailWay
from mailswitch.outlets.webhook import WebhookSettings, WebhookWay
from mailswitch.service.notify import NoticeObserver, NoticeWay, Sent, Telling
from mailswitch.service.observers import PassObserver
from mailswitch.service.rescue_ports import Outbox
from mailswitch.service.wiring import ledger_of, utc_now

if TYPE_CHECKING:
    from mailswitch.report.metrics import Metrics
    from mailswitch.service.metrics import MetricsObserver

__all__ = ["host_name", "observers_of", "outbox_of", "tell_once", "telling_of"]

Complain = Callable[[str], None]


def host_name() -> str:
    """Return what this machine calls itself, fit for a mail's header and greeting."""
    name = "".join(one for one in socket.gethostname() if one.isascii() and (one.isalnum() or one in "-."))
    return name.strip("-.")[:253] or "localhost"


def telling_of(settings: Settings) -> Telling:
    """Return whom to tell; nothing is connected to yet."""
    return Telling(
        ways=_ways(settings),
        ledger=ledger_of(settings),
        host=host_name(),
        now=utc_now,
        digest=settings.notify.digest,
        display=display_name,
    )


def outbox_of(settings: Settings) -> Outbox:
    """Return what sends stranded mail on; nothing is connected to yet."""
    from mailswitch.outlets.rescue_mail import RescueMail, RescueMailSettings
    from mailswitch.outlets.submission import SubmissionSettings

    rescue = settings.rescue
    server = SubmissionSettings(
        host=rescue.smtp.host, port=rescue.smtp.port, timeout=rescue.smtp.timeout, helo=host_name()
    )
    # A dry run looks at messages without a sender, and sends nothing.
    return RescueMail(RescueMailSettings(sender=rescue.sender or "", language=rescue.language.value, server=server))


def observers_of(settings: Settings, complain: Complain) -> tuple[PassObserver, ...]:
    """Return who is told how the daemon fares, beside its log.

    Args:
        settings: What is configured; without `notify` and `metrics` there is nobody.
        complain: Told why something could not be told; all the rest goes on.
    """
    metrics = _metrics_observer(settings, complain, is_lasting=True)
    notices = _notice_observer(settings, metrics, complain)
    return tuple(one for one in (metrics, notices) if one is not None)


def tell_once(settings: Settings, report: PassReport, *, elapsed: timedelta, complain: Complain) -> None:
    """Tell of one recorded pass over everything, as the daemon would; what fails is only complained of."""
    whole = tuple(server.name for server in settings.servers)
    metrics = _metrics_observer(settings, complain, is_lasting=False)
    notices = _notice_observer(settings, metrics, complain)
    if notices is not None:
        notices.tell(report, whole=whole)
    if metrics is not None:
        metrics.take_over(report, whole=whole, elapsed=elapsed)


def _ways(settings: Settings) -> tuple[NoticeWay, ...]:
    ways: list[NoticeWay] = []
    mail, webhook = settings.notify.mail, settings.notify.webhook
    if mail is not None:
        ways.append(
            MailWay(
                MailSettings(
                    to=mail.to,
                    sender=mail.sender,
                    host=mail.host,
                    port=mail.port,
                    timeout=mail.timeout,
                    helo=host_name(),
                )
            )
        )
    if webhook is not None:
        ways.append(
            WebhookWay(
                WebhookSettings(
                    url=webhook.url,
                    secret=settings.webhook_secret(),
                    ca_file=webhook.ca_file,
                    timeout=webhook.timeout,
                )
            )
        )
    return tuple(ways)


def _notice_observer(settings: Settings, metrics: MetricsObserver | None, complain: Complain) -> NoticeObserver | None:
    telling = telling_of(settings)
    if not telling.ways:
        return None

    def on_sent(sent: Sent) -> None:
        if metrics is not None:
            metrics.notice_sent(sent)
        if sent.error is not None:
            complain(sent.error)

    return NoticeObserver(telling, on_sent=on_sent)


def _metrics_observer(settings: Settings, complain: Complain, *, is_lasting: bool) -> MetricsObserver | None:
    wanted = settings.metrics
    listen = wanted.listen if is_lasting else None
    textfile = wanted.textfile
    if listen is None and textfile is None:
        return None
    from mailswitch.outlets.textfile import write_textfile
    from mailswitch.report.metrics import Metrics
    from mailswitch.service.metrics import MetricsObserver, remember_passes

    vantages = [vantage.name for vantage in settings.dns.vantages]
    if settings.dns.authoritative is not Authoritative.OFF:
        vantages.append(AUTHORITATIVE)
    metrics = Metrics([server.name for server in settings.servers], vantages)
    remember_passes(metrics, ledger_of(settings))
    observer = MetricsObserver(metrics=metrics, on_failure=complain)
    if textfile is not None:
        observer.write = lambda content: write_textfile(textfile, content)
    if listen is not None:
        try:
            observer.stop = _listening(metrics, str(listen.address), listen.port)
        except OutletError as error:
            complain(str(error))
    return observer


def _listening(metrics: Metrics, address: str, port: int) -> Callable[[], None]:
    from mailswitch.outlets.listener import MetricsListener

    return MetricsListener(address, port, lambda: metrics.exposition(now=utc_now())).close
