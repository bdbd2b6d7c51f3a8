"""Promises of the figures per minute: nothing is counted twice, lost, or believed unread."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from api.wallet.answer_counts import done_of
from api.wallet.minute_reports import MinuteReports
from metrics.measured import ANSWERS, REPLY
from metrics.meters import SECONDS
from models.minute_figures import MinuteFigures

BUCKETS = len(SECONDS) + 1


def buckets(**counts: int) -> tuple[int, ...]:
    """Counts by the number of a bucket, such as `b3`."""
    return tuple([counts.get(f"b{number}", 0) for number in range(BUCKETS)])


def test_figures_are_added_and_taken_away_and_come_back_from_json() -> None:
    one = MinuteFigures(3, {1: 4, 5: 1}, buckets(b2=5))
    two = MinuteFigures(1, {1: 1, 99: 2}, buckets(b0=1, b2=2))

    both = one + two

    assert both == MinuteFigures(4, {1: 5, 5: 1, 99: 2}, buckets(b0=1, b2=7))
    assert both - one == two
    assert MinuteFigures.from_json(both.to_json()) == both
    assert (both.answers, both.refused) == (8, 3)
    assert sum([one, two], MinuteFigures()) == both


def test_a_quantile_lies_in_the_bucket_that_reaches_it() -> None:
    half_fast = MinuteFigures(seconds=buckets(b4=50, b9=50))  # up to 2.5 ms, up to 100 ms

    assert MinuteFigures().quantile(0.5) is None
    assert half_fast.quantile(0.5) == pytest.approx(0.0025)
    assert half_fast.quantile(0.25) == pytest.approx((0.001 + 0.0025) / 2)
    assert half_fast.quantile(0.99) == pytest.approx(0.05 + 0.05 * 0.98)
    assert MinuteFigures(seconds=(0,) * (BUCKETS - 1) + (1,)).quantile(0.5) == SECONDS[-1]


@pytest.mark.parametrize(
    "planted",
    [
        *("", "[]", "null", "{}", "7", '"x"', "[" * 100_000),
        '{"bets":1,"codes":{},"seconds":[]}',
        f'{{"bets":-1,"codes":{{}},"seconds":{[0] * BUCKETS}}}',
        f'{{"bets":1.5,"codes":{{}},"seconds":{[0] * BUCKETS}}}',
        f'{{"bets":true,"codes":{{}},"seconds":{[0] * BUCKETS}}}',
        f'{{"bets":0,"codes":{{"<b>":1}},"seconds":{[0] * BUCKETS}}}',
        f'{{"bets":0,"codes":{{"1000":1}},"seconds":{[0] * BUCKETS}}}',
        f'{{"bets":0,"codes":{{"1":"1"}},"seconds":{[0] * BUCKETS}}}',
        f'{{"bets":0,"codes":[],"seconds":{[0] * BUCKETS}}}',
    ],
)
def test_what_no_gateway_wrote_is_refused(planted: str) -> None:
    with pytest.raises(ValueError):
        MinuteFigures.from_json(planted)


class Redis:
    """What was written, by key. It can be away."""

    def __init__(self) -> None:
        self.away = False
        self.found: dict[str, MinuteFigures] = {}
        self.kept: dict[str, int] = {}

    def __call__(self, *command: Any) -> asyncio.Future[Any]:
        """Answer a command as the link does."""
        answer = asyncio.get_running_loop().create_future()
        if self.away:
            answer.set_exception(RedisConnectionError("away"))
            return answer
        match command:
            case ("HSET", str(key), str(), str(text)):
                self.found[key] = MinuteFigures.from_json(text)
            case ("EXPIRE", str(key), int(seconds)):
                self.kept[key] = seconds
        answer.set_result(1)
        return answer


async def test_a_minute_is_told_whole_also_if_redis_was_away_at_its_end() -> None:
    redis, now = Redis(), 600.0
    reports = MinuteReports(redis, lambda: now)
    done, failed = done_of("pay_in"), ("pay_in", "5", "player_blocked", "a provider", "a test")

    done[b"a provider"] += 2
    REPLY.observe(0.002)
    await reports.report()
    assert redis.found == {"betcore:minute:10": MinuteFigures(2, {1: 2}, buckets(b4=1))}
    assert redis.kept["betcore:minute:10"] > 3600

    redis.away = True
    done[b"a provider"] += 1
    ANSWERS.counts[failed] += 1
    now = 660.0
    await reports.report()  # minute 10 has ended
    done[b"a provider"] += 4
    now = 670.0
    await reports.report()
    assert redis.found == {"betcore:minute:10": MinuteFigures(2, {1: 2}, buckets(b4=1))}

    redis.away = False
    await reports.stop()
    assert redis.found == {
        "betcore:minute:10": MinuteFigures(3, {1: 3, 5: 1}, buckets(b4=1)),
        "betcore:minute:11": MinuteFigures(4, {1: 4}),
    }
