"""Promises of `explain`: each mistake is named by its word, and nothing secret is said."""

import json
from typing import Any

import pytest

from api.wallet.sandbox.mistakes import SENTENCES, Received, find_mistake
from tests.source import ROOT

CASES = json.loads((ROOT / "tests" / "signing_mistakes.json").read_text())
TOLERANCE_MS = 30_000


def received(case: dict[str, Any]) -> Received:
    """The request of a case."""
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in case["headers"]]
    return Received(headers, case["body"].encode(), case["nowMs"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_mistake_has_its_word(case: dict[str, Any]) -> None:
    secrets = case["secrets"] if case["known"] else None
    found = find_mistake(received(case), secrets, TOLERANCE_MS)
    assert found.word == case["mistake"]
    assert found.message.decode() == case["message"]
    assert found.sentence


def test_every_word_that_needs_no_other_provider_has_a_case() -> None:
    assert {case["mistake"] for case in CASES} == set(SENTENCES)
