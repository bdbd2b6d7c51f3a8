"""All that the oracle knows: the record, the tables, the keys of Redis, as plain data."""

import json
import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, cast

import psycopg
from psycopg.rows import dict_row
from redis import Redis

from models.audit.verify import Asked, verify
from tests.service.support import keys

_BETS = """
select b.id, p.counterparty_id as provider, b.bet_id as bet, b.account_id as account, b.state,
       b.opened_by, b.stake, b.win, b.round_id as round, b.odd, b.refused_with
from bet b join provider p on p.id = b.provider_id order by b.id
"""
_TRANSFERS = """
select t.id, t.bet, t.kind, t.amount, t.account, t.account_seq as seq, t.balance_after as balance,
       t.credit_account = t.account as credits,
       t.debit_account + t.credit_account - t.account as other,
       (t.created_at at time zone 'UTC')::date::text as day,
       pg_xact_commit_timestamp(t.xmin) as committed
from transfer t order by t.account, t.account_seq, t.id
"""
_LIMITS = "select id, max_win, max_daily_win from account where max_daily_win is not null"
_ACCOUNTS = "select id, balance, last_seq from account where kind = 'player' order by id"


@dataclass
class Ask:
    """A request as it was recorded, and its answer; `status` 0: there was none."""

    n: int
    line: int
    at: float
    gateway: int
    call: str
    provider: str
    account: int
    bet: str
    nonce: str
    skew: int = 0
    stamp: int = 0  # Unix ms
    stake: str | None = None
    win: str | None = None
    body: str = ""
    again: bool = False  # the very bytes of an earlier one
    status: int = 0
    answered: float = 0.0  # 0: never
    answer: Any = None

    @property
    def code(self) -> int | None:
        """The `_responseCode`; None without an answer that has one."""
        found = self.answer.get("_responseCode") if isinstance(self.answer, dict) else None
        return found if isinstance(found, int) else None

    @cached_property
    def round(self) -> str:
        """The round that its body names; '' if none."""
        return str(self._fields.get("gameRoundId", ""))

    @cached_property
    def mark(self) -> str:
        """The number that its body carries, which a row of the ledger made by it has too.

        '' for a pay-in whose round others name too: whether it made a row cannot be told.
        """
        number = self.round.removeprefix("round ")
        return str(self._fields.get("winOdd", number if number.isdigit() else ""))

    @cached_property
    def finishes(self) -> bool:
        """Whether it ends its round."""
        return bool(self._fields.get("roundFinished"))

    @cached_property
    def _fields(self) -> dict[str, Any]:
        return dict(json.loads(self.body)) if self.body else {}


@dataclass
class Bet:
    """A row of the table of bets."""

    id: int
    provider: str
    bet: str
    account: int
    state: str
    opened_by: str
    stake: Decimal | None
    win: Decimal | None = None
    round: str | None = None
    odd: Decimal | None = None
    refused_with: int | None = None

    def is_made_by(self, ask: Ask) -> bool:
        """Whether this request is known to have recorded the bet."""
        if not ask.mark or self.opened_by != ask.call.replace("-", "_"):
            return False
        if ask.call == "pay-in-out":
            return self.odd == Decimal(ask.mark)
        return self.round == f"round {ask.mark}"


@dataclass
class Transfer:
    """A row of the table of transfers; `bet` is the id of a bet's row, `committed` Unix time."""

    id: int
    bet: int | None
    kind: str
    amount: Decimal
    account: int
    seq: int
    balance: Decimal
    credits: bool
    committed: float
    other: int = 0  # the account of the other side
    day: str = ""  # of UTC


