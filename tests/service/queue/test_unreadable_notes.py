"""What is in flight cannot be read: nobody is told that there is no trace of a bet."""

from typing import cast

from broker.scripts import common_arguments, source
from tests.service.support.processes import until
from tests.service.support.queue_world import BET_FIELD, QueueWorld, Request


def test_while_a_key_of_another_type_hides_the_notes_redis_remembers_only_from_now_on(
    queue_world: QueueWorld,
) -> None:
    """A gateway then says `in_flight`, and not `unknown` (api/wallet/questions.py)."""
    began = queue_world.remember("a run")
    assert queue_world.admit(Request(bet_field=BET_FIELD)) == "A"
    assert asked(queue_world)[1] == began
    until(lambda: queue_world.now_ms() > began)
    queue_world.redis.set("betcore:in_flight", "planted")

    now, since, notes = asked(queue_world)

    assert (since, notes.split()) == (now, [])


def asked(world: QueueWorld) -> tuple[int, int, bytes]:
    """What `flights.lua` says of the bet: time now, since when Redis remembers, notes."""
    said = world.redis.eval(source("flights"), 0, *common_arguments(""), BET_FIELD)
    return cast("tuple[int, int, bytes]", said)
