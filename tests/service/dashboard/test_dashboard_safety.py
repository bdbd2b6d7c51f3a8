"""What the dashboard refuses: everyone without the login, other sites, deletion, and scripts."""

import base64
import os
import pickle
import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from rq.queue import Queue
from typer.testing import CliRunner

from broker.rq_queue import NothingRequeued
from ops.cli import app
from ops.dashboard.app import DashboardApp
from ops.dashboard.reading import connect
from settings import settings
from tests.service.support.dashboard_world import (
    LOGIN,
    World,
    contents,
    dashboard_on_jobs,
    make_busy,
    pages,
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


def test_nothing_can_be_changed_through_it(world: World) -> None:
    reader = connect(world.redis_url)
    rules = list(DashboardApp(reader).url_map.iter_rules())
    reader.connection_pool.disconnect()
    writing = [rule for rule in rules if (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}]
    assert len(writing) > 2
    before = contents(world.redis)
    values = {"job_id": "bets-bad-00", "queue_name": "bets"}

    for rule in writing:
        for registry in ["queued", "failed", "started"]:
            built = rule.build(values | {"registry_name": registry}, append_unknown=False)
            assert built
            for method in ["POST", "PUT", "PATCH", "DELETE"]:
                answer = world.client.request(method, built[1])
                assert answer.status_code in (403, 405), (method, built)
            assert world.client.get(built[1]).status_code in (403, 405), built

    assert world.client.get("/requeue/bets").status_code == 403  # which rq-dashboard would do
    assert contents(world.redis) == before


def test_pages_offer_no_button_and_say_how_a_job_is_requeued(world: World) -> None:
    for path in ["/0/view/jobs/bets/queued/8/asc/1", "/0/view/jobs/bets/failed/8/asc/1"]:
        page = world.client.get(path).text

        assert ("betcore queue requeue --all" in page) == ("failed" in path)
        assert "betcore queue requeue <%- d.id %>" in page
        for button in ["Compact</a>", "Empty queue</a>", "Delete</", "Requeue All", ">Requeue<"]:
            assert button not in page
    job = world.client.get("/0/view/job/bets-bad-00").text
    assert "betcore queue requeue <%- d.id %>" in job
    assert ">Requeue<" not in job


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


def test_a_prepared_pickle_is_never_unpickled_by_page_or_command(
    world: World, tmp_path: Path
) -> None:
    prepared = pickle.dumps(Prepared(tmp_path / "ran"))
    redis, queue = world.redis, Queue("pickled", connection=world.redis)
    registries = {
        "rq:failed:pickled": "failed",
        "rq:finished:pickled": "done",
        "rq:wip:pickled": "in",
    }
    for name in ["queued", "running", *registries.values()]:
        queue.enqueue("builtins.int", "1", job_id=f"7-{name}", description="by hand")
    make_busy(redis, queue, "pickling-worker")
    for key, name in registries.items():
        redis.zadd(key, {f"7-{name}": time.time() + 3600})
        redis.hset(f"rq:job:7-{name}", "status", "failed")
    for job in redis.keys("rq:job:7-*"):
        redis.hset(job, mapping=dict.fromkeys(["data", "meta", "result", "exc_info"], prepared))
        redis.hset(job, "description", pickle.dumps("by hand"))
    redis.xadd("rq:results:7-failed", {"type": 1, "return_value": base64.b64encode(prepared)})
    redis.hset("rq:worker:pickling-worker", mapping={"state": prepared, "hostname": prepared})
    env = {"REDIS_URL": world.redis_url, "BETCORE_QUEUE_NAME": "pickled"}

    for state in ["queued", "failed", "started", "finished"]:
        assert world.client.get(f"/0/data/jobs/pickled/{state}/8/asc/1.json").status_code == 200
    for path in pages(redis):
        assert world.client.get(path).status_code in (200, 404), path
    for command in [
        "info",
        "suspend",
        "info --json",
        "resume",
        "requeue 7-failed",
        "requeue --all",
    ]:
        settings.cache_clear()
        done = CliRunner(env=env).invoke(app, ["queue", *command.split()])
        assert isinstance(done.exception, NothingRequeued | None), done.exception
    settings.cache_clear()

    assert not (tmp_path / "ran").exists()
    pickle.loads(prepared)  # noqa: S301  # ours: it does what it is prepared to do
    assert (tmp_path / "ran").exists()


def test_what_was_put_into_redis_to_be_too_much_is_not_read(world: World) -> None:
    bomb, redis = zlib.compress(bytes(200_000_000)), world.redis
    queue = Queue("heavy", connection=redis, serializer="json")
    for name in ["data", "exc_info", "result", "fields", "nested", "text"]:
        queue.enqueue("builtins.int", "1", job_id=f"heavy-{name}")
    redis.hset("rq:job:heavy-data", "data", bomb)
    redis.hset("rq:job:heavy-exc_info", "exc_info", bomb)
    redis.xadd("rq:results:heavy-result", {"type": 2, "exc_string": base64.b64encode(bomb)})
    redis.hset("rq:job:heavy-fields", "data", bytes(30_000_000))
    redis.hset("rq:job:heavy-nested", mapping={"data": b"[" * 100_000, "meta": b"[" * 100_000})
    redis.hset("rq:job:heavy-text", mapping={"timeout": "x", "created_at": "y"})
    redis.sadd("rq:workers", "rq:worker:heavy")
    redis.hset("rq:worker:heavy", mapping={"birth": "now", "hostname": bytes(30_000_000)})
    before = memory_of(world)

    ids = [job["id"] for job in listed(world, "heavy")]

    assert {"heavy-data", "heavy-exc_info", "heavy-result", "heavy-nested"} == set(ids)
    for id_ in ids:
        assert world.client.get(f"/0/data/job/{id_}.json").status_code == 200, id_
    for id_ in ["heavy-fields", "heavy-text"]:
        assert world.client.get(f"/0/data/job/{id_}.json").status_code == 404, id_
    assert world.client.get("/0/data/workers.json").status_code == 200
    assert memory_of(world) - before < 60_000
    redis.srem("rq:workers", "rq:worker:heavy")
    redis.delete("rq:worker:heavy", *redis.keys("rq:job:heavy-*"))


def listed(world: World, queue: str) -> list[dict[str, str]]:
    """The jobs of a queue as its page lists them."""
    jobs: list[dict[str, str]] = world.client.get(
        f"/0/data/jobs/{queue}/queued/50/asc/1.json"
    ).json()["jobs"]
    return jobs


def memory_of(world: World) -> int:
    """The most memory that the dashboard has had, in KiB."""
    status = Path(f"/proc/{world.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


class Prepared:
    """Makes a folder wherever its pickle is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)
