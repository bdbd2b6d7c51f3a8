"""Rules about the limits of what a provider may pay."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from tests.crash.evidence import Evidence
from tests.crash.finding import Finding


def no_limit_of_wins_is_passed(evidence: Evidence) -> Iterator[Finding]:
    """No win is above the limit per bet. The wins of a day are not above the limit per day.

    A win that was taken back still counts.
    """
    names = {row.id: row.bet for row in evidence.bets}
    of_days: defaultdict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for move in evidence.transfers:
        if move.kind != "win" or move.other not in evidence.limits:
            continue
        most, _ = evidence.limits[move.other]
        if move.amount > most:
            what = f"its win of {move.amount} is above the limit of {most}"
            yield Finding(what, names.get(move.bet or 0, ""))
        of_days[move.other, move.day] += move.amount
    for (house, day), won in of_days.items():
        _, most = evidence.limits[house]
        if won > most:
            yield Finding(
                f"{won:f} were won on {day} from account {house}: the limit is {most:f}", ""
            )
