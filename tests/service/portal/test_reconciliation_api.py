"""A provider's list is uploaded and compared. It may be long, and is never kept in memory."""

import contextlib
import csv
import io
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from api.operator.routes import ROUTES
from api.portal.app import ROOMS
from tests.service.portal.caller import JSON, Caller, new_key, problem
from tests.service.support.processes import PortalProcess
from tests.service.support.world import World

CSV = "text/csv; charset=utf-8"
LIMIT = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def played(world: World) -> str:
    """The id of a provider with three bets."""
    client = world.provider()
    session = world.open_session(client)
    for bet_id, stake, win in (("one", 1, 0), ("two", 2, "3.5"), ("three", 3, 0)):
        assert session.pay_in_out(stake, win, betId=bet_id).code == 1
    return client.counterparty_id


@pytest.fixture(scope="module")
def uploading(world: World) -> Iterator[PortalProcess]:
    """A portal that takes lists of 3 MiB, and waits 3 s for each part."""
    limits = {
        "BETCORE_PORTAL_UPLOAD_BYTES_MAX": str(LIMIT),
        "BETCORE_REQUEST_ARRIVES_WITHIN_SECONDS": "3",
    }
    with PortalProcess(world.urls, **limits) as started:
        started.wait_ready()
        yield started


@pytest.fixture(scope="module")
def api(world: World, uploading: PortalProcess) -> Iterator[Caller]:
    caller = Caller(uploading.url, new_key(world, "reports"))
    yield caller
    caller.http.close()


def sent(api: Caller, body: Any, kind: str = CSV, **query: Any) -> Any:
    """The answer to an upload."""
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return api.send(f"/reports/reconciliation?{words}", body, {"Content-Type": kind})


SAME_CSV = b"betId,stake,win\r\none,1,\r\ntwo,2.00,3.5\r\nthree,3,0\r\n"
OTHER_CSV = b"betId,stake,win\none,1,\ntwo,2,4\nnew,1,1\nbad,x,\n"
OTHER_JSON = [
    {"betId": "one", "stake": "1", "win": None},
    {"betId": "two", "stake": 2.0, "win": "4"},
    {"betId": "new", "stake": 1, "win": 1},
    {"betId": "bad", "stake": "x", "win": 0},
]


def test_a_list_that_agrees_has_no_difference(api: Caller, played: str) -> None:
    for body, kind in (
        (SAME_CSV, CSV),
        (b"\xef\xbb\xbf" + SAME_CSV, CSV),
        (iter([SAME_CSV[:9], SAME_CSV[9:]]), CSV),
        (b'[{"betId":"one"},{"betId":"two"} , {"betId":"three"}]\n', JSON),
    ):
        report = api.done(sent(api, body, kind, providerId=played))
        counts = [report[name] for name in ("missingHere", "missingThere", "differing", "badLines")]
        assert (report["ok"], report["listed"], counts) == (True, 3, [0, 0, 0, 0])


def test_a_list_in_csv_and_in_json_gives_the_same_differences(api: Caller, played: str) -> None:
    for body, kind in ((OTHER_CSV, CSV), (json.dumps(OTHER_JSON).encode(), JSON)):
        report = api.done(sent(api, body, kind, providerId=played))
        assert (report["ok"], report["providerId"], report["listed"]) == (False, played, 4)
        counts = [report[name] for name in ("missingHere", "missingThere", "differing", "badLines")]
        assert counts == [1, 1, 1, 1]
        found = {one["betId"]: one for one in report["differences"]}
        assert found["two"]["what"] == "win"
        assert (found["two"]["winThere"], found["two"]["winHere"]) == ("4", "3.5")
        kinds = {name: one["difference"] for name, one in found.items()}
        assert kinds == {
            "two": "differs",
            "new": "missing_here",
            "bad": "bad_line",
            "three": "missing_there",
        }
        shown = api.done(sent(api, body, kind, providerId=played, limit=1))
        assert (len(shown["differences"]), shown["missingThere"]) == (1, 1)
        text = sent(api, body, kind, providerId=played, format="csv").text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert {row["betId"]: row["difference"] for row in rows} == kinds
        early = api.done(sent(api, body, kind, providerId=played, until="2026-01-01T00:00:00Z"))
        assert early["missingThere"] == 0


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"", CSV, "must name betId"),
        (b"stake,win\n1,2\n", CSV, "must name betId"),
        (b"betId,betId\n", CSV, "twice"),
        (b"betId\n\xff\n", CSV, "not UTF-8"),
        (b"betId\n" + b"a\n" * 100_000 + b"\xff\n", CSV, "not UTF-8"),
        (b"", JSON, "not a whole JSON array"),
        (b"{}", JSON, "not a JSON array"),
        (b'{"bets":[]}', JSON, "not a JSON array"),
        (b"[1]", JSON, "not a JSON array"),
        (b'[{"betId":"one"},]', JSON, "not a JSON array"),
        (b'[{"betId":"one"} {"betId":"two"}]', JSON, "not a JSON array"),
        (b'[{"betId":"one"}', JSON, "not a whole JSON array"),
        (b'[{"betId":"one"}] x', JSON, "follows"),
        (b'[{"betId":"one","betId":"two"}]', JSON, "twice"),
        (b'[{"bet":"one"}]', JSON, "must have betId"),
        (b'[{"betId":"' + b"a" * 100_000, JSON, "not a whole JSON array"),
        (b"[" * 100_000, JSON, "not a JSON array"),
        (b'[{"betId":' + b"[" * 20_000, JSON, "not a whole JSON array"),
    ],
)
def test_what_is_no_list_says_why(
    api: Caller, played: str, body: bytes, kind: str, says: str
) -> None:
    for form in ("json", "csv"):
        refused = sent(api, body, kind, providerId=played, format=form)
        assert says in problem(refused, 422, "invalid_request")["detail"]


