"""`rq suspend` stops new bets with a clear answer, `rq resume` lets them go on."""

import subprocess
import sys

from rq import Worker

from tests.service.patience import COMMAND
from tests.service.processes import until
from tests.service.world import World


def test_while_rq_is_suspended_a_new_bet_is_refused_and_after_resume_it_is_answered(
    own_world: World,
) -> None:
    gateway, worker = own_world.gateway(), own_world.worker()
    seat = own_world.seat(own_world.provider(gateway), "100")
    assert seat.pay_in_out(1).status == 200

    rq(own_world, "suspend")
    refused = seat.pay_in_out(1, betId="while suspended")
    until(lambda: state_of_the_worker(own_world) == "suspended", lambda: worker.output)
    again = seat.pay_in_out(1, betId="while suspended")

    for answer in (refused, again):
        assert (answer.status, answer.code) == (503, 99)
        assert answer.body["error"] == "try_later"
        assert int(answer.headers["Retry-After"]) >= 1
    assert own_world.rows("select from bet where bet_id = 'while suspended'") == []
    assert not own_world.redis.exists("rq:queue:bets", f"betcore:lane:{seat.account_id}")
    assert worker.alive

    rq(own_world, "resume")
    assert seat.pay_in_out(1, betId="while suspended").status == 200
    until(lambda: state_of_the_worker(own_world) == "idle", lambda: worker.output)
    assert seat.pay_in_out(1).status == 200


def test_a_suspension_with_a_duration_ends_by_itself(own_world: World) -> None:
    gateway = own_world.gateway()
    own_world.worker()
    seat = own_world.seat(own_world.provider(gateway), "100")

    rq(own_world, "suspend", "--duration", "3")

    assert seat.pay_in_out(1).code == 99
    until(lambda: seat.pay_in_out(1).status == 200)


def rq(world: World, *command: str) -> None:
    """Run RQ's command line."""
    line = [sys.executable, "-m", "rq.cli", *command, "-u", world.urls.redis]
    subprocess.run(line, check=True, capture_output=True, timeout=COMMAND)


def state_of_the_worker(world: World) -> str:
    """What RQ says the one worker does."""
    (worker,) = Worker.all(world.redis, serializer="json")
    return worker.get_state()
