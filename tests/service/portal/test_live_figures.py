"""Live figures: gateways tell, a portal records, the console shows."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from broker.keys import minute_key
from broker.minutes import reported_minutes
from metrics.meters import SECONDS
from models.minute_figures import MinuteFigures
from models.reports.minutes import keep_minutes
from tests.service.portal.person import Person, logged_in
from tests.service.support.processes import PortalProcess, until
from tests.service.support.world import PlayerSession, World

FAST = (*[100 if bound == 0.01 else 0 for bound in SECONDS], 0)


@pytest.fixture(scope="module")
def support(world: World, portal: PortalProcess) -> Iterator[Person]:
    with logged_in(world, portal.url, "support") as one:
        yield one


def minutes_ago(minutes: int) -> int:
    """The number of a minute of which all is known."""
    return int((datetime.now(UTC) - timedelta(minutes=minutes, seconds=20)).timestamp() // 60)


def bets_in(world: World) -> int:
    """The bets of all minutes that are recorded."""
    [(bets,)] = world.rows("select sum((figures ->> 'bets')::int)::int from gateway_minute")
    return bets or 0


def test_the_bets_of_all_gateways_are_recorded_by_the_minute(
    world: World, portal: PortalProcess, player: PlayerSession
) -> None:
    assert portal.alive
    before = bets_in(world)
    other = world.open_session(world.provider(world.gateways[1]))
    for one in (player, other, other):
        one.pay_in_out(1)

    until(lambda: bets_in(world) >= before + 3)
    refused = "select count(*) from gateway_minute where (figures -> 'codes' ->> '4')::int > 0"
    player.call("pay-in", uuid.uuid4().hex, betAmount=1_000_000)
    until(lambda: world.rows(refused)[0][0] > 0)


def test_the_page_has_charts_a_table_and_the_codes_of_what_was_answered(
    world: World, support: Person
) -> None:
    minute = minutes_ago(3)
    figures = MinuteFigures(600, {1: 900, 4: 60, 99: 40}, FAST)
    keep_minutes(world.operator_url, {minute: figures, minute - 1: figures, minute - 90: figures})

    page = support.page("/live")

    at = datetime.fromtimestamp(minute * 60, UTC)
    assert f"{at:%Y-%m-%d %H:%M:%S} 10 7.5 9.95 1.67" in page.text
    assert "4 insufficient funds" in page.text
    lines = [found for tag, found in page.elements if tag == "polyline"]
    assert lines
    assert all(found["points"] for found in lines)
    at = datetime.fromtimestamp((minute - 90) * 60, UTC)
    assert f"{at:%H:%M}:00 10 " not in page.text
    for hours, points in (("6", 72), ("24", 144)):
        page = support.page("/live", hours=hours)
        rows = [found for tag, found in page.elements if tag == "th" and found["scope"] == "row"]
        assert len(rows) >= points
    for bad in ("0", "2", "x"):
        assert support.get("/live", hours=bad).status_code == 422
    assert "The last minute" in support.page("/").text


def test_several_portals_record_a_minute_once_and_nothing_is_lost_with_redis(world: World) -> None:
    minute = minutes_ago(50)
    whole = MinuteFigures(7, {1: 7})

    def recorded() -> list[tuple[int, int]]:
        at = datetime.fromtimestamp(minute * 60, UTC)
        query = "select answers, (figures ->> 'bets')::int from gateway_minute where minute = %s"
        return [(answers, bets) for answers, bets in world.rows(query, at)]

    for figures in (MinuteFigures(3, {1: 3}), whole, whole, MinuteFigures(1, {1: 1})):
        keep_minutes(world.operator_url, {minute: figures})

    assert recorded() == [(7, 7)]


def test_what_somebody_planted_in_redis_is_left_out(world: World) -> None:
    minute = 4_000_000  # not yet
    good = MinuteFigures(2, {1: 2}, FAST)
    with Redis.from_url(world.urls.redis) as redis:
        key, other = minute_key(minute), minute_key(minute + 1)
        redis.hset(key, mapping={"a": good.to_json(), "b": good.to_json(), "c": "{}", "d": b"\xff"})
        redis.set(other, "not a hash")
        try:
            assert reported_minutes(redis, [minute, minute + 1, minute + 2]) == {
                minute: good + good
            }
        finally:
            redis.delete(key, other)


def test_a_page_that_loads_itself_again_does_not_keep_a_user_logged_in(
    world: World, portal: PortalProcess
) -> None:
    with logged_in(world, portal.url, "support") as one:
        idle = (
            "update console_session set seen_at = now() - interval '29 min' from console_user u"
            " where u.id = user_id and u.name = %s"
        )
        seen = (
            "select now() - seen_at > interval '20 min' from console_session"
            " join console_user u on u.id = user_id where u.name = %s"
        )
        world.execute(idle, one.name)
        again = one.http.get(f"{one.url}/console/live", headers={"X-Refresh": "1"})

        assert again.status_code == 200
        assert world.rows(seen, one.name) == [(True,)]
        one.page("/live")
        assert world.rows(seen, one.name) == [(False,)]
