"""Lanes under any sequence of actions of workers, gateways, operators, and accidents."""

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
from rq.registry import FailedJobRegistry

from broker.batches import Batch, Batches
from tests.service.support.queue_world import QueueWorld, Request, decoded, finish, ids, take

ACCOUNTS = (1, 2, 3)
PICK = st.integers(0, 1000)


class Lanes(RuleBasedStateMachine):
    """A model of lanes, kept beside the real ones: for each account, who waits in which order."""

    world: QueueWorld

    def __init__(self) -> None:
        super().__init__()
        self.world.redis.flushall()
        self.workers = [self.world.worker(f"w{n}", lease_seconds=3600) for n in range(3)]
        self.requests: list[Request] = []
        self.waiting: dict[int, list[str]] = {account: [] for account in ACCOUNTS}
        self.held: list[tuple[Batches, Batch]] = []  # batches whose lease is held
        self.lost: list[tuple[Batches, Batch]] = []  # and those it was taken from
        self.overdue: set[str] = set()  # batches whose lease ran out, not yet swept
        self.expired: set[str] = set()
        self.gone: set[str] = set()  # jobs whose hash was deleted
        self.done: Counter[str] = Counter()  # how often a job was finished with a result
        self.losses = 0
        self.suspended = False

    @rule(accounts=st.lists(st.sampled_from(ACCOUNTS), min_size=1, max_size=5))
    def admit(self, accounts: list[int]) -> None:
        # Ids by number, not at random: the same steps must always go the same way.
        numbered = enumerate(accounts, start=len(self.requests))
        requests = [Request(account, token=f"{number:032x}") for number, account in numbered]
        assert self.world.admit(*requests) == ("S" if self.suspended else "A") * len(requests)
        if not self.suspended:
            self.requests += requests
            for request in requests:
                self.waiting[int(request.account)].append(request.job_id)

    @precondition(lambda self: self.requests)
    @rule(pick=PICK)
    def send_again(self, pick: int) -> None:
        before = self.world.contents()
        assert self.world.admit(chosen(self.requests, pick)) == "A"
        assert self.world.contents() == before

    @rule(pick=PICK, jobs_max=st.integers(1, 5), idle=st.booleans())
    def take(self, pick: int, jobs_max: int, idle: bool) -> None:
        worker = chosen(self.workers, pick)
        worker._settings = worker._settings.model_copy(update={"batch_jobs_max": jobs_max})
        first = self._pop() if idle else ""
        if self.suspended:
            assert worker.take(0, first) is None
            return
        batch = take(worker, first)
        assert len(batch.jobs) <= jobs_max
        for account in ACCOUNTS:
            self._follow(account, [id_ for id_ in ids(batch) if id_.startswith(f"{account}-")])
        if batch.jobs:
            self.held.append((worker, batch))

    def _follow(self, account: int, taken: list[str]) -> None:
        """Bring the model up to a take, which may have ended, appended and started jobs."""
        held = [id_ for _, batch in self.held for id_ in ids(batch)]
        lane = self.world.lane(account)
        kept = [id_ for id_ in self.waiting[account] if id_ in lane]
        left = set(self.waiting[account]) - set(kept)
        appended = lane[len(kept) :]
        assert left <= (self.expired | self.gone) - set(held)
        assert lane[: len(kept)] == kept
        assert all(self.done[id_] == 0 for id_ in appended)
        if taken:
            assert not set(lane) & set(held)  # one batch at a time
            assert lane[: len(taken)] == taken
            assert not set(taken) & (self.expired | self.gone)
        self.waiting[account] = lane

    def _pop(self) -> str:
        moved: Any = self.world.redis.lmove("rq:queue:bets", "rq:queue:bets:intermediate")
        return str(moved.decode()) if moved else ""

    @rule()
    def die_after_popping(self) -> None:
        self._pop()

    @precondition(lambda self: self.held)
    @rule(pick=PICK, failing=st.sets(st.integers(0, 4)))
    def finish(self, pick: int, failing: set[int]) -> None:
        worker, batch = self.held.pop(pick % len(self.held))
        failed = {id_ for number, id_ in enumerate(ids(batch)) if number in failing}
        assert finish(worker, batch, failed)
        self.overdue.discard(batch.id)
        self.done.update(set(ids(batch)) - failed)
        for account in ACCOUNTS:
            lane = self.world.lane(account)
            before = [id_ for id_ in self.waiting[account] if id_ not in ids(batch)]
            assert lane == [id_ for id_ in before if id_ in lane]
            assert set(before) - set(lane) <= self.gone
            self.waiting[account] = lane

    @precondition(lambda self: self.lost)
    @rule(pick=PICK)
    def finish_too_late(self, pick: int) -> None:
        worker, batch = chosen(self.lost, pick)
        before = self._without_executions()
        assert not finish(worker, batch)
        assert not worker.renew(batch.id)
        assert self._without_executions() == before

    def _without_executions(self) -> dict[str, object]:
        found = self.world.contents().items()
        return {key: dump for key, dump in found if not key.endswith(":executions")}

    @rule(pick=PICK)
    def sweep(self, pick: int) -> None:
        chosen(self.workers, pick).sweep()
        self.lost += [held for held in self.held if held[1].id in self.overdue]
        self.held = [held for held in self.held if held[1].id not in self.overdue]
        self.overdue.clear()
        queued = self.world.queued()
        held = {id_ for _, batch in self.held for id_ in ids(batch)}
        for account in ACCOUNTS:
            lane = self.world.lane(account)
            assert set(self.waiting[account]) - set(lane) <= self.gone
            self.waiting[account] = lane
            assert not lane or lane[0] in queued or lane[0] in held, "a lane stands still"
        assert self.world.intermediate() == []

    @precondition(lambda self: self.held)
    @rule(pick=PICK)
    def lose_lease(self, pick: int) -> None:
        _, batch = chosen(self.held, pick)
        self.overdue.add(batch.id)
        self.losses += 1
        self.world.redis.zadd("betcore:leases", {batch.id: self.losses}, xx=True)

    @precondition(lambda self: self.requests)
    @rule(pick=PICK)
    def expire(self, pick: int) -> None:
        id_ = chosen(self.requests, pick).job_id
        if self.world.status(id_) is not None:
            self.world.redis.hset(f"rq:job:{id_}", "deadline", 1)
            self.expired.add(id_)

    @precondition(lambda self: self.requests)
    @rule(pick=PICK)
    def delete_job(self, pick: int) -> None:
        id_ = chosen(self.requests, pick).job_id
        if self.world.status(id_) in ("queued", "deferred"):
            self.world.redis.delete(f"rq:job:{id_}")
            self.gone.add(id_)

    @precondition(lambda self: self.world.failed())
    @rule(pick=PICK)
    def requeue(self, pick: int) -> None:
        id_ = chosen(sorted(self.world.failed()), pick)
        FailedJobRegistry("bets", connection=self.world.redis, serializer="json").requeue(id_)

    @precondition(lambda self: self.requests)
    @rule(pick=PICK)
    def push_again(self, pick: int) -> None:
        self.world.redis.rpush("rq:queue:bets", chosen(self.requests, pick).job_id)

    @precondition(lambda self: self.requests)
    @rule(pick=PICK, status=st.sampled_from(["started", "failed", "finished"]))
    def be_touched_by_a_worker_of_stock_rq(self, pick: int, status: str) -> None:
        """It writes what it thinks of a job, also of one that came back meanwhile."""
        id_ = chosen(self.requests, pick).job_id
        if self.world.status(id_) in (None, "finished") or self.done[id_] or id_ in self.gone:
            return
        if id_ not in self.world.lane(int(id_[0])):
            return  # one of ours has ended it: nothing of a player waits for it any more
        self.world.redis.hset(f"rq:job:{id_}", "status", status)
        if status == "failed":
            self.world.redis.zadd("rq:failed:bets", {id_: 2_000_000_000})

    @rule()
    def suspend_or_resume(self) -> None:
        self.suspended = not self.suspended
        if self.suspended:
            self.world.redis.set("rq:suspended", 1)
        else:
            self.world.redis.delete("rq:suspended")

    @invariant()
    def no_job_is_in_two_batches_and_no_player_either(self) -> None:
        in_hand = Counter(id_ for _, batch in self.held for id_ in ids(batch))
        assert all(times == 1 for times in in_hand.values())
        players = Counter(
            account for _, batch in self.held for account in {id_[0] for id_ in ids(batch)}
        )
        assert all(times == 1 for times in players.values())
        assert self.world.started() == set(in_hand)

    @invariant()
    def registries_agree_with_the_lanes(self) -> None:
        lanes = {account: self.world.lane(account) for account in ACCOUNTS}
        in_lanes = {id_ for lane in lanes.values() for id_ in lane}
        assert self.world.deferred() <= in_lanes
        known = set(decoded(self.world.redis.smembers("betcore:lanes")))
        assert known == {f"betcore:lane:{account}" for account in ACCOUNTS if lanes[account]}
        assert all(times == 1 for times in self.done.values())

    def teardown(self) -> None:
        """However it went: when it is quiet again, all have ended and nothing is left."""
        if self.suspended:
            self.suspend_or_resume()
        while self.held:
            self.lose_lease(0)
            self.sweep(0)
        for _ in range(1000):
            self.sweep(0)
            self.take(0, 5, idle=False)
            while self.held:
                self.finish(0, set())
            if not any(self.waiting.values()) and not self.world.queued():
                break
        statuses = {self.world.status(request.job_id) for request in self.requests}
        assert statuses <= {"finished", "failed", None}
        left = self.world.under_way()
        assert all(key.startswith("rq:worker:") for key in left), left
        assert all(self.world.redis.ttl(key) > 0 for key in left)


def test_lanes_keep_their_promises_whatever_happens(queue_world: QueueWorld) -> None:
    class LanesHere(Lanes):
        world = queue_world

    run_state_machine_as_test(
        LanesHere,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def chosen(among: Iterable[Any], pick: int) -> Any:
    """One of these lanes."""
    items = list(among)
    return items[pick % len(items)]
