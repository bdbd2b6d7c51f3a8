"""Rules about time: deadlines, tombstones, clocks, nonces."""

from collections import defaultdict
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from tests.crash.evidence import Ask, Bet, Evidence, Transfer
from tests.crash.finding import Finding

# From its arrival a request has at most five seconds; PostgreSQL ends it a second after that. What
# is added is for its way to the gateway, on a machine with much to do.
_LATE_AFTER_SECONDS = 5.0 + 1.0 + 2.0
_TOLERANCE_SECONDS = 30.0  # between its stamp and its arrival
# Faults after which a request may wait before its gateway, and for how long once they are over.
_HOLDING = {"stop": 0.0, "swallow": 0.0, "delay": 1.0}
# Connections are made before a gateway that starts accepts them. A busy machine takes longer.
_STARTING = ("kill", "terminate", "point", "kill everything")
_STARTING_SECONDS = 8.0
_EMPTYING = ("empty", "forget an admission")  # faults after which Redis has no data
_WORKED = range(1, 8)  # codes of a request that was accepted, whatever became of it


def nothing_is_late(evidence: Evidence) -> Iterator[Finding]:
    """No transfer is committed long after the deadline of the request that made it."""
    frozen = [(f["broke"], f["back"]) for f in _faults(evidence, "stop", "postgres")]
    for ask, move in _made(evidence):
        if any(begin <= move.committed <= end + 1 for begin, end in frozen):
            continue  # a COMMIT under way while PostgreSQL stood still
        late = move.committed - _arrived(evidence, ask) - _LATE_AFTER_SECONDS
        if late > 0:
            what = f"the {move.kind} was committed {move.committed - ask.at:.1f} s after"
            yield Finding(what, ask.bet, [ask])


def no_pay_in_follows_its_tombstone(evidence: Evidence) -> Iterator[Finding]:
    """A refund that found no bet closes it: no stake is taken afterwards."""
    for row in evidence.bets:
        moves = {move.kind: move for move in evidence.moved.get(row.id, [])}
        stake, refund = moves.get("stake"), moves.get("refund")
        if stake and refund and stake.seq > refund.seq:
            yield Finding("it was taken after its refund", row.bet)
        if stake and row.opened_by == "refund":
            yield Finding("it was taken though a refund had closed it", row.bet)


def a_clock_may_be_thirty_seconds_off(evidence: Evidence) -> Iterator[Finding]:
    """A timestamp that is over 30 s off is refused. A nearer one is not refused for its time."""
    reused = _used_again(evidence)
    for ask in evidence.asks:
        if not ask.status or (ask.provider, ask.nonce) in reused:
            continue
        stamp = ask.stamp / 1000
        too_far = stamp - ask.answered > _TOLERANCE_SECONDS or (ask.at - stamp > _TOLERANCE_SECONDS)
        near = abs(stamp - ask.at) < _TOLERANCE_SECONDS and (
            abs(stamp - ask.answered) < _TOLERANCE_SECONDS
        )
        if too_far and ask.code not in (8, 99):
            yield Finding(f"a clock {ask.skew} s ahead, and code {ask.code}", ask.bet, [ask])
        if near and ask.code == 8:
            yield Finding(f"a clock {ask.skew} s ahead, and refused", ask.bet, [ask])


def a_nonce_is_accepted_once(evidence: Evidence) -> Iterator[Finding]:
    """Of the requests with one nonce, at most one was worked on.

    As long as the first can be sent again: until 30 s after its stamp, however its clock is off. A
    Redis that lost its data begins anew: then one that is stamped ahead may be admitted again.
    """
    lost = [fault["broke"] for kind in _EMPTYING for fault in _faults(evidence, kind)]
    by_nonce: dict[tuple[str, str, int], list[Ask]] = defaultdict(list)
    for ask in evidence.asks:
        if any(ask.at <= moment <= ask.answered for moment in lost):
            continue  # nobody can say by which Redis it was admitted
        memory = sum(moment < min(ask.answered, ask.stamp / 1000) for moment in lost)
        by_nonce[ask.provider, ask.nonce.lower(), memory].append(ask)
    for sent in by_nonce.values():
        until = min(sent, key=attrgetter("at")).stamp / 1000 + _TOLERANCE_SECONDS
        asks = [ask for ask in sent if ask.at <= until]
        accepted = [ask for ask in asks if ask.code in _WORKED]
        marks = {ask.mark for ask in asks}
        recorded = {ask.mark for ask in asks if _is_recorded(evidence, ask)}
        if len(accepted) > 1 or len(recorded) > 1:
            yield Finding(f"one nonce, {len(marks)} requests", asks[0].bet, asks)


def _faults(evidence: Evidence, kind: str, target: str = "") -> list[dict[str, Any]]:
    """The faults of a kind, those at the same time as others included."""
    return [
        fault
        for fault in evidence.named("fault")
        if any(f["kind"] == kind and target in f["target"] for f in fault["faults"])
    ]


def _made(evidence: Evidence) -> Iterator[tuple[Ask, Transfer]]:
    """Requests, and the first transfer that is known to be made by each."""
    for key, row in evidence.rows.items():
        kinds = evidence.kinds(*key)
        for ask in evidence.asked.get(key, []):
            move = _made_by(row, ask, kinds)
            if move is not None and not ask.again:
                yield ask, move


def _made_by(row: Bet, ask: Ask, kinds: dict[str, Transfer]) -> Transfer | None:
    if row.is_made_by(ask):
        return kinds.get("refund" if row.opened_by == "refund" else "stake")
    if ask.call == "pay-out" and row.odd is not None and str(int(row.odd)) == ask.mark:
        return kinds.get("win")
    return None


def _arrived(evidence: Evidence, ask: Ask) -> float:
    """When a request reached its gateway at the latest, and Redis, where its deadline begins.

    One that was on its way while nothing could reach the gateway or Redis arrived when that was
    over, or when the same bytes were sent again. After its stamp is too old it does not arrive.
    """
    reached = (f"gateway-{ask.gateway}", "valkey", "everything")
    held: list[float] = [
        until
        for fault, lasts in _holding(evidence)
        if any(f["target"].endswith(reached) for f in fault["faults"])
        and fault["broke"] - min(lasts, _STARTING_SECONDS) - 1 <= ask.at
        and ask.at <= (until := fault["back"] + lasts) + 1
    ]
    same = [other.at for other in evidence.asked[ask.provider, ask.bet] if other.nonce == ask.nonce]
    return min(max([*held, *same, ask.at]), ask.stamp / 1000 + _TOLERANCE_SECONDS)


def _holding(evidence: Evidence) -> Iterator[tuple[dict[str, Any], float]]:
    """The faults that keep requests from a gateway, and for how long once they are over, at most.

    A killed gateway serves again, at the latest, when the campaign saw that everything worked.
    """
    for kind, lasts in _HOLDING.items():
        yield from ((fault, lasts) for fault in _faults(evidence, kind))
    for kind in _STARTING:
        for fault in _faults(evidence, kind):
            yield fault, max(_STARTING_SECONDS, fault["at"] - fault["back"])


def _is_recorded(evidence: Evidence, ask: Ask) -> bool:
    row = evidence.rows.get((ask.provider, ask.bet))
    return row is not None and row.is_made_by(ask)


def _used_again(evidence: Evidence) -> set[tuple[str, str]]:
    """The nonces that were sent more than once."""
    seen: set[tuple[str, str]] = set()
    again: set[tuple[str, str]] = set()
    for ask in evidence.asks:
        key = (ask.provider, ask.nonce)
        (again if key in seen else seen).add(key)
    return again
