"""Questions to one vantage: nothing asked twice, CNAME chains followed to their end."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.core.traffic import Traffic
from mailswitch.lookup.fast_codec import FastCodec
from mailswitch.lookup.inquiry import Inquiry
from mailswitch.lookup.pacing import Standing
from mailswitch.lookup.queries import wire_form
from mailswitch.lookup.replies import Answer, Reply, Unfinished, Unreliable
from mailswitch.lookup.streams import Streams
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings
from mailswitch.lookup.window import Window

__all__ = ["Question", "VantageClient"]

_MAX_HOPS = 8

Question = tuple[DomainName, dns.rdatatype.RdataType]
"""A name, and MX, A or AAAA."""


@dataclass(slots=True, eq=False)
class _Chase:
    """A question on its way to its answer, through whatever CNAMEs there are."""

    question: Question
    canonical: tuple[DomainName, ...] = ()
    ttl: timedelta = timedelta.max
    hops: int = 0


class VantageClient:
    """Asks one vantage, each question once: an answer already heard, or on its way, is given again.

    ``remaining`` tells the seconds left until the sweep's deadline, ``now`` aware UTC moments. Used within one event
    loop, one batch at a time.
    """

    def __init__(
        self,
        settings: VantageSettings,
        timing: Timing,
        remaining: Callable[[], float],
        codec: Codec = Codec.FAST,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._timing = timing
        self._remaining = remaining
        self._codec = FastCodec() if codec is Codec.FAST else None
        self._standing = Standing(timing.rate)
        self._streams = Streams(settings, timing.timeout.total_seconds(), self._standing.stray)
        self._now = now
        self._at: datetime | None = None
        self._answers: dict[int, Answer] = {}
        """What was answered at this moment, by the replies' identity."""
        self._heard = defaultdict[int, dict[str, Answer | None]](dict)
        """By type and the name's text, whose hash costs nothing; None while the question is under way."""
        self._waiting = defaultdict[Question, list[_Chase]](list)
        """Who waits for a question that somebody else asked, or for the end of a chain."""
        self._follow_ups = deque[Inquiry]()
        self._tell: Callable[[Question, Reply], None] = _nobody
        self.queries = 0
        """Questions put to the vantage; a retried one counts once."""
        self.failures = 0
        """Questions that ended without an answer to rely on."""
        self._cut_off = 0

    @property
    def retries(self) -> int:
        """Packets sent again, because those before stayed unanswered or were no answer to rely on."""
        return self._standing.retries

    @property
    def strays(self) -> int:
        """What came and was passed over: late, doubled, forged, or answers to something else."""
        return self._standing.strays.total()

    @property
    def traffic(self) -> Traffic:
        """How its packets have fared, what was passed over by kind included."""
        return replace(self._standing.traffic(), cut_off=self._cut_off)

    def has_answered(self, name: DomainName, rdtype: dns.rdatatype.RdataType) -> bool:
        """Whether there is an answer to a question."""
        return self._heard[rdtype].get(name.text) is not None

    def answered(self, name: DomainName, rdtype: dns.rdatatype.RdataType) -> Answer:
        """Return what was answered to a question, whose chain has been followed to its end.

        Raises:
            KeyError: there is no answer.
        """
        answer = self._heard[rdtype][name.text]
        if answer is None:
            raise KeyError(name.text)
        return answer

    def moment(self) -> datetime:
        """Return the time, the same until the event loop comes round: many answers arrive together."""
        if self._at is None:
            self._at = self._now()
            asyncio.get_running_loop().call_soon(self._pass_on)
        return self._at

    def _pass_on(self) -> None:
        self._at = None
        self._answers.clear()

    async def ask_all(self, questions: Iterable[Question], tell: Callable[[Question, Reply], None]) -> None:
        """Ask for MX, A or AAAA of names, and follow CNAME chains to their ends; ``tell`` each answer as it comes."""
        self._tell = tell
        window = Window(
            settings=self._settings,
            timing=self._timing,
            remaining=self._remaining,
            standing=self._standing,
            streams=self._streams,
            codec=self._codec,
            supply=partial(self._next, iter(questions)),
            done=self._finished,
        )
        await window.work_off()

    def _next(self, fresh: Iterator[Question], most: int) -> list[Inquiry]:
        """Return what is to be asked next; nothing when there is nothing just now."""
        chosen: list[Inquiry] = []
        while len(chosen) < most:
            if self._follow_ups:
                chosen.append(self._follow_ups.popleft())
                continue
            question = next(fresh, None)
            if question is None:
                break
            name, rdtype = question
            heard = self._heard[rdtype]
            if name.text in heard:
                self._wait_for(_Chase(question), question)
            else:
                heard[name.text] = None
                chosen.append(Inquiry(name, rdtype, wire_form(name)))
        return chosen

    def _wait_for(self, chase: _Chase, question: Question) -> None:
        """Go on with ``chase`` when the answer to ``question`` is known; ask if nobody did."""
        name, rdtype = question
        heard = self._heard[rdtype]
        answer = heard.get(name.text)
        if answer is not None:
            self._go_on(chase, answer[0])
            return
        self._waiting[question].append(chase)
        if name.text not in heard:
            heard[name.text] = None
            self._follow_ups.append(Inquiry(name, rdtype, wire_form(name), is_follow_up=True))

    def _finished(self, ended: Iterable[tuple[Inquiry, Reply]]) -> None:
        for inquiry, reply in ended:
            self.queries += inquiry.tries > 0
            if isinstance(reply, Unreliable):
                self.failures += inquiry.tries > 0
                self._cut_off += reply.is_cut_off
            question = inquiry.name, inquiry.rdtype
            self._keep(question, reply)
            if isinstance(reply, Unfinished) and not inquiry.is_follow_up:
                self._go_on(_Chase(question), reply)
            elif not inquiry.is_follow_up:
                self._tell(question, reply)
            if self._waiting:
                for chase in self._waiting.pop(question, ()):
                    self._go_on(chase, reply)

    def _keep(self, question: Question, reply: Reply) -> None:
        """Keep an answer; equal ones that come together are one value."""
        answer = self._answers.get(id(reply))
        if answer is None:
            answer = self._answers[id(reply)] = reply, self.moment()
        self._heard[question[1]][question[0].text] = answer

    def _go_on(self, chase: _Chase, reply: Reply) -> None:
        """Tell the answer, or ask for the end of its chain."""
        if chase.hops and not isinstance(reply, Unreliable):
            if {chase.question[0], *chase.canonical}.isdisjoint(reply.canonical):
                canonical = chase.canonical + reply.canonical
                reply = replace(reply, canonical=canonical, ttl=min(chase.ttl, reply.ttl))
            else:
                reply = Unreliable("the CNAME chain is a loop")
        if isinstance(reply, Unfinished) and chase.hops == _MAX_HOPS:
            reply = Unreliable(f"the CNAME chain has no end after {_MAX_HOPS} more questions")
        if not isinstance(reply, Unfinished):
            if chase.hops:
                self._keep(chase.question, reply)
            self._tell(chase.question, reply)
            return
        chase.hops, chase.canonical, chase.ttl = chase.hops + 1, reply.canonical, reply.ttl
        self._wait_for(chase, (reply.canonical[-1], chase.question[1]))


def _nobody(question: Question, reply: Reply) -> None:
    """Tell nobody: nothing was asked yet."""
