"""Places the bars of a chart in SVG. Amounts stay decimal: only coordinates are rounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH = 700
HEIGHT = 160


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it stands for, and its place in units of the drawing."""

    name: str
    value: Decimal
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars of one currency, from a line of zero upwards and downwards."""

    currency: str
    bars: list[Bar]

    @property
    def zero(self) -> int:
        """Where the line of zero is."""
        return _zero([bar.value for bar in self.bars])

    @property
    def highest(self) -> Decimal:
        """The largest value, which is at least 0."""
        return max([bar.value for bar in self.bars] + [Decimal(0)])

    @property
    def lowest(self) -> Decimal:
        """The smallest value, which is at most 0."""
        return min([bar.value for bar in self.bars] + [Decimal(0)])


def bars_of(values: Sequence[tuple[str, Decimal | int]]) -> list[Bar]:
    """A bar for each named value, side by side."""
    amounts = [Decimal(value) for _, value in values]
    zero, scale = _zero(amounts), _scale(amounts)
    step = max(1, WIDTH // max(1, len(values)))
    bars = []
    for place, (name, _) in enumerate(values):
        height = int(abs(amounts[place]) * scale)
        if amounts[place]:
            height = max(1, height)
        top = zero - height if amounts[place] > 0 else zero
        bars.append(Bar(name, amounts[place], place * step, top, max(1, step * 4 // 5), height))
    return bars


def _scale(amounts: Sequence[Decimal]) -> Decimal:
    span = max([*amounts, Decimal(0)]) - min([*amounts, Decimal(0)])
    return HEIGHT / span if span else Decimal(0)


def _zero(amounts: Sequence[Decimal]) -> int:
    return int(max([*amounts, Decimal(0)]) * _scale(amounts))
