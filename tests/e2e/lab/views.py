"""Scenarios e, f and k: what DNS says, falsely, not at all, or in an unusual way."""

from __future__ import annotations

from mailswitch.core.domain import Switch
from tests.e2e.lab.lab import Special
from tests.e2e.lab.places import HERE, PLESK, PROVIDER, mx
from tests.e2e.lab.play import Mail, Play
from tests.e2e.lab.scenario import AT_PROVIDER, Scenario
from tests.e2e.lab.senders import INSIDE, WEB_FORM

__all__ = ["SPECIAL", "VIEWS"]

_STALE, _WRONG, _LED_BACK = "stale-e.example", "wrong-e.example", "led-back-e.example"
_BOGUS, _LAME, _SIGNED = "bogus-f.example", "lame-f.example", "signed-f.example"
_LIED_AWAY, _LIED_HERE = "lied-away-f.example", "lied-here-f.example"
_SIX, _SIX_MOVED = "six-k.example", "six-moved-k.example"
_CNAME, _CNAME_MOVED = "cname-k.example", "cname-moved-k.example"
_NAT = "nat-k.example"

SPECIAL = Special(
    signed=frozenset({_SIGNED}),
    bogus=frozenset({_BOGUS}),
    lame=frozenset({_LAME}),
    lied_about={_LIED_AWAY: mx(_LIED_AWAY, AT_PROVIDER), _LIED_HERE: mx(_LIED_HERE, HERE)},
    stale={_STALE: mx(_STALE, HERE), _WRONG: mx(_WRONG, AT_PROVIDER), _LED_BACK: mx(_LED_BACK, HERE)},
)


def _stale_local_zone(play: Play) -> None:
    play.lab.publish({_STALE: mx(_STALE, AT_PROVIDER)})
    play.host({"name": _STALE}, {"name": _WRONG}, {"name": _LED_BACK})
    play.passes(3)
    play.check_switches(Switch.OFF, _STALE)
    play.check_switches(Switch.ON, _WRONG)
    play.step("the local zone has the old MX", Mail(to=(_STALE,) * 2, rightful=(PROVIDER,)), is_promised=True)
    play.step("the local zone has a wrong MX", Mail(to=(_WRONG,) * 2, rightful=(PLESK,)), is_promised=True)
    _asked_by_postfix_itself(play)


def _asked_by_postfix_itself(play: Play) -> None:
    """Have the Plesk server ask the name server with the stale zones; then no more."""
    play.lab.publish({_LED_BACK: mx(_LED_BACK, AT_PROVIDER)})
    play.lab.resolve_by("127.0.0.1")
    try:
        refused = play.step(
            "off when Postfix is made to ask that name server, before the next pass",
            Mail(to=(_STALE,), rightful=(PROVIDER,), by=INSIDE),
            bounced=len(INSIDE),
        )
        report = play.passes(1)
        play.check_alert(report, "bounced-here", _STALE)
        play.check_switches(Switch.ON, _STALE)
        report = play.passes(2)
        for name in (_STALE, _LED_BACK):
            play.check_held(report, name, "own-resolver")
        play.step(
            "on again after one pass, or held, while Postfix asks it",
            Mail(to=(_STALE, _LED_BACK), rightful=(PROVIDER,), by=INSIDE),
            abandoned=2 * len(INSIDE),
        )
        play.remark(
            "where the Plesk server's own Postfix asks a name server with a stale local zone, it takes itself for the "
            "exchange of a name that is off, and sends co-tenants' mail back: such names are not turned off "
            "(own-resolver), and those that are off already are turned on again by the next pass (bounced-here), as "
            f"they would be without mailswitch; {refused.found.bounced} messages were refused until then, each with a "
            "bounce"
        )
    finally:
        play.lab.resolve_by()
    report = play.passes(1)
    play.check_switches(Switch.OFF, _LED_BACK)
    play.check_held(report, _STALE, "flapping")
    play.run("once", "--apply", "--plan", play.json("report")["run"]["plan"])
    play.check_switches(Switch.OFF, _STALE)
    play.step("off once Postfix asks another one", Mail(to=(_LED_BACK, _STALE), rightful=(PROVIDER,)), is_promised=True)


def _broken_dns(play: Play) -> None:
    play.lab.publish({name: mx(name, AT_PROVIDER) for name in (_BOGUS, _SIGNED, _LIED_HERE)})
    names = (_BOGUS, _LAME, _LIED_AWAY, _LIED_HERE, _SIGNED)
    play.host(*({"name": name} for name in names))
    report = play.passes(3)
    for name in (_BOGUS, _LAME):
        play.check_held(report, name, "unknown")
    for name in (_LIED_AWAY, _LIED_HERE):  # kept by the one resolver's word, or held for the other's
        play.check_held(report, name)
    play.check_switches(Switch.ON, _BOGUS, _LAME, _LIED_AWAY, _LIED_HERE)
    play.check_switches(Switch.OFF, _SIGNED)
    play.step("signed rightly, moved", Mail(to=(_SIGNED,), rightful=(PROVIDER,)), is_promised=True)
    play.step("bogus signatures", Mail(to=(_BOGUS,), rightful=(PLESK,), by=INSIDE), is_promised=True)
    play.step("lame delegation", Mail(to=(_LAME,), rightful=(PLESK,), by=INSIDE), is_promised=True)
    play.step("one resolver lies that it moved", Mail(to=(_LIED_AWAY,), rightful=(PLESK,)), is_promised=True)
    play.step(
        "moved, and one resolver lies that it is here",
        Mail(to=(_LIED_HERE,), rightful=(PROVIDER,), by=(WEB_FORM,)),
        abandoned=1,
    )


def _unusual_exchanges(play: Play) -> None:
    here = {_SIX: "mx6.hoster.example.", _CNAME: "cname.hoster.example.", _NAT: "nat.hoster.example."}
    moved = {_SIX_MOVED: "mx6.provider.example.", _CNAME_MOVED: "cname.provider.example."}
    play.lab.publish({name: mx(name, exchange) for name, exchange in {**here, **moved}.items()})
    play.host(*({"name": name} for name in (*here, *moved)))
    play.passes(3)
    play.check_switches(Switch.ON, *here)
    play.check_switches(Switch.OFF, *moved)
    play.step("IPv6 only, CNAME and NAT, here", Mail(to=tuple(here), rightful=(PLESK,)), is_promised=True)
    play.step("IPv6 only and CNAME, moved", Mail(to=tuple(moved), rightful=(PROVIDER,)), is_promised=True)


VIEWS = (
    Scenario("e", "A stale local zone", (_STALE, _WRONG, _LED_BACK), _stale_local_zone),
    Scenario("f", "Broken DNS", (_BOGUS, _LAME, _SIGNED, _LIED_AWAY, _LIED_HERE), _broken_dns),
    Scenario("k", "Unusual exchanges", (_SIX, _SIX_MOVED, _CNAME, _CNAME_MOVED, _NAT), _unusual_exchanges),
)
