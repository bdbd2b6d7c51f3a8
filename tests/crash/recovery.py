"""The time after each fault until bets succeeded again, measured from the record."""

import re
from typing import Any

from tests.crash.evidence import Ask, Evidence
from tests.crash.record import FINAL

#: Faults of one process of ours, after which the bets at the other gateway should hardly notice.
_OF_GATEWAYS = ("kill", "terminate", "point")


def measure(evidence: Evidence) -> list[dict[str, Any]]:
    """For each fault that came alone: its kind and seconds, from its end or from a kill itself.

    `first`: to the first answer of code 1 to a request sent since; `last`: to the last final answer
    about a bet that was not resolved then; `others`: the same for bets that were at the other
    gateway then, and asked for nowhere else.
    None where there is nothing to measure.
    """
    return [_one(evidence, fault) for fault in evidence.named("fault") if len(fault["faults"]) == 1]


def _one(evidence: Evidence, fault: dict[str, Any]) -> dict[str, Any]:
    only = fault["faults"][0]
    # Others take over from a worker that stands still: that time counts.
    stands = only["kind"].startswith("stop") and only["target"].startswith("worker")
    back = fault["broke"] if stands else fault["back"]
    since = [a.answered - back for a in evidence.asks if a.code == 1 and a.bet and a.at >= back]
    affected = _affected(evidence, back)
    others = None
    if only["kind"] in _OF_GATEWAYS and only["target"].startswith("gateway"):
        number = int(only["target"].rpartition("-")[2])
        elsewhere = (after for gateways, after in affected if number not in gateways)
        others = max(elsewhere, default=None)
    return {
        "kind": _named(only),
        "first": min(since, default=None),
        "last": max((after for _, after in affected), default=None),
        "others": others,
    }


def _named(fault: dict[str, Any]) -> str:
    """A kind of fault, without the number of the process that it struck."""
    if fault["kind"] == "point":
        return f"killed {fault['detail']}"
    if fault["detail"]:
        return f"stopped {fault['detail']}"
    places = [re.sub(r"-\d+$", "", place) for place in fault["target"].split(" > ")]
    return f"{fault['kind']} ({' - '.join(places)})"


def _affected(evidence: Evidence, moment: float) -> list[tuple[set[int], float]]:
    """Of each bet whose outcome its client did not know at that moment, but did learn later:
    the gateways that it had asked last and since, and after how many seconds it knew.

    A client whose clock is behind waits for its stamps to be believed: it tells nothing here.
    """
    found = []
    for asks in evidence.asked.values():
        calls = [a for a in asks if a.call != "status" and not a.again]
        before = [a for a in calls if a.at < moment]
        if not before or before[-1].skew or _knows(before[-1], moment):
            continue
        ends = [a.answered for a in calls if a.code in FINAL and a.answered >= moment]
        if ends:
            asked = [a for a in calls if before[-1].at <= a.at <= min(ends)]
            found.append(({a.gateway for a in asked}, min(ends) - moment))
    return found


def _knows(ask: Ask, moment: float) -> bool:
    return ask.code in FINAL and ask.answered < moment
