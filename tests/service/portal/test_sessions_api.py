"""Sessions by the operator API: opened, shown, listed, extended, closed, once per key."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.audit.log import operation
from models.directory.idempotency import Claim, InProgress, find_answer
from tests.service.portal.caller import Caller, fresh, new_key, problem
from tests.service.support import keys
from tests.service.support.world import World


@pytest.fixture
def asked(provider_id: str) -> dict[str, Any]:
    """The body of a request for a session of a new player."""
    return {"player": fresh(), "currency": "EUR", "providerId": provider_id}


def moment(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def test_a_session_is_opened_and_played_in(
    api: Caller, world: World, asked: dict[str, Any]
) -> None:
    client = world.provider()
    asked |= {"providerId": client.counterparty_id}
    launch = {"game": "book of tests", "language": "pt-BR", "mode": "real"}
    response = api.post(
        "/sessions", **asked, **launch, minBet="0.50", maxBet="1e1", ttlMinutes=30, note="a launch"
    )
    opened = api.done(response, 201)

    assert opened.keys() == {"sessionId", "player", "accountId", "expiresAt", "balance"}
    assert response.headers["location"] == f"/operator/v1/sessions/{opened['sessionId']}"
    assert opened["balance"] == "0"
    left = moment(opened["expiresAt"]) - datetime.now(UTC)
    assert timedelta(minutes=25) < left <= timedelta(minutes=31)
    shown = api.done(api.get(f"/sessions/{opened['sessionId']}"))
    assert shown.items() >= launch.items()
    assert (shown["minBet"], shown["maxBet"], shown["state"]) == ("0.5", "10", "open")
    assert (shown["endedAt"], shown["endReason"]) == (None, None)
    api.done(
        api.post(
            f"/players/{asked['player']}/deposits", currency="EUR", amount="5", reference=fresh()
        )
    )
    bet = {"betId": uuid.uuid4().hex, "betAmount": "1", "winAmount": "0"}
    assert client.pay_in_out(opened["sessionId"], **bet).code == 1
    (entry,) = world.rows(
        "select actor, note, facts ->> 'game' from audit_log where action = 'session.opened'"
        " and subject = %s",
        opened["sessionId"],
    )
    assert entry[0].startswith("key:key-")
    assert entry[0].endswith("@127.0.0.1")
    assert entry[1:] == ("a launch", "book of tests")


@pytest.mark.parametrize(
    ("wrong", "status", "code", "says"),
    [
        ({"mode": "demo"}, 422, "invalid_request", "demo money cannot be kept apart"),
        ({"mode": "test"}, 422, "invalid_request", "mode"),
        ({"providerId": "nobody"}, 404, "not_found", "no provider 'nobody'"),
        ({"currency": "XYZ"}, 422, "unknown_currency", "XYZ"),
        ({"minBet": "2", "maxBet": "1"}, 422, "invalid_request", "above the maximum"),
        ({"minBet": "-0"}, 422, "invalid_request", "minBet"),
        ({"maxBet": "0.001"}, 422, "invalid_request", "2 decimals"),
        ({"maxBet": 1.5}, 422, "invalid_request", "maxBet"),
        ({"minBet": ""}, 422, "invalid_request", "minBet"),
        ({"minBet": "1e999"}, 422, "invalid_request", "minBet"),
        ({"minBet": "-1"}, 422, "invalid_request", "minBet"),
        ({"maxBet": "1000000000000000"}, 422, "invalid_request", "below 10^15"),
        ({"maxBet": "NaN"}, 422, "invalid_request", "maxBet"),
        ({"currency": "JPY", "maxBet": "0.5"}, 422, "invalid_request", "0 decimals"),
        ({"currency": "eur"}, 422, "unknown_currency", "eur"),
        ({"ttlMinutes": 0}, 422, "invalid_request", "ttlMinutes"),
        ({"ttlMinutes": -1}, 422, "invalid_request", "ttlMinutes"),
        ({"ttlMinutes": 527041}, 422, "invalid_request", "ttlMinutes"),
        ({"ttlMinutes": 10**30}, 422, "invalid_request", "ttlMinutes"),
        ({"ttlMinutes": 1.0}, 422, "invalid_request", "ttlMinutes"),
        ({"ttlMinutes": "5"}, 422, "invalid_request", "ttlMinutes"),
        ({"ttlMinutes": True}, 422, "invalid_request", "ttlMinutes"),
        ({"replace": "true"}, 422, "invalid_request", "replace"),
        ({"replace": 1}, 422, "invalid_request", "replace"),
        ({"replace": None}, 422, "invalid_request", "replace"),
        ({"player": ""}, 422, "invalid_request", "player"),
        ({"player": "a\x00"}, 422, "invalid_request", "player"),
        ({"player": "\ud800"}, 422, "invalid_request", "player"),
        ({"player": 7}, 422, "invalid_request", "player"),
        ({"player": None}, 422, "invalid_request", "player"),
        ({"language": "english please"}, 422, "invalid_request", "language"),
        ({"note": "two\nlines"}, 422, "invalid_request", "note"),
        ({"ttl": 5, "provider": "x"}, 422, "invalid_request", "ttl: this field is not known"),
    ],
)
def test_what_cannot_be_opened_names_the_field_and_leaves_nothing(
    api: Caller,
    world: World,
    asked: dict[str, Any],
    wrong: dict[str, Any],
    status: int,
    code: str,
    says: str,
) -> None:
    before = world.rows("select count(*) from player")

    refused = problem(api.post("/sessions", **asked | wrong), status, code)

    assert says in refused["detail"]
    assert world.rows("select count(*) from player") == before


def test_no_session_is_opened_in_which_every_bet_would_be_refused(
    api: Caller, world: World, asked: dict[str, Any]
) -> None:
    asked |= {"providerId": world.provider().counterparty_id}
    once = {"Idempotency-Key": uuid.uuid4().hex}
    provider = f"/providers/{asked['providerId']}"
    for does, undoes, code in (
        (f"{provider}/suspend", f"{provider}/resume", "provider_suspended"),
        (f"{provider}/lock", f"{provider}/unlock", "provider_locked"),
    ):
        api.done(api.post(does))
        problem(api.post("/sessions", once, **asked), 409, code)
        api.done(api.post(undoes))
    problem(api.get(f"/players/{asked['player']}"), 404, "not_found")
    api.done(api.post("/sessions", **asked), 201)
    api.done(api.post(f"/players/{asked['player']}/block"))

    problem(api.post("/sessions", once, **asked), 409, "player_blocked")

    api.done(api.post(f"/players/{asked['player']}/unblock"))
    longest = {"ttlMinutes": 527040, "minBet": "0", "maxBet": "999999999999999.99"}
    opened = api.done(api.post("/sessions", once, **asked, **longest), 201)
    shown = api.done(api.get(f"/sessions/{opened['sessionId']}"))
    assert (shown["minBet"], shown["maxBet"]) == ("0", "999999999999999.99")


def test_a_session_that_replaces_closes_the_one_before_once(
    api: Caller, asked: dict[str, Any]
) -> None:
    old = api.done(api.post("/sessions", **asked, replace=False), 201)
    once = {"Idempotency-Key": uuid.uuid4().hex}

    new = api.done(api.post("/sessions", once, **asked, replace=True), 201)
    again = api.done(api.post("/sessions", once, **asked, replace=True), 201)

    assert new == again
    shown = [api.done(api.get(f"/sessions/{one['sessionId']}")) for one in (old, new)]
    assert [one["state"] for one in shown] == ["closed", "open"]
    assert shown[0]["endReason"] == "closed"


def test_the_same_idempotency_key_gets_the_first_answer_again(
    api: Caller, world: World, asked: dict[str, Any]
) -> None:
    once = {"Idempotency-Key": uuid.uuid4().hex}
    first = api.post("/sessions", once, **asked)
    again = api.post("/sessions", once, **asked)
    other = api.post("/sessions", once, **asked | {"ttlMinutes": 1})
    elsewhere = api.post(f"/players/{asked['player']}/accounts", once, currency="EUR")
    with_another_key = api.with_key(new_key(world, "all")).post("/sessions", once, **asked)

    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.headers["location"] == again.headers["location"]
    problem(other, 422, "idempotency_key_reused")
    problem(elsewhere, 422, "idempotency_key_reused")
    assert api.done(with_another_key, 201)["sessionId"] != first.json()["sessionId"]
    found = api.done(api.get("/sessions", player=asked["player"]))["items"]
    assert len(found) == 2


def test_a_failed_request_does_not_use_up_its_idempotency_key(
    api: Caller, asked: dict[str, Any]
) -> None:
    once = {"Idempotency-Key": uuid.uuid4().hex}
    problem(api.post("/sessions", once, **asked | {"currency": "XYZ"}), 422, "unknown_currency")

    assert api.post("/sessions", once, **asked).status_code == 201


def test_equal_creations_at_once_make_one_session(api: Caller, asked: dict[str, Any]) -> None:
    once = {"Idempotency-Key": uuid.uuid4().hex}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.post("/sessions", once, **asked), range(8)))

    made = {one.json()["sessionId"] for one in answers if one.status_code == 201}
    assert len(made) == 1
    for one in answers:
        if one.status_code != 201:
            problem(one, 409, "idempotency_key_in_progress")
            assert one.headers["retry-after"] == "1"
    assert len(api.done(api.get("/sessions", player=asked["player"]))["items"]) == 1


def test_a_request_in_progress_refuses_its_repeat(
    api: Caller, world: World, asked: dict[str, Any]
) -> None:
    once = uuid.uuid4().hex
    key_id = int(api.key.split("_")[1])
    with operation(world.operator_url, keys.AUTHOR) as database:
        assert find_answer(database, Claim(key_id, once, b"f" * 32)) is None
        refused = api.post("/sessions", {"Idempotency-Key": once}, **asked)
        with pytest.raises(InProgress), operation(world.operator_url, keys.AUTHOR) as other:
            find_answer(other, Claim(key_id, once, b"f" * 32))

    problem(refused, 409, "idempotency_key_in_progress")
    assert api.post("/sessions", {"Idempotency-Key": once}, **asked).status_code == 201


@pytest.mark.parametrize("name", ["", "a\x01", "a b", "a" * 256])
def test_an_idempotency_key_that_cannot_be_kept_is_refused(
    api: Caller, asked: dict[str, Any], name: str
) -> None:
    refused = api.post("/sessions", {"Idempotency-Key": name}, **asked)
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_session_is_extended_until_it_ends(
    api: Caller, world: World, asked: dict[str, Any]
) -> None:
    session = api.done(api.post("/sessions", **asked, ttlMinutes=10), 201)
    path = f"/sessions/{session['sessionId']}"

    longer = api.done(api.post(f"{path}/extend", ttlMinutes=60))
    shorter = api.done(api.post(f"{path}/extend", ttlMinutes=5))
    longest = api.done(api.post(f"{path}/extend", ttlMinutes=90))

    assert moment(session["expiresAt"]) < moment(longer["expiresAt"])
    assert shorter["expiresAt"] == longer["expiresAt"] < longest["expiresAt"]
    assert shown_by_audit(world, session["sessionId"]) == longest["expiresAt"]
    closed = api.done(api.post(f"{path}/close", note="done"))
    assert (closed["state"], closed["endReason"]) == ("closed", "closed")
    assert closed["endedAt"] == closed["closedAt"]
    assert api.done(api.send(f"{path}/close", b""))["closedAt"] == closed["closedAt"]
    problem(api.post(f"{path}/extend", ttlMinutes=60), 409, "ended")
    for of in ("close", "extend"):
        problem(api.post(f"/sessions/nothing/{of}"), 404, "not_found")


def test_a_session_that_expired_says_so_and_cannot_be_extended(
    api: Caller, world: World, asked: dict[str, Any]
) -> None:
    session = api.done(api.post("/sessions", **asked), 201)
    path = f"/sessions/{session['sessionId']}"
    world.execute("update session set expires_at = now() where id = %s", session["sessionId"])

    shown = api.done(api.get(path))

    assert (shown["state"], shown["endReason"]) == ("expired", "expired")
    assert shown["endedAt"] == shown["expiresAt"]
    problem(api.post(f"{path}/extend", ttlMinutes=60), 409, "ended")
    world.execute(
        "update session set expires_at = %s where id = %s",
        session["expiresAt"],
        session["sessionId"],
    )


def test_sessions_come_in_pages_that_miss_none_and_repeat_none(
    api: Caller, asked: dict[str, Any]
) -> None:
    made = [api.done(api.post("/sessions", **asked), 201)["sessionId"] for _ in range(5)]
    api.done(api.post(f"/sessions/{made[0]}/close"))
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.done(api.get("/sessions", player=asked["player"], limit=2, **cursor))
        found += [one["sessionId"] for one in page["items"]]
        assert len(page["items"]) <= 2
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    assert found == made[::-1]
    still_open = api.done(api.get("/sessions", player=asked["player"], state="open"))
    assert [one["sessionId"] for one in still_open["items"]] == made[:0:-1]
    problem(api.get("/sessions", player=fresh("nobody")), 404, "not_found")


def shown_by_audit(world: World, session_id: str) -> str:
    """The newest end of a session in the audit log."""
    return str(
        world.rows(
            "select facts ->> 'expiresAt' from audit_log where action = 'session.extended'"
            " and subject = %s order by id desc limit 1",
            session_id,
        )[0][0]
    )
