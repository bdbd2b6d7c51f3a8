"""Durations as operators type them."""

from datetime import timedelta

import pytest
import typer

from ops.terminal.durations import read_duration


@pytest.mark.parametrize(
    ("typed", "duration"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(days=1)),
        ("007d", timedelta(days=7)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_a_duration_is_a_whole_number_and_its_unit(typed: str, duration: timedelta) -> None:
    assert read_duration(typed) == duration


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "24",
        "h",
        "1.5h",
        "-1h",
        "1 h",
        "1h30m",
        "1w",
        "1H",
        "٣h",
        "1h\n",
        "36501d",
        "9" * 99 + "s",
    ],
)
def test_anything_else_is_refused(typed: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        read_duration(typed)

    assert repr(typed) in str(refused.value)
