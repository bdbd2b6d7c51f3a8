"""What Redis remembers of requests, and since when. That prevents replays."""

import secrets
from dataclasses import replace

from rq import Queue

from tests.service.support.processes import until
from tests.service.support.queue_world import QueueWorld, Request


def test_requests_stamped_before_redis_remembers_are_not_admitted(
    queue_world: QueueWorld,
) -> None:
    since = queue_world.remember("a server")

    at = [Request(stamp_ms=since + offset) for offset in (-1, 0, 1)]
    assert queue_world.admit(*at) == "FAA"
    assert queue_world.admit(Request(account="", stamp_ms=since - 1)) == "F"


def test_after_flushall_memory_begins_anew_though_no_gateway_noticed(
    queue_world: QueueWorld,
) -> None:
    queue_world.remember("a server")
    request = Request(stamp_ms=queue_world.now_ms() + 1)
    assert queue_world.admit(request) == "A"
    until(lambda: queue_world.now_ms() > (request.stamp_ms or 0))
    queue_world.redis.flushall()

    replayed = replace(request, token=secrets.token_hex(16))
    assert queue_world.admit(replayed) == "F"

    assert queue_world.under_way_of(7) == []
    assert queue_world.admit(Request()) == "A"


def test_rq_lists_the_queue_as_soon_as_a_gateway_knows_its_redis(queue_world: QueueWorld) -> None:
    queue_world.remember("a server")

    assert [queue.name for queue in Queue.all(queue_world.redis)] == ["bets"]


def test_another_run_of_the_server_remembers_from_now_the_same_run_from_before(
    queue_world: QueueWorld,
) -> None:
    since = queue_world.remember("a run")
    until(lambda: queue_world.now_ms() > since)
    assert queue_world.remember("a run") == since

    restarted = queue_world.remember("another run")

    assert restarted > since
    assert queue_world.remember("another run") == restarted
    before, after = Request(stamp_ms=restarted - 1), Request(stamp_ms=restarted)
    assert queue_world.admit(before, after) == "FA"


def test_a_memory_that_was_kept_is_the_same_and_one_that_began_empty_another(
    queue_world: QueueWorld,
) -> None:
    born = queue_world.born("a run")
    until(lambda: queue_world.now_ms() > born)
    assert queue_world.born("another run") == born

    queue_world.redis.flushall()

    assert queue_world.born("another run") > born


def test_a_memory_that_begins_with_an_admission_is_as_old_as_that(
    queue_world: QueueWorld,
) -> None:
    """As after FLUSHALL, of which no gateway knows: what was admitted since is not lost."""
    assert queue_world.admit(Request()) == "A"
    began = int(queue_world.redis.hget("betcore:memory", "since") or 0)
    until(lambda: queue_world.now_ms() > began)

    assert queue_world.born("a server") == began


def test_a_nonce_is_kept_until_it_expires_and_is_free_again_after(
    queue_world: QueueWorld,
) -> None:
    expires = queue_world.now_ms() + 300
    first = Request(expires_ms=expires)
    assert queue_world.admit(first) == "A"
    assert queue_world.redis.execute_command("PEXPIRETIME", first.nonce_key) == expires  # type: ignore[no-untyped-call]
    again = replace(first, token=secrets.token_hex(16))
    assert queue_world.admit(again) == "D"

    until(lambda: queue_world.now_ms() > expires)

    assert first.nonce_key not in queue_world.all_keys()
    assert queue_world.admit(replace(again, expires_ms=expires + 60_000)) == "A"


def test_a_request_whose_nonce_could_not_be_kept_is_not_admitted(
    queue_world: QueueWorld,
) -> None:
    late = Request(expires_ms=queue_world.now_ms())

    assert queue_world.admit(late) == "F"

    assert queue_world.all_keys() == {"betcore:memory"}
