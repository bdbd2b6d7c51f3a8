"""Live figures: bets per second, how fast they are answered, and with which codes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from api.console.lines import chart_of
from api.console.visit import View, Visit
from api.shared.problems import Problem
from models.codes import Code
from models.database.transactions import Transaction
from models.minute_figures import MinuteFigures
from models.reports.minutes import read_minutes

_MINUTE = timedelta(minutes=1)
#: A minute is shown when its last reports are in.
_COMPLETE_AFTER = timedelta(seconds=15)
#: How many minutes a point stands for, by the hours that are shown.
_MINUTES_OF_POINT = {"1": 1, "6": 5, "24": 10}


class Point(NamedTuple):
    """Some minutes together. `figures` is None if nobody told of them."""

    at: datetime
    figures: MinuteFigures | None
    seconds: int  # those of which somebody told

    def rate(self, count: int) -> float:
        """So many, per second."""
        return count / self.seconds

    @property
    def bets(self) -> float | None:
        """Bets per second."""
        return None if self.figures is None else self.rate(self.figures.bets)

    @property
    def refused(self) -> float | None:
        """Answers other than success, per second."""
        return None if self.figures is None else self.rate(self.figures.refused)

    def milliseconds(self, share: float) -> float | None:
        """The time within which this share of the answers was sent."""
        seconds = None if self.figures is None else self.figures.quantile(share)
        return None if seconds is None else seconds * 1000

    def of_code(self, code: int) -> float | None:
        """Answers with a code, per second."""
        return None if self.figures is None else self.rate(self.figures.codes.get(code, 0))


def live(visit: Visit) -> View:
    """The last hour, six hours or day, as charts and as a table."""
    hours = visit.option("hours") or "1"
    if hours not in _MINUTES_OF_POINT:
        choice = ", ".join(_MINUTES_OF_POINT)
        raise Problem(422, "invalid_request", f"hours is one of {choice}.")
    with visit.reading() as database:
        points = _points(database, int(hours) * 60, _MINUTES_OF_POINT[hours])
    whole = sum([one.figures for one in points if one.figures is not None], MinuteFigures())
    codes = [
        (code, _name(code), count, chart_of("", "", rate=[one.of_code(code) for one in points]))
        for code, count in sorted(whole.codes.items())
        if count
    ]
    return View(
        "live",
        {
            "hours": hours,
            "choices": list(_MINUTES_OF_POINT),
            "points": points,
            "whole": whole,
            "codes": codes,
            "charts": [
                chart_of("Bets", "per second", bets=[one.bets for one in points]),
                chart_of(
                    "Time to answer",
                    "ms",
                    p50=[one.milliseconds(0.5) for one in points],
                    p99=[one.milliseconds(0.99) for one in points],
                ),
                chart_of(
                    "Answers other than success",
                    "per second",
                    refused=[one.refused for one in points],
                ),
            ],
        },
    )


def last_minute(database: Transaction) -> Point:
    """The last minute that is complete."""
    return _points(database, 1, 1)[0]


def _points(database: Transaction, minutes: int, of_point: int) -> list[Point]:
    end = datetime.now(UTC) - _COMPLETE_AFTER
    end = end.replace(second=0, microsecond=0)
    begin = end - minutes * _MINUTE
    known = read_minutes(database, begin, end)
    starts = [begin + number * _MINUTE for number in range(0, minutes, of_point)]
    return [_point(known, start, of_point) for start in starts]


def _point(known: Mapping[datetime, MinuteFigures], start: datetime, minutes: int) -> Point:
    told: Sequence[MinuteFigures] = [
        known[at] for at in (start + number * _MINUTE for number in range(minutes)) if at in known
    ]
    return Point(start, sum(told, MinuteFigures()) if told else None, 60 * len(told))


def _name(code: int) -> str:
    try:
        return Code(code).name.lower().replace("_", " ")
    except ValueError:
        return ""
