"""How long to wait for a vantage and how fast to ask it, learned from how it answers.

Facts:

- A retry timer is SRTT + 4·RTTVAR, with weights of 1/8 and 1/4, and doubles from try to try (RFC 6298 §2, §5.5).
- Every try has an id of its own, so it is known which of them an answer belongs to: each is a sample (RFC 6298 §3).
- A resolver that is asked too fast drops queries or refuses them; asking on makes it worse.
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import timedelta

from mailswitch.core.traffic import Stray, Traffic
from mailswitch.lookup.replies import Unreliable

__all__ = ["DEAD_AFTER", "GIVEN_UP", "Pace", "RoundTrips", "Standing"]

DEAD_AFTER = 100
"""Questions in a row without any reply, after which a vantage is taken for dead."""
GIVEN_UP = Unreliable("it left everything unanswered for some time, and is hardly asked any more")
"""What is said of a question to a vantage that is taken for dead."""
_DEAD_PACKETS = 50
_DEAD_SECONDS = 15.0
"""So many packets in a row without any reply, for so long, and it is as well; waiting for all tries took minutes."""

_FIRST_SECONDS = 1.0
_LEAST_SECONDS = 0.15
_MOST_SECONDS = 2.0

_ROUNDING = 1e-9
"""A token short by so little is whole: waiting for half a microsecond's would wait for ever."""
_BURST_SECONDS = 0.05
_PERIOD_SECONDS = 1.0
_RAISE = 1.05
_UNANSWERED_SHARE = 0.01
_FEW_UNANSWERED = 5
_REFUSED_SHARE = 0.2
_FEW_REFUSED = 10
_LEAST_SHARE = 1 / 32


class RoundTrips:
    """How long a vantage takes to answer."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._deviation = 0.0

    def add(self, seconds: float) -> None:
        """Take in how long an answer took."""
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
        else:
            self._deviation += (abs(seconds - self._mean) - self._deviation) / 4
            self._mean += (seconds - self._mean) / 8

    @property
    def mean(self) -> timedelta | None:
        """How long its answers take, the last ones counting most; None without any."""
        return None if self._mean is None else timedelta(seconds=self._mean)

    def patience(self, tries: int) -> float:
        """Return the seconds after which the n-th try (the first is 0) counts as lost."""
        once = _FIRST_SECONDS if self._mean is None else self._mean + 4 * self._deviation
        return min(max(once, _LEAST_SECONDS) * float(2**tries), _MOST_SECONDS)


class Pace:
    """A token bucket for one vantage: at most its rate, less where the vantage cannot keep up.

    The rate is halved after a second in which more than 1 % of the packets stayed unanswered or a fifth were refused
    (and not just a few of either), and raised by 5 % after any other, up to where it began. Moments are of a monotonic
    clock, in seconds.
    """

    def __init__(self, rate: float | None) -> None:
        self._limit = rate
        self._rate = rate or 0.0
        self._tokens = 1.0
        self._at: float | None = None
        self._period_ends = 0.0
        self._sent = self._unanswered = self._refused = 0

    @property
    def rate(self) -> float | None:
        """Packets a second at present; None without a limit."""
        return self._limit and self._rate

    def wait(self, now: float) -> float:
        """Return the seconds until the next packet may be sent, 0 for at once."""
        if self._limit is None:
            return 0.0
        if self._at is None:
            self._at, self._period_ends = now, now + _PERIOD_SECONDS
        if now >= self._period_ends:
            self._learn(now)
        burst = max(1.0, self._rate * _BURST_SECONDS)
        self._tokens = min(burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._tokens >= 1 - _ROUNDING else (1 - self._tokens) / self._rate

    def allowed(self, now: float) -> int:
        """Return how many packets may be sent now."""
        if self._limit is None:
            return sys.maxsize
        return 0 if self.wait(now) else int(self._tokens + _ROUNDING)

    def sent(self, count: int = 1) -> None:
        """Take note of packets sent."""
        self._tokens -= count
        self._sent += count

    def unanswered(self) -> None:
        """Take note of a packet that counts as lost."""
        self._unanswered += 1

    def refused(self) -> None:
        """Take note of a SERVFAIL or REFUSED."""
        self._refused += 1

    def _learn(self, now: float) -> None:
        limit = self._limit or 0.0
        loses = self._unanswered >= _FEW_UNANSWERED and self._unanswered > self._sent * _UNANSWERED_SHARE
        refuses = self._refused >= _FEW_REFUSED and self._refused > self._sent * _REFUSED_SHARE
        if loses or refuses:
            self._rate = max(self._rate / 2, limit * _LEAST_SHARE)
        else:
            self._rate = min(self._rate * _RAISE, limit)
        self._period_ends = now + _PERIOD_SECONDS
        self._sent = self._unanswered = self._refused = 0


class Standing:
    """What one sweep has learned of a vantage so far."""

    def __init__(self, rate: float | None) -> None:
        self.trips = RoundTrips()
        self.pace = Pace(rate)
        self.strays = Counter[Stray]()
        """What came and was passed over: late, doubled, forged, or answers to something else."""
        self.retries = 0
        """Packets sent because those before stayed unanswered or were no answer to rely on."""
        self.timeouts = 0
        """Packets that stayed unanswered for as long as an answer was waited for."""
        self.is_dead = False
        """Whether it is taken for dead: there was no sign of life for long, whatever was asked."""
        self._silences = 0
        self._lost = 0
        self._lost_since = 0.0
        self._next_trial = 0.0

    def stray(self, stray: Stray) -> None:
        """Take note of something that is passed over."""
        self.strays[stray] += 1

    def unanswered(self, now: float) -> None:
        """Take note of a packet that counts as lost."""
        self.timeouts += 1
        self.pace.unanswered()
        self._lost_since = self._lost_since if self._lost else now
        self._lost += 1
        self.is_dead |= self._lost >= _DEAD_PACKETS and now - self._lost_since >= _DEAD_SECONDS

    def answered(self, seconds: float) -> None:
        """Take note of an answer and how long it took."""
        self.heard()
        self.trips.add(seconds)

    def heard(self) -> None:
        """Take note of any sign of life."""
        self._silences = self._lost = 0
        self.is_dead = False

    def silent(self) -> None:
        """Take note of a question that ended without one."""
        self._silences += 1
        self.is_dead |= self._silences >= DEAD_AFTER

    def traffic(self) -> Traffic:
        """Return how its packets have fared."""
        return Traffic(
            retries=self.retries,
            timeouts=self.timeouts,
            strays=tuple(sorted(self.strays.items())),
            rate=self.pace.rate,
            round_trip=self.trips.mean,
            is_given_up=self.is_dead,
        )

    def is_given_up(self, now: float, trial_seconds: float) -> bool:
        """Whether the vantage is taken for dead; one question in each ``trial_seconds`` is let through all the same.

        A dead vantage would otherwise cost every name its whole patience.
        """
        if not self.is_dead or now >= self._next_trial:
            self._next_trial = now + trial_seconds
            return False
        return True
