"""The results of campaigns: one JSON line for each seed, in a results folder."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.crash.evidence import Evidence
from tests.crash.oracle import Violation
from tests.crash.recovery import measure

RESULTS = "results.jsonl"
#: Of campaigns in which a guard was missing.
GUARDS_RESULTS = "guards.jsonl"


def summary(
    seed: int, began: float, evidence: Evidence, violations: Sequence[Violation]
) -> dict[str, Any]:
    """One seed as JSON values; times in seconds."""
    codes = Counter("none" if ask.code is None else str(ask.code) for ask in evidence.asks)
    faults = [fault for event in evidence.named("fault") for fault in event["faults"]]
    return {
        "seed": seed,
        "at": began,
        "seconds": time.time() - began,
        "requests": len(evidence.asks),
        "bets": len(evidence.asked),
        "transfers": len(evidence.transfers),
        "codes": codes,
        "faults": Counter(fault["kind"] for fault in faults),
        "points": Counter(fault["detail"] for fault in faults if fault["kind"] == "point"),
        "recovery": measure(evidence),
        "violations": [str(violation) for violation in violations],
    }


def append(folder: Path, found: dict[str, Any], name: str = RESULTS) -> None:
    """Add a campaign to the results in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("a") as file:
        file.write(json.dumps(found) + "\n")


def load(folder: Path, name: str = RESULTS) -> list[dict[str, Any]]:
    """Every campaign in a folder's results; none where there is no such file."""
    file = folder / name
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
