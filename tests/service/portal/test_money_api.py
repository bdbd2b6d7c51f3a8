"""Deposits and withdrawals by the operator API: once per reference, and no answer that lies."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from models.audit.log import operation
from models.commands import Deposit
from models.directory.accounts import order_cash
from tests.service.portal.caller import Caller, fresh, new_key, problem
from tests.service.support import keys
from tests.service.support.processes import PortalProcess, until
from tests.service.support.world import World, new_world


def move(api: Caller, player: str, kind: str, amount: Any, **more: Any) -> Any:
    """Deposit or withdraw euros, with a reference of its own unless one is given."""
    body = {"currency": "EUR", "amount": amount, "reference": fresh("r")} | more
    return api.post(f"/players/{quote(player, safe='')}/{kind}s", **body)


def test_money_comes_and_goes_and_is_shown(api: Caller, world: World) -> None:
    player = fresh()

    put = api.done(move(api, player, "deposit", "12.50", note="by card"))
    taken = api.done(move(api, player, "withdrawal", "2.25"))

    assert (put["status"], put["balance"], put["amount"]) == ("committed", "12.5", "12.5")
    assert taken["balance"] == "10.25"
    assert api.done(api.get(f"/players/{player}"))["accounts"] == [
        {"accountId": put["accountId"], "currency": "EUR", "balance": "10.25"}
    ]
    for kind, done in (("deposits", put), ("withdrawals", taken)):
        place = f"/players/{player}/{kind}/{quote(done['reference'], safe='')}"
        assert api.done(api.get(place)) == done
    other = f"/players/{player}/withdrawals/{quote(put['reference'], safe='')}"
    problem(api.get(other), 404, "not_found")
    (entry,) = world.rows(
        "select note from audit_log where action = 'deposit.requested'"
        " and facts ->> 'reference' = %s",
        put["reference"],
    )
    assert entry == ("by card",)


@pytest.mark.parametrize("kind", ["deposit", "withdrawal"])
def test_a_reference_moves_money_once_however_often_and_at_once(api: Caller, kind: str) -> None:
    player, reference = fresh(), fresh("r")
    api.done(move(api, player, "deposit", "50"))

    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: move(api, player, kind, "10.0", reference=reference), range(6))
        )

    assert len({answer.content for answer in answers}) == 1
    assert api.done(answers[0])["balance"] == {"deposit": "60", "withdrawal": "40"}[kind]
    refused = move(api, player, kind, "11", reference=reference)
    assert reference in problem(refused, 409, "reference_conflict")["detail"]
    problem(move(api, fresh(), "deposit", "10", reference=reference), 409, "reference_conflict")
    account = api.done(api.get(f"/players/{player}"))["accounts"][0]
    assert account["balance"] == api.done(answers[0])["balance"]


def test_an_idempotency_key_stands_for_one_movement(api: Caller) -> None:
    player, once = fresh(), {"Idempotency-Key": uuid.uuid4().hex}
    path = f"/players/{player}/deposits"
    body = {"currency": "EUR", "amount": "3", "reference": fresh("r")}

    first, again = api.post(path, once, **body), api.post(path, once, **body)

    assert api.done(first) == api.done(again)
    other = api.post(path, once, **body | {"reference": fresh("r")})
    problem(other, 422, "idempotency_key_reused")
    assert api.done(api.get(f"/players/{player}"))["accounts"][0]["balance"] == "3"


def test_what_the_balance_does_not_cover_moves_nothing(api: Caller) -> None:
    player, reference = fresh(), fresh("r")
    api.done(move(api, player, "deposit", "10.5"))

    refused = move(api, player, "withdrawal", "10.51", reference=reference)

    assert problem(refused, 409, "insufficient_funds")["balance"] == "10.5"
    api.done(move(api, player, "deposit", "0.01"))
    assert api.done(move(api, player, "withdrawal", "10.51", reference=reference))["balance"] == "0"


@pytest.mark.parametrize("kind", ["deposit", "withdrawal"])
@pytest.mark.parametrize(
    "wrong",
    [
        *({"amount": amount} for amount in ("-0", "-1", "0", "0.00", "1.001", "1e15", "", " 1")),
        *({"amount": amount} for amount in ("NaN", "Infinity", "1,5", "+1", "0x1", "1" * 400)),
        *({"amount": amount} for amount in (1, 1.5, -0.0, 1e3, True, None, ["1"], {"a": 1})),
        *({"reference": name} for name in ("", "a\x00", "\ud800", "a" * 129, 5, None)),
        *({"currency": code} for code in ("", "eur", "XYZ", "E", 5, None)),
        {"note": ""},
        {"balance": "5"},
    ],
)
def test_what_cannot_be_moved_is_refused_and_leaves_nothing(
    api: Caller, world: World, kind: str, wrong: dict[str, Any]
) -> None:
    before = world.rows("select count(*), (select count(*) from audit_log) from player")
    response = move(api, fresh(), kind, **{"amount": "1"} | wrong)

    code = "unknown_currency" if response.json()["code"] == "unknown_currency" else ""
    if kind == "withdrawal" and response.status_code == 404:
        problem(response, 404, "not_found")  # whose account there is not
    else:
        problem(response, 422, code or "invalid_request")
    assert world.rows("select count(*), (select count(*) from audit_log) from player") == before


def test_an_exponent_counts_as_in_the_wallet(api: Caller) -> None:
    assert api.done(move(api, fresh(), "deposit", "1e3"))["balance"] == "1000"


@pytest.mark.parametrize(
    "player", ["a/b", "a%2Fb", "ü 名", "..", "a?b#c&d", "%", "'; drop table player", "a\\b", "+"]
)
def test_a_player_may_have_any_name(api: Caller, player: str) -> None:
    path = f"/players/{quote(player, safe='').replace('.', '%2E')}"
    reference = f"{player} {fresh()}"

    put = api.done(api.post(f"{path}/deposits", currency="EUR", amount="1", reference=reference))

    assert put["player"] == player
    assert api.done(api.get(path))["player"] == player
    place = f"{path}/deposits/{quote(reference, safe='').replace('.', '%2E')}"
    assert api.done(api.get(place)) == put


@pytest.mark.parametrize("player", ["%00", "%ff", "a%0Ab", "%ED%A0%80", ""])
def test_a_player_whose_name_is_no_text_is_not_found(api: Caller, player: str) -> None:
    problem(api.get(f"/players/{player}"), 404, "not_found")
    body = {"currency": "EUR", "amount": "1", "reference": fresh("r")}
    problem(api.post(f"/players/{player}/deposits", **body), 404, "not_found")


def test_without_a_worker_the_place_to_ask_tells_what_became_of_the_money() -> None:
    quick = {"BETCORE_PORTAL_CASH_WITHIN_SECONDS": "0.1"}
    with new_world() as world, PortalProcess(world.urls, **quick) as portal:
        portal.wait_ready()
        with operation(world.operator_url, keys.AUTHOR) as database:
            order_cash(database, Deposit, "ann", "EUR", "1", "forgotten")
        caller = Caller(portal.url, new_key(world, "money"))
        reference = "a/1"

        accepted = move(caller, "ann", "deposit", "5", reference=reference)

        assert accepted.status_code == 202
        place = "/operator/v1/players/ann/deposits/a%2F1"
        assert accepted.headers["location"] == place
        assert accepted.headers["retry-after"] == "1"
        pending = caller.done(caller.get("/players/ann/deposits/a%2F1"))
        assert pending == accepted.json()
        assert (pending["status"], pending["transferId"]) == ("pending", None)
        world.worker()
        until(lambda: move(caller, "ann", "deposit", "5", reference=reference).status_code == 200)
        done = caller.done(caller.get("/players/ann/deposits/a%2F1"))
        assert (done["status"], done["balance"]) == ("committed", "5")
        _make_requests_older(world)
        forgotten = caller.done(caller.get("/players/ann/deposits/forgotten"))
        assert (forgotten["status"], forgotten["balance"]) == ("not_committed", None)
        caller.http.close()


def test_a_portal_that_is_killed_meanwhile_moves_money_once() -> None:
    slow = {"BETCORE_PORTAL_CASH_WITHIN_SECONDS": "60"}
    with new_world() as world:
        with PortalProcess(world.urls, **slow) as portal, ThreadPoolExecutor() as pool:
            portal.wait_ready()
            caller = Caller(portal.url, new_key(world, "money"))
            first = pool.submit(move, caller, "ann", "deposit", "5", reference="once")
            until(lambda: world.redis.exists("rq:queue:bets") == 1)
            portal.kill()
            assert first.exception() is not None
            caller.http.close()
        world.worker()
        with PortalProcess(world.urls, **slow) as portal:
            portal.wait_ready()
            caller = Caller(portal.url, caller.key)
            done = caller.done(move(caller, "ann", "deposit", "5", reference="once"))
            assert done["balance"] == "5"
            caller.http.close()
        assert world.rows("select count(*) from transfer") == [(1,)]


def _make_requests_older(world: World) -> None:
    world.execute("alter table audit_log disable trigger user")
    world.execute("update audit_log set created_at = created_at - interval '1 hour'")
