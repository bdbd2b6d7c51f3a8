"""The Lua scripts: the text of each is what it shares with others, followed by its own file."""

import time
from functools import lru_cache
from pathlib import Path

from broker.keys import OURS, RQ
from settings import Settings

_FOLDER = Path(__file__).parent


#: What a script is made of before its own file. Others need the first two parts only.
_COMMON = ("common", "clock")
_GROUPS = ("groups", "ending")
_PARTS = {
    "admit": (*_COMMON, "groups", "handing"),
    "sweep": (*_COMMON, *_GROUPS),
    "take": (*_COMMON, *_GROUPS, "taking"),
    "finish": (*_COMMON, *_GROUPS, "taking"),
}


def source(name: str) -> str:
    """The whole text of a script, by the name of its file without `.lua`."""
    parts = (*_PARTS.get(name, _COMMON), name)
    return "".join((_FOLDER / f"{part}.lua").read_text() for part in parts)


def common_arguments(queue: str) -> list[str]:
    """The four arguments with which every script begins."""
    return [RQ, OURS, queue, iso_now()]


def job_arguments(settings: Settings) -> list[int]:
    """The three arguments of scripts that make jobs: timeout, result ttl and failure ttl (s)."""
    timeout = int(settings.apply_within_seconds + 1)
    return [timeout, settings.result_ttl_seconds, settings.failure_ttl_seconds]


def iso_now() -> str:
    """The time now in RQ's format."""
    seconds, fraction = divmod(time.time(), 1)
    return f"{_to_the_second(int(seconds))}.{int(fraction * 1_000_000):06d}Z"


@lru_cache(maxsize=1)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
