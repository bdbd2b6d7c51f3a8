"""Times: how old a request may be, how long an answer takes, and when a change takes effect."""

import asyncio
import re
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

from betcore_kit.conformance.case import Broken, case, ensure, table
from betcore_kit.conformance.cases.authentication import a_bet, refused
from betcore_kit.conformance.stage import Stage, new_id
from betcore_kit.conformance.wire import How

HEADER_RULE = "Every request"
DEADLINE = "What each call does, rule 5"
#: The wallet has 5 s. A tenth of a second is for the way.
ANSWER_SECONDS = 5.1
timing = partial(case, "timing")
_RFC_3339_IN_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def stamped(seconds: float) -> How:
    """Return a signature that is stamped so many seconds from now."""
    return How(timestamp=str(int((time.time() + seconds) * 1000)))


async def _is_served(seconds: float, at: Stage) -> None:
    (await (await at.session()).post("pay-in-out", a_bet(), stamped(seconds))).expect(1)


async def _is_refused(how: Callable[[], How], at: Stage) -> None:
    await refused(await at.session(), how())


for _name, _seconds, _said in (
    ("a_request_of_20_seconds_ago_is_served", -20, "20 s ago"),
    ("a_request_20_seconds_ahead_is_served", 20, "20 s ahead"),
):
    _promise = f"A request that is stamped {_said} is served: 30 s are allowed."
    table("timing", HEADER_RULE, _name, _promise, partial(_is_served, _seconds))
for _name, _said, _how in (
    ("an_expired_request", "35 s ago", lambda: stamped(-35)),
    ("a_request_of_the_future", "35 s ahead", lambda: stamped(35)),
    ("a_timestamp_in_seconds", "in seconds", lambda: How(timestamp=str(int(time.time())))),
    (
        "a_timestamp_in_microseconds",
        "in microseconds",
        lambda: How(timestamp=str(int(time.time() * 1_000_000))),
    ),
    (
        "a_timestamp_of_another_form",
        "with a decimal point",
        lambda: How(timestamp=f"{time.time() * 1000:.1f}"),
    ),
):
    _promise = f"A request that is stamped {_said} is 401 with code 8."
    table("timing", HEADER_RULE, f"{_name}_is_refused", _promise, partial(_is_refused, _how))


@timing(DEADLINE)
async def every_request_is_answered_within_5_seconds(at: Stage) -> None:
    """Of 20 bets and 20 questions at the same time, each is answered within 5 s."""
    session = await at.session()
    bets = (session.pay_in_out(new_id(), "1", "1") for _ in range(20))
    questions = (session.ask_balance() for _ in range(20))
    answers = await asyncio.gather(*bets, *questions)
    slowest = max(answer.seconds for answer in answers)
    ensure(slowest <= ANSWER_SECONDS, f"The slowest answer took {slowest:.1f} s.")


@timing("What each call does, rule 7")
async def a_closed_session_is_closed_for_the_next_request(at: Stage) -> None:
    """A session that was closed takes no bet from the next request on."""
    session = await at.session()
    (await session.pay_in(new_id(), "1")).expect(1)
    await at.act("close", session.id)
    (await session.pay_in(new_id(), "1")).expect(3, reason="session_closed")


@timing("Authentication")
async def a_suspension_takes_effect_within_2_seconds(at: Stage) -> None:
    """A suspended provider takes no bet 2 s later, and takes bets again when it is resumed."""
    there = await at.elsewhere()
    session = await there.session()
    for deed, code in (("suspend", 5), ("resume", 1)):
        await there.act(deed)
        before = time.monotonic()
        answer = await session.pay_in(new_id(), "1")
        while answer.code != code and time.monotonic() - before < 2:
            answer = await session.pay_in(new_id(), "1")
        answer.expect(code)


@timing("What each call does, rule 10")
async def times_are_rfc_3339_in_utc(at: Stage) -> None:
    """The times of a bet are RFC 3339 in UTC; `updatedAt` is that of the last change."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "1")).expect(1)
    opened = (await session.provider.state(bet)).expect(1).fields
    (await session.pay_out(bet, "1")).expect(1)
    settled = (await session.provider.state(bet)).expect(1, createdAt=opened["createdAt"]).fields
    for name in ("createdAt", "updatedAt"):
        told = str(settled.get(name))
        if not _RFC_3339_IN_UTC.fullmatch(told):
            raise Broken(f"{name} is not RFC 3339 in UTC: {told}")
    times = [datetime.fromisoformat(settled[name]) for name in ("createdAt", "updatedAt")]
    ensure(times[0] < times[1], f"The pay-out did not change updatedAt: {settled}")


@timing("What each call does, rule 1")
async def a_repeat_changes_no_time(at: Stage) -> None:
    """A repeat leaves `updatedAt` as it was."""
    session, bet = await at.session(), new_id()
    (await session.pay_in(bet, "1")).expect(1)
    before = (await session.provider.state(bet)).expect(1).fields
    (await session.pay_in(bet, "1")).expect(1)
    (await session.provider.state(bet)).expect(1, updatedAt=before["updatedAt"])
