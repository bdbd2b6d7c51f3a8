"""Promises of metrics and logs, on a whole installation as `betcore up` runs it."""

import json
import os
import re
import shutil
import signal
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service.support.client import encode, pay_in_out_path
from tests.service.support.http import http_get
from tests.service.support.processes import until
from tests.service.support.up_world import Up, betcore
from tests.source import ROOT

_ROW = re.compile(r"^\| `(betcore_\w+)` \| (\w+) \|[^|]+\|([^|]*)\|", re.MULTILINE)
_STEP = re.compile(r"^\| `(\w+)` \| (gateway|worker) \|", re.MULTILINE)
Samples = Counter[tuple[str, tuple[tuple[str, str], ...]]]


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """One installation that logs all that it can. It has served the demo's bet."""
    folder = Path(tempfile.mkdtemp(prefix="betcore-test-", dir="/tmp"))
    folder.chmod(0o711)
    logs = {"FORMAT": "json", "LEVEL": "debug", "SUCCESSES": "1000"}
    env = {f"BETCORE_LOG_{name}": value for name, value in logs.items()}
    with Up(folder, "--workers", "1", **env) as started:
        started.says("serving;")
        yield started
        started.ends(signal.SIGTERM)
    shutil.rmtree(folder)


def targets(up: Up) -> dict[str, str]:
    """The addresses in `metrics-targets.json`, by process."""
    found = json.loads((up.data / "metrics-targets.json").read_text())
    return {one["labels"]["process"]: target for one in found for target in one["targets"]}


def texts(up: Up) -> dict[str, str]:
    """What each target answers, by process."""
    return {name: http_get(f"http://{at}/metrics").text for name, at in targets(up).items()}


def scraped(up: Up) -> Samples:
    """All samples of all processes."""
    found: Samples = Counter()
    for text in texts(up).values():
        for family in text_string_to_metric_families(text):
            for one in family.samples:
                labels = tuple(sorted(one.labels.items()))
                found[one.name, labels] += one.value  # type: ignore[assignment]
    return found


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    """Labels as `scraped` has them."""
    return tuple(sorted(values.items()))


def test_after_known_calls_every_count_is_exact(up: Up) -> None:
    client, session = up.client()
    provider = client.counterparty_id
    before = scraped(up)
    with client.http:
        for _ in range(3):
            bet = {"betId": uuid.uuid4().hex, "betAmount": 1, "winAmount": 1}
            assert client.pay_in_out(session, **bet).code == 1
        body = encode(bet)
        headers = client.headers(body)
        path = pay_in_out_path(session)
        assert client.post(path, body, headers).code == 1  # the same bet again, with a new id
        assert client.post(path, body, headers).status == 409
        assert client.post(path, body, client.headers(body, sign="0" * 64)).status == 401
        stranger = client.headers(body, counterparty="nobody")
        assert client.post(path, body, stranger).status == 401
        assert client.balance(session).code == 1
        assert client.status(str(bet["betId"])).code == 1
        assert client.call("no-such-session", "pay-in", betId="b", amount=1).code in (2, 3)
    after = scraped(up)
    change = {key: after[key] - before[key] for key in after if after[key] != before[key]}

    def of_call(call: str, code: int, reason: str = "", provider: str = provider) -> float:
        asked = labels(call=call, code=str(code), reason=reason, provider=provider)
        return change.pop(("betcore_requests_total", asked), 0)

    assert of_call("pay_in_out", 1) == 4
    assert of_call("pay_in_out", 0) == 1
    assert of_call("pay_in_out", 8) == 1
    assert of_call("pay_in_out", 8, provider="") == 1
    assert of_call("balance", 1) == of_call("bet_status", 1) == 1
    assert of_call("pay_in", 3, "session_unknown") == 1
    assert not [key for key in change if key[0] == "betcore_requests_total"]
    by_provider = labels(provider=provider)
    assert change["betcore_replays_total", by_provider] == 1
    assert change["betcore_bad_signatures_total", by_provider] == 1
    assert change["betcore_group_commands_count", ()] == 4
    assert change["betcore_batch_commands_sum", ()] == 4
    for step, count in {"accept": 10, "authenticate": 8, "admit": 4, "reply": 10}.items():
        assert change["betcore_step_seconds_count", labels(step=step)] == count, step
    for step in ("queue", "load", "decide", "commit", "finish"):
        assert change["betcore_step_seconds_count", labels(step=step)] == 4, step


