"""What the dashboard refuses: everyone without the login, other sites, deletion, and scripts."""

import base64
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from rq.queue import Queue

from ops.dashboard.app import REQUEUE_ALL, REQUEUE_ONE, DashboardApp
from ops.dashboard.reading import connect
from tests.service.dashboard_world import (
    LOGIN,
    World,
    contents,
    dashboard_on_jobs,
    make_busy,
    pages,
    token,
)

BEHIND_THE_LOGIN = ["/", "/0/view/jobs", "/0/data/workers.json", "/static/css/main.css"]
BEHIND_THE_LOGIN += ["/favicon.ico", "/job/running/requeue", "/nothing", "/healthz/", "//healthz"]
WRONG_LOGINS = ["", "Basic", "Basic ?"] + [
    f"{scheme} {base64.b64encode(pair.encode()).decode()}"
    for scheme, pair in [
        ("Bearer", ":".join(LOGIN)),
        ("Basic", f"Operator:{LOGIN[1]}"),
        ("Basic", f":{LOGIN[1]}"),
        ("Basic", "operator:pass"),
        ("Basic", "operator:"),
        ("Basic", "operator"),
    ]
]
QUEUE_OF_SCRIPT = "');document.title='taken';('"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with dashboard_on_jobs() as world:
        yield world


def test_without_the_login_no_path_says_anything(world: World) -> None:
    for path in BEHIND_THE_LOGIN:
        for header in WRONG_LOGINS:
            answer = world.client.get(path, headers={"Authorization": header}, auth=None)

            assert answer.status_code == 401, (path, header)
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
            assert answer.text == "Log in."


def test_health_is_answered_without_the_login(world: World) -> None:
    answer = httpx.get(f"{world.client.base_url}/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_every_answer_forbids_framing_sniffing_and_keeping(world: World) -> None:
    for path in ["/", "/0/data/queues.json", "/nothing", "/healthz", "/static/css/main.css"]:
        headers = world.client.get(path).headers

        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == ("no-cache" if "static" in path else "no-store")


@pytest.mark.parametrize("path", ["/job/bets-bad-00/requeue", "/requeue/bets"])
def test_only_the_pages_own_post_requeues(world: World, path: str) -> None:
    before = contents(world.redis)
    right = token(world.client)

    assert world.client.get(path, headers=right).status_code == 405
    assert world.client.head(path, headers=right).status_code == 405
    for headers in [
        {},
        {"X-CSRF-Token": "guess"},
        {"X-CSRF-Token": ""},
        right | {"Origin": "https://elsewhere.example"},
        right | {"Origin": "null"},
        right | {"Sec-Fetch-Site": "cross-site"},
        right | {"Sec-Fetch-Site": "same-site"},
    ]:
        assert world.client.post(path, headers=headers).status_code == 403, headers

    assert contents(world.redis) == before


def test_nothing_but_the_two_requeues_can_be_posted(world: World) -> None:
    reader = connect(world.redis_url)
    rules = list(DashboardApp(reader).url_map.iter_rules())
    reader.connection_pool.disconnect()
    writing = [rule for rule in rules if (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}]
    assert {REQUEUE_ONE, REQUEUE_ALL} < {rule.endpoint for rule in writing}
    before = contents(world.redis)
    values = {"job_id": "bets-bad-00", "queue_name": "bets"}
    headers = token(world.client)

    for rule in writing:
        if rule.endpoint in (REQUEUE_ONE, REQUEUE_ALL):
            continue
        for registry in ["queued", "failed", "started"]:
            built = rule.build(values | {"registry_name": registry}, append_unknown=False)
            assert built
            assert world.client.post(built[1], headers=headers).status_code == 403, built
            assert world.client.get(built[1], headers=headers).status_code == 405, built

    for path in ["/", "/0/data/queues.json", "/job/bets-bad-00/requeue"]:
        for method in ["PUT", "PATCH", "DELETE"]:
            answer = world.client.request(method, path, headers=headers)
            assert answer.status_code in (403, 405), (method, path)
    assert contents(world.redis) == before


def test_pages_offer_no_button_but_requeue(world: World) -> None:
    for path in ["/0/view/jobs/bets/queued/8/asc/1", "/0/view/jobs/bets/failed/8/asc/1"]:
        page = world.client.get(path).text.split("<script")[0]

        assert ("Requeue All" in page) == ("failed" in path)
        for button in ["Compact</a>", "Empty queue</a>", "Delete</"]:
            assert button not in page


def test_only_scripts_with_the_nonce_of_the_answer_can_run(world: World) -> None:
    nonces = set()
    for path in pages(world.redis):
        answer = world.client.get(path)
        if path.endswith(".json"):
            assert answer.headers["Content-Type"] == "application/json"
            continue
        policy = answer.headers["Content-Security-Policy"]
        (nonce,) = re.findall(r"script-src 'nonce-([^']{16,})' 'unsafe-eval';", policy)
        nonces.add(nonce)

        assert policy.startswith("default-src 'none';")
        for attributes in re.findall(r"<script([^>]*)>", answer.text):
            assert f'nonce="{nonce}"' in attributes or 'type="text/template"' in attributes
        assert not re.search(r"<[^>]+ on[a-z]+=", answer.text)

    assert len(nonces) == len([path for path in pages(world.redis) if "json" not in path])


def test_what_a_job_holds_is_written_into_pages_as_text(world: World) -> None:
    Queue(QUEUE_OF_SCRIPT, connection=world.redis).enqueue("builtins.int", "1", job_id="scripted")
    name = quote(QUEUE_OF_SCRIPT, safe="")
    paths = [*pages(world.redis), f"/0/view/jobs/{name}/queued/8/asc/1"]
    templates = 0

    for path in paths:
        if path.endswith(".json"):
            continue
        page = world.client.get(path).text
        # Underscore writes `<%-` escaped and `<%=` as it is.
        assert "<%=" not in page
        assert ".html() %>" not in page
        assert QUEUE_OF_SCRIPT not in page
        templates += page.count("<%-")

    assert templates > 0


def test_a_prepared_pickle_is_never_unpickled(world: World, tmp_path: Path) -> None:
    prepared = pickle.dumps(Prepared(tmp_path / "ran"))
    pickled = Queue("pickled", connection=world.redis)
    for part in ["data", "meta", "result"]:
        pickled.enqueue("builtins.int", "1", job_id=f"pickled-{part}", description="by hand")
    make_busy(world.redis, pickled, "pickling-worker")
    for part in ["data", "meta", "result"]:
        world.redis.hset(f"rq:job:pickled-{part}", part, prepared)
    world.redis.xadd(
        "rq:results:pickled-data",
        {"type": 1, "worker_name": "", "return_value": base64.b64encode(prepared)},
    )
    shown = [*pages(world.redis), "/0/data/jobs/pickled/queued/8/asc/1.json"]

    for path in shown:
        assert world.client.get(path).status_code == 200, path
    world.client.post("/job/pickled-data/requeue", headers=token(world.client))

    assert not (tmp_path / "ran").exists()
    pickle.loads(prepared)  # noqa: S301  # ours: it does what it is prepared to do
    assert (tmp_path / "ran").exists()


class Prepared:
    """Makes a folder wherever its pickle is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)
