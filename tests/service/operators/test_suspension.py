"""`betcore queue suspend` stops new bets with a clear answer. `resume` ends that."""

from collections.abc import Iterator

import pytest
from rq import Worker
from typer.testing import CliRunner

from ops.cli import app
from settings import settings
from tests.service.support.http import http_get
from tests.service.support.processes import until
from tests.service.support.world import World, new_world


@pytest.fixture(scope="module")
def own_world() -> Iterator[World]:
    """A gateway and a worker on servers of their own. Each test leaves the queue resumed."""
    with new_world() as world:
        world.start(gateways=1, workers=1)
        yield world


def test_while_rq_is_suspended_a_new_bet_is_refused_and_after_resume_it_is_answered(
    own_world: World,
) -> None:
    [gateway], [worker] = own_world.gateways, own_world.workers
    player = own_world.open_session(own_world.provider(gateway), "100")
    assert player.pay_in_out(1).status == 200

    betcore_queue(own_world, "suspend")
    refused = player.pay_in_out(1, betId="while suspended")
    until(lambda: state_of_the_worker(own_world) == "suspended", lambda: worker.output)
    again = player.pay_in_out(1, betId="while suspended")

    for answer in (refused, again):
        assert (answer.status, answer.code) == (503, 99)
        assert answer.body["error"] == "try_later"
        assert int(answer.headers["Retry-After"]) >= 1
    assert own_world.rows("select from bet where bet_id = 'while suspended'") == []
    assert not own_world.redis.exists("rq:queue:bets", "betcore:in_flight")
    assert worker.alive
    until(lambda: "The queue is suspended" in http_get(f"{gateway.url}/readyz").text)
    assert http_get(f"{gateway.url}/readyz").status_code == 503
    assert "The queue is suspended" in gateway.output

    betcore_queue(own_world, "resume")
    assert player.pay_in_out(1, betId="while suspended").status == 200
    until(lambda: state_of_the_worker(own_world) == "idle", lambda: worker.output)
    until(lambda: http_get(f"{gateway.url}/readyz").status_code == 200)
    assert player.pay_in_out(1).status == 200


def test_a_suspension_with_a_duration_ends_by_itself(own_world: World) -> None:
    player = own_world.open_session(own_world.provider(), "100")

    betcore_queue(own_world, "suspend", "--for", "3")

    assert player.pay_in_out(1).code == 99
    until(lambda: player.pay_in_out(1).status == 200)


def betcore_queue(world: World, *command: str) -> None:
    """Run one of our commands about the queue; it needs no database."""
    settings.cache_clear()
    done = CliRunner(env={"REDIS_URL": world.urls.redis}).invoke(app, ["queue", *command])
    settings.cache_clear()
    assert done.exit_code == 0, done.output


def state_of_the_worker(world: World) -> str:
    """What RQ says the one worker does."""
    (worker,) = Worker.all(world.redis, serializer="json")
    return worker.get_state()
