"""The Lua scripts: the text of each is `lanes.lua` followed by its own file."""

from datetime import UTC, datetime
from pathlib import Path

from broker.keys import OURS, RQ

_FOLDER = Path(__file__).parent


def source(name: str) -> str:
    """The whole text of a script, by the name of its file without `.lua`."""
    common = (_FOLDER / "lanes.lua").read_text()
    return common + (_FOLDER / f"{name}.lua").read_text()


def common_arguments(queue: str) -> list[str]:
    """The four arguments with which every script begins."""
    return [RQ, OURS, queue, iso_now()]


def iso_now() -> str:
    """The time now in RQ's format."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