@dataclass
class Evidence:
    """What the oracle judges. `events` are the lines of the record that are not about a request."""

    asks: list[Ask] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    bets: list[Bet] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    accounts: dict[int, tuple[Decimal, int]] = field(default_factory=dict)  # balance, last number
    #: Of each house account that has limits: the largest win of a bet, and the sum of a day.
    limits: dict[int, tuple[Decimal, Decimal]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)  # of Redis
    held: dict[str, str] = field(default_factory=dict)  # which job holds each account
    jobs: dict[str, str] = field(default_factory=dict)  # status of each job of RQ's
    failures: dict[str, str] = field(default_factory=dict)  # of those that failed: why
    problems: list[str] = field(default_factory=list)  # found by the product's own verification

    @cached_property
    def asked(self) -> dict[tuple[str, str], list[Ask]]:
        """The requests about each bet, in order."""
        found = defaultdict(list)
        for ask in self.asks:
            if ask.bet:
                found[ask.provider, ask.bet].append(ask)
        return found

    @cached_property
    def rows(self) -> dict[tuple[str, str], Bet]:
        """The row of each recorded bet."""
        return {(bet.provider, bet.bet): bet for bet in self.bets}

    @cached_property
    def moved(self) -> dict[int, list[Transfer]]:
        """The transfers of each bet's row, in order."""
        found = defaultdict(list)
        for transfer in self.transfers:
            if transfer.bet is not None:
                found[transfer.bet].append(transfer)
        return found

    @cached_property
    def chains(self) -> dict[int, list[Transfer]]:
        """The transfers of each account, in order."""
        found: dict[int, list[Transfer]] = {account: [] for account in self.accounts}
        for transfer in self.transfers:
            found.setdefault(transfer.account, []).append(transfer)
        return found

    def kinds(self, provider: str, bet: str) -> dict[str, Transfer]:
        """The transfers of a bet by kind; empty where it is not recorded."""
        row = self.rows.get((provider, bet))
        return {move.kind: move for move in self.moved.get(row.id, [])} if row else {}

    def named(self, what: str) -> list[dict[str, Any]]:
        """The events of one kind."""
        return [event for event in self.events if event["what"] == what]


def read_lines(lines: Iterable[dict[str, Any]]) -> Evidence:
    """The evidence of a record alone."""
    evidence = Evidence()
    by_number: dict[int, Ask] = {}
    for line in lines:
        fields = dict(line)
        what = fields.pop("what")
        if what == "ask":
            fields.pop("session")
            ask = by_number[fields["n"]] = Ask(**fields)
            evidence.asks.append(ask)
        elif what == "answer":
            ask = by_number[fields["n"]]
            ask.status, ask.answered = fields["status"], fields["at"]
            ask.answer = fields["body"]
        elif what != "silence":
            evidence.events.append(line)
    return evidence


def add_tables(evidence: Evidence, database_url: str) -> None:
    """Read the tables, as they are at one moment."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        evidence.bets = [Bet(**row) for row in connection.execute(_BETS)]
        for row in connection.execute(_TRANSFERS):
            committed = row.pop("committed")
            evidence.transfers.append(Transfer(**row, committed=committed.timestamp()))
        for row in connection.execute(_ACCOUNTS):
            evidence.accounts[row["id"]] = (row["balance"], row["last_seq"])
        for row in connection.execute(_LIMITS):
            evidence.limits[row["id"]] = (row["max_win"], row["max_daily_win"])


def add_redis(evidence: Evidence, redis_url: str) -> None:
    """Read the names of all keys, who is held, the status of all jobs, and why some failed."""
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        evidence.keys = sorted(redis.scan_iter("*", count=10_000))
        in_flight = cast("dict[str, str]", redis.hgetall("betcore:in_flight"))
        evidence.held = {name: held for name, held in in_flight.items() if ":" not in name}
        for key in evidence.keys:
            if key.startswith("rq:job:"):
                evidence.jobs[key] = cast("str", redis.hget(key, "status") or "")
    evidence.failures |= read_failures(redis_url)


def read_failures(redis_url: str) -> dict[str, str]:
    """Why each job failed that RQ shows as failed at this moment."""
    found = {}
    with Redis.from_url(redis_url) as redis:
        for job in cast("list[bytes]", redis.zrange("rq:failed:bets", 0, -1)):
            if why := redis.hget(f"rq:job:{job.decode()}", "exc_info"):
                found[job.decode()] = zlib.decompress(cast("bytes", why)).decode()
    return found


def add_verdict(evidence: Evidence, database_url: str) -> None:
    """Let the product verify its ledger and journal, as `betcore ledger verify` does."""
    report = verify(database_url, 20, Asked(keys.JOURNAL, keys.OPERATOR))
    evidence.problems = [*report.problems]
