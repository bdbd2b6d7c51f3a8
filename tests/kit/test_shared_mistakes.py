"""`explain` and the sandbox's 401 name the same mistakes by the same words."""

import json
from typing import Any

import pytest

from betcore_kit.explain.diagnosis import diagnose
from betcore_kit.explain.raw import read_request
from betcore_kit.explain.words import SENTENCES
from tests.source import ROOT

CASES = json.loads((ROOT / "tests" / "signing_mistakes.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_mistake_of_the_sandbox_has_the_same_word_here(case: dict[str, Any]) -> None:
    lines = [f"{name}: {value}" for name, value in case["headers"]]
    raw = "\r\n".join(["POST /x HTTP/1.1", *lines, "", case["body"]]).encode()
    own_id = None if case["known"] else "another"

    found = diagnose(
        read_request(raw), case["secrets"], case["nowMs"], arrived_then=True, counterparty_id=own_id
    )

    # A used nonce and a second secret of the provider are known to the wallet alone.
    seen_only_there = {"nonce_used": (), "unknown_provider": ("unknown_provider",)}
    if len(case["secrets"]) > 1:
        assert found.words == ("other_secret",)
    else:
        assert found.words == seen_only_there.get(case["mistake"], (case["mistake"],))
    assert found.message.decode() == case["message"]


def test_the_words_are_those_of_the_sandbox() -> None:
    assert {case["mistake"] for case in CASES} <= set(SENTENCES)
