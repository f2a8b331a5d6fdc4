"""What a valid configuration should make its administrator think twice about."""

from __future__ import annotations

from datetime import timedelta

from mailswitch.config.settings import Settings
from mailswitch.config.values import duration_text

__all__ = ["cautions"]


def cautions(settings: Settings) -> tuple[str, ...]:
    """Return one sentence for each thing that is allowed and dangerous, or that can never lead anywhere."""
    found = [
        f"servers[{place}].tls.verify: the certificate of {server.name!r} is not checked: whoever is between here "
        "and the panel can read the key; pin it with fingerprint_sha256"
        for place, server in enumerate(settings.servers)
        if not server.tls.verify
    ]
    longest_gap = settings.schedule.interval + settings.schedule.jitter
    windows = {
        "confirm.window": settings.confirm.window,
        "confirm.unknown_provider_window": settings.confirm.unknown_provider_window,
    }
    found += [
        f"{key}: sightings may lie {duration_text(window / 2)} apart at most (half of it), and passes up to "
        f"{duration_text(longest_gap)} (schedule.interval and schedule.jitter): the daemon would never confirm anything"
        for key, window in windows.items()
        if timedelta(0) < window < 2 * longest_gap
    ]
    return tuple(found)
