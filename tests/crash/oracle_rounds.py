"""Rules about rounds that a provider has finished."""

from collections import defaultdict
from collections.abc import Iterator

from tests.crash.evidence import Ask, Bet, Evidence
from tests.crash.finding import Finding


def a_finished_round_is_over(evidence: Evidence) -> Iterator[Finding]:
    """Nothing of it is open, and no stake is taken that was asked for after the answer."""
    rows = _rows(evidence)
    for key, end in _ends(evidence).items():
        for row in rows[key]:
            if row.state == "open":
                yield Finding("its round is finished, and it is open", row.bet, [end])
            asks = evidence.asked.get((row.provider, row.bet), [])
            first = min((ask.at for ask in asks), default=0.0)
            if first > end.answered and row.state == "settled" and row.stake:
                yield Finding("it was taken in a finished round", row.bet, [end, asks[0]])


def _ends(evidence: Evidence) -> dict[tuple[str, int, str], Ask]:
    """The first request that is known to have finished each round of a player at a provider."""
    found: dict[tuple[str, int, str], Ask] = {}
    for ask in evidence.asks:
        if ask.finishes and ask.code == 1 and ask.round:
            key = (ask.provider, ask.account, ask.round)
            if key not in found or ask.answered < found[key].answered:
                found[key] = ask
    return found


def _rows(evidence: Evidence) -> dict[tuple[str, int, str], list[Bet]]:
    found = defaultdict(list)
    for row in evidence.bets:
        if row.round is not None:
            found[row.provider, row.account, row.round].append(row)
    return found