def test_exactly_the_metrics_of_the_document_are_exported(up: Up) -> None:
    page = (ROOT / "docs" / "METRICS.md").read_text()
    written = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", told)))
        for name, kind, told in _ROW.findall(page)
    }
    exported: dict[str, tuple[str, frozenset[str]]] = {}
    steps = set()
    for process, text in texts(up).items():
        for family in text_string_to_metric_families(text):
            if not family.name.startswith("betcore_"):
                continue
            name = family.name + "_total" * (family.type == "counter")
            told = {label for one in family.samples for label in one.labels} - {"le"}
            exported[name] = family.type, frozenset(told) | exported.get(name, ("", frozenset()))[1]
            if name == "betcore_step_seconds":
                steps |= {(one.labels["step"], process.partition("-")[0]) for one in family.samples}

    assert exported == written
    assert steps == set(_STEP.findall(page))
    assert len(written) == len(_ROW.findall(page)) > 20


def test_a_process_that_starts_again_keeps_its_target(up: Up) -> None:
    at = targets(up)
    assert set(at) == {"gateway-1", "worker-1", "portal"}
    assert len(set(at.values())) == 3

    os.kill(up.children("worker")[0], signal.SIGKILL)
    up.says("worker-1 ended")
    until(lambda: "betcore_batch_commands_count 0.0" in _text(at["worker-1"]))

    assert targets(up) == at


def test_verify_and_seal_and_backup_are_known_from_then_on(up: Up) -> None:
    for done in (("ledger", "verify"), ("ledger", "seal"), ("backup", "--to", "copies")):
        made = betcore(*done, "--data-dir", "data", cwd=up.data.parent)
        assert (made.returncode, made.stderr) == (0, ""), made

    def ages() -> list[float]:
        found = scraped(up)
        names = ("verification", "seal", "backup")
        return [found.get((f"betcore_{name}_age_seconds", ()), float("inf")) for name in names]

    until(lambda: max(ages()) < 3600, lambda: str(ages()))


def test_logs_are_json_with_a_line_per_batch_and_answer_and_hold_nothing_secret(up: Up) -> None:
    client, session = up.client()
    bet = uuid.uuid4().hex
    body = encode({"betId": bet, "betAmount": 1, "winAmount": 1})
    headers = client.headers(body)
    with client.http:
        assert client.post(pay_in_out_path(session), body, headers).code == 1
        assert client.post(pay_in_out_path(session), body, headers).status == 409
    nonce = headers["X-Request-Id"]
    until(lambda: up.err.count(nonce) >= 2, lambda: up.err[-3000:])
    lines = [json.loads(line) for line in up.err.splitlines()]

    done, again = [line for line in lines if line.get("request") == nonce]
    about = {"bet": bet, "provider": client.counterparty_id, "session": session}
    assert about.items() <= done.items()
    assert about.items() <= again.items()
    assert (done["code"], again["code"], again["status"]) == (1, 0, 409)
    batches = [line for line in lines if line["logger"] == "betcore.batches"]
    assert {"batch", "groups", "applied"} <= batches[-1].keys()
    keys = [
        (up.data / f"{name}-key").read_text().strip() for name in ("journal", "operator", "secrets")
    ]
    urls = [up.environment(kind)["DATABASE_URL"] for kind in ("gateway", "worker", "portal")]
    passwords = [re.split("[:@/]+", url)[2] for url in urls]
    assert all(len(one) > 10 for one in (*keys, *passwords))
    for secret in (client.secret, headers["X-Sign"], *keys, *passwords, up.dashboard[2]):
        assert secret not in up.err


def _text(address: str) -> str:
    try:
        return http_get(f"http://{address}/metrics").text
    except httpx.TransportError:
        return ""
