"""What the operator API refuses, and how: always by problem details, never by a fault."""

import base64
import json
import uuid
from typing import Any

import httpx
import pytest

from tests.service.portal.caller import JSON, Caller, fresh, problem
from tests.service.support.processes import PortalProcess


@pytest.mark.parametrize("path", ["/nothing", "/players/a/b", "/sessions/", "/", "", "/../readyz"])
def test_a_path_that_does_not_exist_is_not_found(api: Caller, path: str) -> None:
    problem(api.get(path), 404, "not_found")


def test_a_method_that_a_path_does_not_have_names_those_it_has(
    api: Caller, portal: PortalProcess
) -> None:
    for path, allowed in (("/players/ann", {"GET", "HEAD"}), ("/players/ann/block", {"POST"})):
        for method in ("DELETE", "PUT", "PATCH", "OPTIONS"):
            refused = httpx.request(method, f"{portal.url}/operator/v1{path}")
            problem(refused, 405, "method_not_allowed")
            assert set(refused.headers["allow"].split(", ")) == allowed
    head = httpx.head(
        f"{portal.url}/operator/v1/players", headers={"Authorization": f"Bearer {api.key}"}
    )
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"a"',
        b"null",
        b"\xff",
        b'{"player": "a", "player": "b"}',
        b"{" * 9000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(api: Caller, body: bytes) -> None:
    problem(api.send("/sessions", body), 400, "invalid_json")


@pytest.mark.parametrize("value", [b"NaN", b"1" * 5000, b"-Infinity", b"1e999", b"[[[[1]]]]"])
def test_a_value_that_no_field_may_have_is_refused(api: Caller, value: bytes) -> None:
    problem(api.send("/sessions", b'{"ttlMinutes":' + value + b"}"), 422, "invalid_request")


def test_a_body_of_another_media_type_or_too_long_is_refused(api: Caller) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        refused = api.send("/sessions", b"{}", {"Content-Type": kind})
        problem(refused, 415, "unsupported_media_type")
    accepted = api.send("/sessions", b"{}", {"Content-Type": f"{JSON}; charset=utf-8"})
    problem(accepted, 422, "invalid_request")
    problem(api.send("/sessions", b" " * 20_000), 413, "body_too_large")
    chunked = api.http.post(
        f"{api.url}/operator/v1/sessions",
        content=iter([b" " * 20_000]),
        headers={"Authorization": f"Bearer {api.key}", "Content-Type": JSON},
    )
    problem(chunked, 413, "body_too_large")


def test_every_wrong_field_is_named_at_once(api: Caller) -> None:
    refused = problem(
        api.post("/sessions", player=5, ttlMinutes=0, colour="red"), 422, "invalid_request"
    )

    named = {fault["field"] for fault in refused["errors"]}
    assert named == {"player", "currency", "providerId", "ttlMinutes", "colour"}
    assert all(name in refused["detail"] for name in named)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=99999999999999999999",
        "limit=-1",
        "limit=1.5",
        "limit=",
        "limit=%00",
        "limit=1&limit=2",
        "limits=5",
        "state=ended",
        "player=%00",
        "player=%ff",
        "cursor=",
        "cursor=%00",
        "cursor=AAAA",
        f"cursor={'A' * 5000}",
    ],
)
def test_a_query_with_a_wrong_value_or_name_is_refused(api: Caller, query: str) -> None:
    problem(api.get(f"/sessions?{query}"), 422, "invalid_request")


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2026-01-01"},
        {"since": "2026-01-01T00:00:00"},
        {"since": "1767225600"},
        {"since": "2026-13-01T00:00:00Z"},
        {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
    ],
)
def test_a_period_without_zone_or_in_the_wrong_order_is_refused(
    api: Caller, query: dict[str, str]
) -> None:
    problem(api.get("/reports/house", **query), 422, "invalid_request")


def test_a_cursor_is_of_one_list_with_one_filter_and_cannot_be_made(
    api: Caller, provider_id: str
) -> None:
    asked = {"player": fresh(), "currency": "EUR", "providerId": provider_id}
    for _ in range(3):
        api.done(api.post("/sessions", **asked), 201)
    of_player = {"player": asked["player"]}
    cursor = api.done(api.get("/sessions", limit=1, **of_player))["next"]
    assert cursor.isascii()

    assert len(api.done(api.get("/sessions", cursor=cursor, limit=50, **of_player))["items"]) == 2
    for path, query in (("/sessions", {}), ("/sessions", {**of_player, "state": "open"})):
        problem(api.get(path, cursor=cursor, **query), 422, "invalid_request")
    problem(api.get("/players", cursor=cursor), 422, "invalid_request")
    for changed in tampered(cursor):
        problem(api.get("/sessions", cursor=changed, **of_player), 422, "invalid_request")


def tampered(cursor: str) -> list[str]:
    """The cursor with each byte of a few changed, cut, and with a position of somebody's own."""
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    places = (0, 8, 16, 20, len(raw) - 1)
    changed = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in places]
    own = json.dumps({"before": "infinity", "before_id": "", "player": None}).encode()
    changed += [raw[:-1], raw[:16], raw[16:], raw[:16] + own, bytes(16) + own]
    return [base64.urlsafe_b64encode(one).decode().rstrip("=") for one in changed]


@pytest.mark.parametrize(
    "path",
    ["/providers/{}/suspend", "/providers/{}/secrets", "/providers/{}/secrets/1/revoke"],
)
def test_a_provider_that_does_not_exist_is_not_found(api: Caller, path: str) -> None:
    for name in (uuid.uuid4().hex, "%2F", "%00", "🂡"):
        problem(api.post(path.format(name)), 404, "not_found")


@pytest.mark.parametrize("secret", ["0", "-1", "x", "99999999999999999999", "1.0", "²"])
def test_a_secret_that_does_not_exist_is_not_found(
    api: Caller, provider_id: str, secret: str
) -> None:
    path = f"/providers/{provider_id}/secrets/{secret}/revoke"
    problem(api.post(path), 404, "not_found")


def test_a_change_with_a_query_is_refused(api: Caller) -> None:
    problem(api.send("/players/ann/block?note=x", b""), 422, "invalid_request")


def test_answers_are_not_cached(api: Caller) -> None:
    response: Any = api.get("/players")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == JSON
