"""Offers of idle workers, when Redis fails or somebody plants what is no offer."""

import socket
import time
from typing import Any, cast

import pytest
from redis import Redis
from redis.exceptions import RedisError

from broker import handing
from broker.batches import Batches
from broker.conditions import UnfitRedis
from broker.taken import Batch
from embedded import temporary_servers
from tests.service.support.processes import until
from tests.service.support.queue_world import (
    QueueWorld,
    Request,
    admitted,
    ended,
    finish,
    ids,
    offer,
    receive,
    take,
)

_NOBODY = "betcore:handed:" + "0" * 32


def test_after_redis_lost_its_data_a_worker_offers_anew(
    queue_world: QueueWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "_ARRIVES_WITHIN_SECONDS", 0.01)
    worker = queue_world.worker()
    offer(worker)
    queue_world.redis.flushall()

    channel = worker._offers._channel
    assert take(worker).jobs == ()  # it cannot know that nobody accepted

    offer(worker)
    assert worker._offers._channel != channel  # it may have listened to another server
    assert ids(admitted(queue_world, worker)) != []


def test_an_offer_whose_script_was_not_answered_is_accepted_by_nobody(
    queue_world: QueueWorld,
) -> None:
    """Nobody knows since when its lease would count."""
    worker = queue_world.worker()
    offer(worker)
    kill_command_connections(queue_world)

    with pytest.raises(RedisError):
        worker.take(time.time(), offers=True)
    group = queue_world.admit_together(7)

    assert queue_world.queued() == group
    assert ids(take(worker)) == group