def test_a_bet_of_other_fields_or_types_is_a_bad_line(api: Caller, played: str) -> None:
    for item in (
        {"betId": "two"},
        {"betId": 2, "stake": "2"},
        {"betId": "two", "stake": True},
        {"betId": "two", "stake": [2]},
        {"betId": "two", "stake": -2},
        {"betId": "two\0", "stake": "2"},
    ):
        body = json.dumps([{"betId": "one", "stake": "1"}, item]).encode()
        report = api.done(sent(api, body, JSON, providerId=played))
        assert (report["badLines"], report["listed"]) == (1, 2), item


def test_who_may_upload_and_what(api: Caller, world: World, played: str) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        refused = sent(api, SAME_CSV, kind, providerId=played)
        assert "text/csv" in problem(refused, 415, "unsupported_media_type")["detail"]
    problem(sent(api, SAME_CSV, providerId="nobody"), 404, "not_found")
    problem(sent(api, SAME_CSV), 422, "invalid_request")
    problem(sent(api, SAME_CSV, providerId=played, since="soon"), 422, "invalid_request")
    reader = api.with_key(new_key(world, "read"))
    assert reader.done(sent(reader, SAME_CSV, providerId=played))["ok"] is True
    other = api.with_key(new_key(world, "players"))
    problem(sent(other, SAME_CSV, providerId=played), 403, "scope_missing")
    problem(sent(api.with_key("wrong"), SAME_CSV, providerId=played), 401, "unauthorized")


def test_a_long_list_is_compared_and_one_above_the_limit_is_refused(
    api: Caller, played: str
) -> None:
    line = b"%032d,1,0\n"
    head, rest = b"betId,stake,win\n", [line % number for number in range(60_000)]
    long = head + b"".join(rest)
    assert 2 * 1024 * 1024 < len(long) < LIMIT
    for body in (
        long,
        iter([head, *(b"".join(rest[at : at + 5000]) for at in range(0, 60_000, 5000))]),
    ):
        report = api.done(sent(api, body, providerId=played))
        assert (report["listed"], report["missingHere"]) == (60_000, 60_000)
        assert len(report["differences"]) == 1000

    for body in (long * 2, iter([long, long])):
        refused = sent(api, body, providerId=played)
        assert str(LIMIT) in problem(refused, 413, "body_too_large")["detail"]


def test_an_upload_that_stops_is_ended_and_the_portal_goes_on(
    api: Caller, uploading: PortalProcess, played: str
) -> None:
    host, _, port = uploading.url.removeprefix("http://").partition(":")
    head = (
        f"POST /operator/v1/reports/reconciliation?providerId={played} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {api.key}\r\nContent-Type: text/csv\r\nContent-Length: 999\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as stalled:
        stalled.sendall(f"{head}betId\n".encode())
        with socket.create_connection((host, int(port))) as early:
            early.sendall(f"{head}betId\n".encode())
            early.shutdown(socket.SHUT_WR)
            answer = early.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in answer
        assert api.done(sent(api, SAME_CSV, providerId=played))["ok"] is True
        with contextlib.suppress(ConnectionResetError):
            assert stalled.recv(1) == b""


def test_the_server_streams_what_the_table_calls_an_upload() -> None:
    uploads = tuple(route.path for route in ROUTES if route.upload)
    assert ROOMS["operator"].streamed == uploads != ()
    assert not any("{" in path for path in uploads)
