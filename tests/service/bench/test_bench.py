"""The benchmark itself, end to end and very small. What it measured is audited."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.against import NoRevision, checked_out, measure_trees
from bench.audit import AuditFailed, Totals, audit, totals, verify_ledger
from bench.benchmark import measure
from bench.contenders.processes import DidNotStart, started
from bench.growth import fill
from bench.plan import Course, Visit, plan_of
from bench.queue_alone import measure_queue
from bench.results import Point, Results
from bench.servers import bench_servers, query
from bench.traffic import Signed
from embedded import Urls

ACCOUNTS = 30


@pytest.fixture(scope="module")
def benched() -> Iterator[tuple[Urls, Results]]:
    """Servers on which a tiny benchmark was run, and what it found."""
    plan = replace(plan_of("quick", seconds=1), repeats=1, settles_in=False, visits=[VISIT])
    plan = replace(plan, overload=Course(capacity=1, calm=2, after=1))
    with bench_servers(durable=False) as urls:
        yield urls, measure(plan, urls, ACCOUNTS)


@pytest.fixture
def database_url(benched: tuple[Urls, Results], monkeypatch: pytest.MonkeyPatch) -> str:
    """That database, where nobody writes any more, so that an audit need not wait to know it."""
    monkeypatch.setattr("bench.audit._QUIET_AFTER_SECONDS", 0.0)
    return benched[0].database


def test_a_run_is_measured_and_audited(benched: tuple[Urls, Results]) -> None:
    results = benched[1]

    [closed, opened] = results.runs
    for run in results.runs:
        latency = run.load.latency
        assert run.load.failed == 0
        assert run.load.good > 0
        assert 0 < latency.p50 <= latency.p99 <= latency.max
        assert run.cost.cpu_us_per_bet.keys() == {"gateway", "worker", "redis", "postgres"}
        assert min(run.cost.cpu_us_per_bet.values()) >= 0
        assert run.cost.redis_commands_per_bet["evalsha"] > 0
        assert run.cost.wal_bytes_per_bet > 0
    assert opened.load.per_second == pytest.approx(closed.load.per_second / 4, rel=0.5)
    assert closed.load.late_ms == 0
    # Each bet has two transfers, each account a deposit; the warm-ups had bets as well.
    done = closed.load.good + opened.load.good
    assert results.verified_transfers >= 2 * done + ACCOUNTS


def test_a_revision_is_measured_by_its_own_commands() -> None:
    visit = Visit("any", [Point("any", 4)])
    plan = replace(plan_of("against", seconds=1), repeats=1, settles_in=False, visits=[visit])
    try:
        with checked_out("HEAD") as (name, tree):
            results = measure_trees({name: tree}, plan, ACCOUNTS, durable=False)
            (tree / "ops/cli.py").unlink()
            with started(Urls("", ""), tree) as processes, pytest.raises(DidNotStart):
                processes.run("ops.cli", "--help")  # this tree's own is out of the way
    except NoRevision as missing:
        pytest.skip(str(missing))

    [run] = results.runs
    assert run.point == Point(results.before, 4)
    assert run.load.failed == 0
    assert results.verified_transfers >= 2 * run.load.good + ACCOUNTS
    assert not tree.exists()
    with pytest.raises(NoRevision, match="rev-parse"), checked_out("no-such-revision"):
        pass


def test_bets_that_are_filled_in_are_like_recorded_ones(database_url: str) -> None:
    before = totals(database_url)

    fill(database_url, 3 * ACCOUNTS, ACCOUNTS)
    fill(database_url, 10, ACCOUNTS)

    bets = 3 * ACCOUNTS + 10
    assert totals(database_url) == Totals(before.bets + bets, before.transfers + 2 * bets)
    assert verify_ledger(database_url) == before.transfers + 2 * bets
    assert query(database_url, _BROKEN_REFERENCES) == [(0,)]


def test_a_bet_that_was_answered_and_is_not_there_fails_the_audit(database_url: str) -> None:
    before = totals(database_url)
    sent = [Signed(b"", bets=1, transfers=2)] * 3

    with pytest.raises(AuditFailed, match="2 to 3 should be, of 3 requests sent"):
        audit(database_url, Totals(0, before.transfers), sent, unknown=1)
    with pytest.raises(AuditFailed, match="are recorded"):
        audit(database_url, before, sent, unknown=2)
    assert audit(database_url, before, sent, unknown=3) == before


def test_a_balance_that_does_not_add_up_fails_the_audit(database_url: str) -> None:
    before = totals(database_url)
    query(database_url, "update account set balance = balance + 1 where id = 3")

    with pytest.raises(AuditFailed, match="sum, count"):
        audit(database_url, before, [], unknown=0)
    with pytest.raises(AuditFailed, match="Account 3 holds"):
        verify_ledger(database_url)

    query(database_url, "update account set balance = balance - 1 where id = 3")
    assert audit(database_url, before, [], unknown=0) == before


def test_the_queue_alone_is_measured(benched: tuple[Urls, Results], database_url: str) -> None:
    before = totals(database_url)

    [carried] = measure_queue(benched[0], 0.3, 1, per_script=[4])

    assert carried.per_script == 4
    assert carried.cost.redis_commands_per_bet["evalsha"] < 2  # one script does for many bets
    assert carried.cost.redis_commands > 4
    assert carried.cost.redis_cpu_us >= 0
    assert totals(database_url) == before


def test_an_overload_is_measured_and_audited(benched: tuple[Urls, Results]) -> None:
    [overload] = benched[1].overloads

    parts = (overload.calm, overload.over, overload.after)
    assert overload.capacity > 0
    for part in parts:
        assert part.offered == part.sent > 0
        assert part.good
        assert part.sent_late
        assert sum(part.codes.values()) == part.offered
    assert overload.over.offered == pytest.approx(3 * overload.after.offered, abs=2)
    assert overload.served > 0
    assert overload.connections > 1
    assert overload.generator_cpu_us > 0


VISIT = Visit("ours", [Point("ours", 64), Point("ours", 2, percent=25, of="ours")])

# The foreign keys that are not looked at while bets are filled in.
_BROKEN_REFERENCES = """
    select count(*) from transfer t
    left join bet b on b.id = t.bet
    left join account a on a.id = t.account
    where (t.bet is not null and b.id is null) or a.id is null
"""