def test_a_worker_whose_listening_connection_breaks_listens_anew(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    offer(worker)
    queue_world.redis.client_kill_filter(_type="pubsub")

    with pytest.raises(RedisError):
        worker.wait(60)
    offer(worker)

    assert ids(admitted(queue_world, worker)) != []


def test_a_worker_that_cannot_listen_does_what_is_on_the_queue(queue_world: QueueWorld) -> None:
    """Redis may have no room for one more connection."""
    worker = queue_world.worker()
    group = queue_world.admit_together(7)
    batch = take(worker)
    redis: Any = queue_world.redis
    redis.config_set("maxclients", len(redis.client_list()))
    try:
        following = worker.finish(batch, [ended(*group)], time.time(), take=True, offers=True)
        assert following is not None
        another = queue_world.admit_together(8)
        batch = cast("Batch", worker.take(time.time(), offers=True))
        assert ids(batch) == another
        with pytest.raises(RedisError):  # it says why
            worker.take(time.time(), offers=True)
        assert finish(worker, batch)
    finally:
        redis.config_set("maxclients", 1000)
    offer(worker)
    assert ids(admitted(queue_world, worker)) != []


def test_a_worker_that_listens_to_a_former_primary_hears_nothing(queue_world: QueueWorld) -> None:
    """Redis publishes to replicas, too. But this worker has no lease in the new primary."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    redis: Any = queue_world.redis
    with temporary_servers(postgres=False) as urls, QueueWorld(urls.redis) as former:
        worker = former.worker()
        offer(worker)
        redis.rpush("betcore:idle:bets", *former.offers())
        redis.config_set("port", port, "repl-diskless-sync-delay", 0)
        cast("Any", former.redis).execute_command("REPLICAOF", "127.0.0.1", port)
        until(lambda: former.redis.info("replication")["master_link_status"] == "up")

        before = worker._offers._heard_at
        group = queue_world.admit_together(7)

        assert queue_world.queued() == group
        redis.publish(worker._offers._channel, "")  # what is sent after it has arrived
        until(lambda: worker.wait(0) is not None or worker._offers._heard_at > before)
        assert worker._offers.open
    redis.config_set("port", 0)


def test_a_connection_that_was_silent_for_long_is_used_and_stays_good(
    queue_world: QueueWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = queue_world.worker()
    offer(worker)
    monkeypatch.setattr(handing, "_SILENT_SECONDS", 0.0)
    assert worker.wait(0) is None  # it asks; the answer is not there yet
    monkeypatch.setattr(handing, "_SILENT_SECONDS", 60.0)

    assert ids(admitted(queue_world, worker)) != []
    assert worker._offers._heard_at > worker._offers._asked_at > 0


def test_a_connection_on_which_redis_does_not_answer_is_given_up(
    queue_world: QueueWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "_SILENT_SECONDS", 0.0)
    worker = queue_world.worker()
    offer(worker)
    queue_world.redis.client_pause(500)
    assert worker.wait(0) is None

    with pytest.raises(RedisError, match="does not answer"):
        worker.wait(0)


@pytest.mark.parametrize(
    "planted",
    ["", "nonsense", f"{_NOBODY} {'1' * 32} 2000 60 nobody", f"rq:pubsub:x {'1' * 32} 1 1 nobody"],
)
def test_planted_offers_stop_nobody(queue_world: QueueWorld, planted: str) -> None:
    worker = queue_world.worker()
    offer(worker)
    queue_world.redis.rpush("betcore:idle:bets", *[planted] * 20)

    assert ids(admitted(queue_world, worker)) != []


def test_more_planted_offers_than_a_script_looks_at_leave_the_group_on_the_queue(
    queue_world: QueueWorld,
) -> None:
    queue_world.redis.rpush("betcore:idle:bets", *["nonsense"] * 1000)

    group = queue_world.admit_together(7)

    assert queue_world.queued() == group
    assert len(queue_world.offers()) == 900


def test_a_text_in_place_of_the_offers_stops_nobody(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    queue_world.redis.set("betcore:idle:bets", "a text")

    group = queue_world.admit_together(7)

    assert finish(worker, take(worker))
    offer(worker)
    assert ids(admitted(queue_world, worker)) != group


@pytest.mark.parametrize("key", ["betcore:leases", "rq:wip:bets", "rq:job:{}"])
def test_texts_in_place_of_what_is_written_after_the_message_do_not_undo_it(
    queue_world: QueueWorld, key: str
) -> None:
    """The gateway would say that nothing was admitted, and the worker would apply it."""
    worker = queue_world.worker()
    offer(worker)
    request = Request(7)
    queue_world.redis.set(key.format(request.command_id), "a text")

    assert queue_world.admit(request) == "A"

    assert finish(worker, receive(worker))
    assert queue_world.status(request.command_id) == "finished"
    assert queue_world.under_way() == set()


@pytest.mark.parametrize(
    "planted", [b"\xff\n7\n1+1\n[]", b"7-1\n7\nnonsense\n[]", b"7-1\n7\n" + b"9" * 9999 + b"+1\n[]"]
)
def test_planted_messages_that_name_the_batch_are_passed_over(
    queue_world: QueueWorld, planted: bytes
) -> None:
    worker = queue_world.worker()
    offer(worker)
    channel, batch, *_ = queue_world.offers()[0].encode().split()
    queue_world.redis.publish(channel, batch + b"\n" + planted)

    assert ids(admitted(queue_world, worker)) != []


@pytest.mark.parametrize("planted", [b"", b"nonsense", b"\xff\n7\n8\n9\n10", b"1\n2\n3\n4\n5"])
def test_planted_messages_are_passed_over(queue_world: QueueWorld, planted: bytes) -> None:
    worker = queue_world.worker()
    offer(worker)
    channel = queue_world.offers()[0].split()[0]
    queue_world.redis.publish(channel, planted)

    assert ids(admitted(queue_world, worker)) != []


def test_a_gateway_that_may_publish_no_longer_queues_its_groups(queue_world: QueueWorld) -> None:
    """An error in the middle of the script would leave half of it done."""
    redis: Any = queue_world.redis
    redis.execute_command("ACL", "SETUSER", "mute", "on", "nopass", "resetchannels", "~*", "+@all")
    address: Any = {"username": "mute", "password": "any"}
    offer(queue_world.worker())
    try:
        with QueueWorld(queue_world.url, flush=False) as gateway:
            gateway._admit.registered_client = Redis.from_url(queue_world.url, **address)
            group = gateway.admit_together(7)
        assert queue_world.queued() == group
    finally:
        redis.execute_command("ACL", "DELUSER", "mute")


def test_a_user_who_may_not_listen_is_told_so_at_the_start(queue_world: QueueWorld) -> None:
    redis: Any = queue_world.redis
    redis.execute_command("ACL", "SETUSER", "deaf", "on", "nopass", "resetchannels", "~*", "+@all")
    address: Any = {"username": "deaf", "password": "any"}
    limited = Redis.from_url(queue_world.url, **address)
    try:
        with pytest.raises(UnfitRedis, match=r"docs/OPERATIONS\.md"):
            Batches(limited, queue_world.settings, "w", "rq:worker:w").prepare()
    finally:
        redis.execute_command("ACL", "DELUSER", "deaf")
        limited.close()


def kill_command_connections(world: QueueWorld) -> None:
    """Close every connection that is not of this world itself and does not listen."""
    own = world.redis.client_id()
    for client in world.redis.client_list(_type="normal"):
        if int(client["id"]) != int(own):
            world.redis.client_kill_filter(_id=client["id"])
