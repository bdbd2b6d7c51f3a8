"""Rules about each player's transfers: their order, their balances, their chain."""

import bisect
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from tests.crash.evidence import Evidence, Transfer
from tests.crash.finding import Finding

_IDS = ("betTransactionId", "winTransactionId", "refundTransactionId")
_SLACK_SECONDS = 0.05  # PostgreSQL's stamp of a commit, and our clock, beside each other


def transfers_are_in_an_order_that_was_seen(evidence: Evidence) -> Iterator[Finding]:
    """If B was asked after A was answered, B's transfers follow A's in the player's chain."""
    known = _first_known(evidence)
    asked = _first_asked(evidence)
    for chain in evidence.chains.values():
        latest, by = 0.0, None
        for move in chain:
            if known.get(move.id, float("inf")) < latest:
                what = f"transfer {move.id} was known before transfer {by} was asked for"
                yield Finding(f"{what}, and follows it")
            if asked.get(move.id, 0.0) > latest:
                latest, by = asked[move.id], move.id


def an_answer_has_a_balance_of_its_moment(evidence: Evidence) -> Iterator[Finding]:
    """A balance is one the player had between the question and the answer; and 4 says too little.

    Had: after what was known before the question, before what was committed after the answer.
    """
    known = _first_known(evidence)
    seen = {
        account: sorted((known[move.id], move.seq) for move in chain if move.id in known)
        for account, chain in evidence.chains.items()
    }
    for ask in evidence.asks:
        if not isinstance(ask.answer, dict) or ask.answer.get("balance") is None:
            continue
        balance = Decimal(str(ask.answer["balance"]))
        before = seen.get(ask.account, [])[: bisect.bisect_left(seen[ask.account], (ask.at, 0))]
        first = max((seq for _, seq in before), default=0)
        until = ask.answered + _SLACK_SECONDS
        if not _had(evidence.chains[ask.account], balance, first, until):
            yield Finding(f"it says {balance}, which was not the balance then", ask.bet, [ask])
        if ask.code == 4 and balance >= Decimal(ask.stake or 0):
            yield Finding(f"{balance} did not cover {ask.stake}", ask.bet, [ask])


def chains_are_whole(evidence: Evidence) -> Iterator[Finding]:
    """Each account's transfers are numbered from 1 without a gap, and add up to its balance."""
    for account, chain in evidence.chains.items():
        running, seq = Decimal(0), 0
        for move in chain:
            running += move.amount if move.credits else -move.amount
            seq += 1
            if (move.seq, move.balance) != (seq, running):
                yield Finding(
                    f"account {account}: transfer {move.id} is number {move.seq} and leaves"
                    f" {move.balance}, not {seq} and {running}"
                )
                break
        if evidence.accounts.get(account) != (running, seq):
            yield Finding(
                f"account {account} holds {evidence.accounts.get(account)}, its transfers leave"
                f" {running} after {seq}"
            )


def _had(chain: list[Transfer], balance: Decimal, first: int, until: float) -> bool:
    """Whether a player had that balance after transfer `first` (a number), or later."""
    if first == 0 and balance == 0:
        return True
    possible = chain[max(0, first - 1) :]
    for index, move in enumerate(possible):
        if index and move.committed > until:
            return False
        if move.balance == balance:
            return True
    return False


def _first_known(evidence: Evidence) -> dict[int, float]:
    """When a client first learnt of each transfer."""
    found: dict[int, float] = {}
    for ask in evidence.asks:
        if ask.code == 1 and ask.call != "status":
            for name in _IDS:
                number = int(ask.answer.get(name, 0))
                found[number] = min(found.get(number, float("inf")), ask.answered)
    return found


def _first_asked(evidence: Evidence) -> dict[int, float]:
    """When each transfer was asked for at the earliest, by what its bet was asked."""
    found: dict[int, float] = {}
    for key, row in evidence.rows.items():
        asked: dict[str, float] = defaultdict(lambda: float("inf"))
        for ask in evidence.asked.get(key, []):
            asked[ask.call] = min(asked[ask.call], ask.at)
        kinds = {"stake": ("pay-in", "pay-in-out"), "win": ("pay-out", "pay-in-out")}
        for move in evidence.moved.get(row.id, []):
            calls = kinds.get(move.kind, ("refund",))
            first = min((asked[call] for call in calls), default=0.0)
            # A bet may be closed by the end of its round, which another bet's request brought.
            found[move.id] = 0.0 if first == float("inf") else first
    return found
