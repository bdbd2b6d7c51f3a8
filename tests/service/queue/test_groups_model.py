"""Groups under any sequence of what workers, gateways, operators and accidents do to them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry

from broker.batches import Batches
from broker.ended import FinishedCommand
from broker.scripts import common_arguments, source
from broker.taken import Batch
from tests.examples import TIMES
from tests.service.support.queue_world import QueueWorld, Request, ended, finish, ids, receive

ACCOUNTS = (1, 2, 3, 4)
FIELDS = ("", "1:a bet", "1:another bet")
PICK = st.integers(0, 1000)
FATES = st.lists(st.sampled_from("+-x"), max_size=6)  # with a result, failed, too late


class Groups(RuleBasedStateMachine):
    """A model beside the real groups: for each player, which commands are under way, in order."""

    world: QueueWorld

    def __init__(self) -> None:
        super().__init__()
        self.world.redis.flushall()
        self.workers = [self.world.worker(f"w{n}", lease_seconds=3600) for n in range(3)]
        self.requests: dict[str, Request] = {}  # what was admitted, by the command's id
        self.order: dict[int, list[str]] = {account: [] for account in ACCOUNTS}
        self.noted: dict[str, set[str]] = {field: set() for field in FIELDS[1:]}
        self.doubted: dict[str, set[str]] = {field: set() for field in FIELDS[1:]}
        self.held: list[tuple[Batches, Batch]] = []  # batches whose lease is held
        self.lost: list[tuple[Batches, Batch]] = []  # and those that it was taken from
        self.overdue: set[str] = set()  # batches whose lease ran out, not yet swept
        self.failed: set[str] = set()  # commands that ended without a result
        self.gone: set[str] = set()  # commands whose job was deleted or cancelled
        self.done: Counter[str] = Counter()  # how often a command ended with a result
        self.losses = 0

    # What gateways do.

    @rule(
        chosen_=st.lists(
            st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(FIELDS), st.booleans()),
            min_size=1,
            max_size=6,
        )
    )
    def admit(self, chosen_: list[tuple[int, str, bool]]) -> None:
        # Tokens by number, not at random: the same steps must always go the same way.
        numbered = enumerate(chosen_, start=len(self.requests))
        requests = [
            Request(account, token=f"{number:032x}", bet_field=field, ahead=ahead)
            for number, (account, field, ahead) in numbered
        ]
        assert self.world.admit(*requests) == "A" * len(requests)
        for request in requests:
            id_ = request.command_id
            self.requests[id_] = request
            self.order[int(request.account)].append(id_)
            if request.bet_field:
                self.noted[request.bet_field].add(id_)
        self._receive()

    def _receive(self) -> None:
        """Give the batches that were handed over to the workers whose offers are gone."""
        left = self.world.offers()
        for worker in self.workers:
            if worker._offers.open and worker._offers.open not in left:
                self._hold(worker, receive(worker))

    @precondition(lambda self: self.requests)
    @rule(pick=PICK)
    def send_again(self, pick: int) -> None:
        before = self.world.contents()
        assert self.world.admit(chosen(self.requests.values(), pick)) == "A"
        assert self.world.contents() == before

    # What workers do.

    @rule(pick=PICK, room=st.integers(1, 6), offers=st.booleans())
    def take(self, pick: int, room: int, offers: bool) -> None:
        worker = chosen(self.workers, pick)
        worker._settings = worker._settings.model_copy(update={"batch_jobs_max": room})
        batch = worker.take(0, offers=offers)
        assert batch is not None
        self._hold(worker, batch)

    @rule(pick=PICK)
    def withdraw(self, pick: int) -> None:
        worker = chosen(self.workers, pick)
        assert (worker.withdraw(), worker._offers.open) == (None, "")  # all was received

    @rule(pick=PICK)
    def lose_the_connection_of_an_offer(self, pick: int) -> None:
        chosen(self.workers, pick)._offers.reset()

    def _hold(self, worker: Batches, batch: Batch) -> None:
        room = worker._settings.batch_jobs_max
        assert len(batch.commands) <= room or len(batch.jobs) == 1
        assert all(self.done[id_] == 0 for id_ in ids(batch))
        again = self.gone & set(ids(batch))  # a job that was cancelled was queued again
        self.gone -= again
        self.failed |= again
        if batch.jobs:
            self.held.append((worker, batch))

    @rule()
    def a_worker_of_stock_rq_dies_after_popping(self) -> None:
        self.world.redis.lmove("rq:queue:bets", "rq:queue:bets:intermediate")

    @precondition(lambda self: self.held)
    @rule(pick=PICK, fates=FATES, takes=st.booleans(), offers=st.booleans())
    def finish(self, pick: int, fates: list[str], takes: bool, offers: bool) -> None:
        worker, batch = self.held.pop(pick % len(self.held))
        self.overdue.discard(batch.id)
        fate_of = dict(zip(ids(batch), fates + ["+"] * len(ids(batch)), strict=False))
        ends = [ended_as(*fate) for fate in fate_of.items()]
        offers = offers and not worker._offers.open
        following = worker.finish(batch, ends, 1, take=takes, offers=offers)
        assert following is not None
        for id_, fate in fate_of.items():
            if fate == "+":
                self.done[id_] += 1
            else:
                self.failed.add(id_)
            field = self.requests[id_].bet_field
            if id_ in self.noted.get(field, ()):
                self.noted[field].discard(id_)
                if fate == "-":
                    self.doubted[field].add(id_)
        assert not following.jobs or (takes and not self.world.redis.exists("rq:suspended"))
        self._hold(worker, following)

    @precondition(lambda self: self.held)
    @rule(pick=PICK)
    def renew(self, pick: int) -> None:
        worker, batch = chosen(self.held, pick)
        assert worker.renew(batch)
        self.overdue.discard(batch.id)

    @precondition(lambda self: self.lost)
    @rule(pick=PICK)
    def finish_too_late(self, pick: int) -> None:
        worker, batch = chosen(self.lost, pick)
        before = self.world.contents()
        assert not finish(worker, batch)
        assert not worker.renew(batch)
        assert self.world.contents() == before

    @precondition(lambda self: self.held)
    @rule(pick=PICK)
    def lose_lease(self, pick: int) -> None:
        _, batch = chosen(self.held, pick)
        self.overdue.add(batch.id)
        self.losses += 1
        self.world.redis.zadd("betcore:leases", {batch.id: self.losses}, xx=True)

    @rule(pick=PICK)
    def sweep(self, pick: int) -> None:
        chosen(self.workers, pick).sweep()
        self.lost += [held for held in self.held if held[1].id in self.overdue]
        self.held = [held for held in self.held if held[1].id not in self.overdue]
        self.overdue.clear()
        going_on = {*self.world.queued(), *self._in_hand()}
        for account in ACCOUNTS:
            assert self.world.holder(account) in {None, *going_on}, "a player stands still"
        assert self.world.intermediate() == []
        assert self.world.redis.scard("betcore:parked") == 0

    # What operators and accidents do.

    @precondition(lambda self: self._not_in_hand())
    @rule(pick=PICK)
    def delete_job(self, pick: int) -> None:
        id_ = chosen(self._not_in_hand(), pick)
        self.gone.update(self.world.carried(id_))
        self.world.redis.delete(f"rq:job:{id_}")

    @precondition(lambda self: self._not_in_hand())
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        job = self._fetch(chosen(self._not_in_hand(), pick))
        if not (job.is_canceled or job.is_finished):
            self.gone.update(self.world.carried(job.id))
            job.cancel()

    @precondition(lambda self: self._not_in_hand())
    @rule(pick=PICK)
    def enqueue_through_rq(self, pick: int) -> None:
        job = self._fetch(chosen(self._not_in_hand(), pick))
        Queue("bets", connection=self.world.redis, serializer="json").enqueue_job(job)

    @precondition(lambda self: self._failed_jobs())
    @rule(pick=PICK, through_rq=st.booleans())
    def requeue(self, pick: int, through_rq: bool) -> None:
        id_ = chosen(self._failed_jobs(), pick)
        if through_rq:
            FailedJobRegistry("bets", connection=self.world.redis, serializer="json").requeue(id_)
        else:
            self.world.redis.eval(source("requeue"), 0, *common_arguments("bets"), id_)

    @precondition(lambda self: self._jobs())
    @rule(pick=PICK)
    def push_again(self, pick: int) -> None:
        self.world.redis.rpush("rq:queue:bets", chosen(self._jobs(), pick))

    @rule(pick=PICK, status=st.sampled_from(["started", "failed", "finished"]))
    def be_touched_by_a_worker_of_stock_rq(self, pick: int, status: str) -> None:
        """It writes what it thinks of a job, also of one that came back meanwhile."""
        holders = sorted({self.world.holder(account) or "" for account in ACCOUNTS} - {""})
        if not holders or self.world.status(id_ := chosen(holders, pick)) in (None, "canceled"):
            return
        self.world.redis.hset(f"rq:job:{id_}", "status", status)
        if status == "failed":
            self.world.redis.zadd("rq:failed:bets", {id_: 2_000_000_000})

    @rule(pick=PICK, offers=st.booleans())
    def suspend_for_a_moment(self, pick: int, offers: bool) -> None:
        self.world.redis.set("rq:suspended", 1)
        assert self.world.admit(Request()) == "S"
        if offers or self.world.queued():
            assert chosen(self.workers, pick).take(0, offers=offers) is None
        if self.held:
            self.finish(pick, [], takes=True, offers=offers)
        self.world.redis.delete("rq:suspended")

    # What always holds.

    @invariant()
    def no_command_is_in_two_batches_and_no_player_either(self) -> None:
        in_hand = Counter(id_ for _, batch in self.held for id_ in ids(batch))
        assert all(times == 1 for times in in_hand.values())
        players = Counter(
            account for _, batch in self.held for account in {id_[0] for id_ in ids(batch)}
        )
        assert all(times == 1 for times in players.values())
        assert all(times == 1 for times in self.done.values())

    @invariant()
    def the_groups_in_hand_hold_their_players(self) -> None:
        in_hand = self._in_hand()
        assert self.world.started() == set(in_hand)
        for id_, accounts in in_hand.items():
            assert {self.world.holder(account) for account in accounts} == {id_}

    @invariant()
    def commands_of_a_player_end_in_the_order_of_admission(self) -> None:
        ended_ = self.failed | self.gone | set(self.done)
        for account, before in self.order.items():
            now = self.world.under_way_of(account)
            kept = [id_ for id_ in before if id_ in now]
            assert set(before) - set(kept) <= ended_
            assert now[: len(kept)] == kept
            again = set(now[len(kept) :])  # requeued
            assert again <= ended_ - set(self.done)
            self.failed -= again
            self.order[account] = now

    @invariant()
    def a_player_is_marked_if_and_only_if_commands_wait(self) -> None:
        in_flight: Any = self.world.redis.hgetall("betcore:in_flight")
        for account in ACCOUNTS:
            marked = in_flight.get(b"%d" % account, b"").endswith(b"+")
            assert marked == bool(self.world.waiting(account))

    @invariant()
    def each_bet_is_noted_with_the_commands_that_may_still_change_it(self) -> None:
        assert {field: set(self.world.notes(field)) for field in self.noted} == self.noted
        assert {field: set(self.world.doubts(field)) for field in self.noted} == self.doubted

    def teardown(self) -> None:
        """However it went: when it is quiet again, all have ended and nothing is left."""
        while self.held:
            self.lose_lease(0)
            self.sweep(0)
        for _ in range(1000):
            self.sweep(0)
            self.take(0, 5, offers=False)
            self.commands_of_a_player_end_in_the_order_of_admission()
            while self.held:
                self.finish(0, [], takes=False, offers=False)
            waits = self.world.queued() or self.world.redis.exists("betcore:parked")
            if not waits and not any(map(self.world.holder, ACCOUNTS)):
                break
        failed = {id_ for job in self._failed_jobs() for id_ in self.world.carried(job)}
        assert set(self.requests) <= set(self.done) | self.gone | failed
        for field in self.noted:  # of commands whose job was deleted or cancelled
            self.world.redis.hdel("betcore:in_flight", field)
        left = self.world.under_way()
        assert all(key.endswith(":executions") for key in left), left
        assert all(self.world.redis.ttl(key) > 0 for key in left)

    def _jobs(self) -> list[str]:
        return sorted(key[7:] for key in self.world.all_keys() if key.startswith("rq:job:"))

    def _not_in_hand(self) -> list[str]:
        return sorted(set(self._jobs()) - self._in_hand().keys())

    def _failed_jobs(self) -> list[str]:
        return sorted(self.world.failed() & set(self._jobs()))

    def _in_hand(self) -> dict[str, tuple[str, ...]]:
        return {job.id: job.accounts for _, batch in self.held for job in batch.jobs}

    def _fetch(self, job_id: str) -> Job:
        return Job.fetch(job_id, connection=self.world.redis, serializer="json")


def test_groups_keep_their_promises_whatever_happens(queue_world: QueueWorld) -> None:
    class GroupsHere(Groups):
        world = queue_world

    run_state_machine_as_test(
        GroupsHere,
        settings=settings(
            max_examples=20 * TIMES,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def ended_as(id_: str, fate: str) -> FinishedCommand:
    """How a command ended: with a result (+), not (-), or too late (x)."""
    if fate == "x":
        return FinishedCommand(id_, "", None, "too late", expired=True)
    return ended(id_, failing=fate == "-")


def chosen(among: Iterable[Any], pick: int) -> Any:
    """One of them."""
    items = list(among)
    return items[pick % len(items)]
