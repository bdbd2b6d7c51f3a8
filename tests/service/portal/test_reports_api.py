"""Players, providers and reports by the operator API: what is told is what is recorded."""

import csv
import io
import uuid
from typing import Any

import pytest

from models.reports.vitals import record_done
from models.times import utc
from tests.service.portal.caller import Caller, fresh, problem
from tests.service.support.client import ProviderClient
from tests.service.support.world import PlayerSession, World


@pytest.fixture
def client(world: World) -> ProviderClient:
    """A new provider."""
    return world.provider()


@pytest.fixture
def played(world: World, client: ProviderClient) -> tuple[str, PlayerSession]:
    """A player who has bet three times: 1000, then 999, 999 and 1003.5 euros."""
    player = fresh()
    session = world.open_session(client, player=player)
    for bet_id, stake, win in (("=1", 1, 0), ("two", 2, 2), ("three", "0.5", 5)):
        assert session.pay_in_out(stake, win, betId=bet_id).code == 1
    return player, session


def test_a_statement_in_pages_equals_the_statement_as_csv(
    api: Caller, played: tuple[str, PlayerSession]
) -> None:
    player, session = played
    path = f"/players/{player}/statement"
    lines: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.done(api.get(path, currency="EUR", limit=2, **cursor))
        assert (page["openingBalance"], page["closingBalance"]) == ("0", "1003.5")
        lines += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
        if len(lines) == 2:  # later transfers are in no page of this reading
            assert session.pay_in_out(1, 0).code == 1

    assert [line["amount"] for line in lines] == ["1000", "-1", "0", "-2", "2", "-0.5", "5"]
    assert [line["balanceAfter"] for line in lines][-1] == "1003.5"
    response = api.get(path, currency="EUR", format="csv", until=lines[-1]["createdAt"])
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    # A pay-in-out makes two transfers at one moment, at which the period ends.
    assert [row["transferId"] for row in rows] == [line["transferId"] for line in lines[:-2]]
    assert {row["betId"] for row in rows} >= {"'=1", "two"}
    problem(api.get(path, currency="SEK"), 404, "not_found")
    problem(api.get(path, currency="SEK", format="csv"), 404, "not_found")
    problem(api.get(path), 422, "invalid_request")


def test_a_blocked_player_cannot_bet_until_it_is_unblocked(
    api: Caller, played: tuple[str, PlayerSession]
) -> None:
    player, session = played

    blocked = api.done(api.post(f"/players/{player}/block", note="asked for a pause"))
    assert blocked["status"] == "blocked"
    assert session.pay_in_out(1).code == 5
    found = api.done(api.get("/players", status="blocked", limit=500))
    assert player in {one["player"] for one in found["items"]}
    assert api.done(api.send(f"/players/{player}/unblock", b""))["status"] == "active"
    assert session.pay_in_out(1).code == 1
    entries = api.done(api.get("/audit", subject=f"player:{player}", limit=2))
    assert [one["action"] for one in entries["items"]] == ["player.unblocked", "player.blocked"]
    assert [one["note"] for one in entries["items"]] == [None, "asked for a pause"]
    problem(api.get("/audit", subject="nothing"), 422, "invalid_request")


def test_a_bet_is_found_with_its_transfers(
    api: Caller, client: ProviderClient, played: tuple[str, PlayerSession]
) -> None:
    _, session = played
    asked = {"providerId": client.counterparty_id}

    (bet,) = api.done(api.get("/bets", betId="three", **asked))["items"]

    assert (bet["betAmount"], bet["winAmount"], bet["state"]) == ("0.5", "5", "settled")
    assert [one["kind"] for one in bet["transfers"]] == ["stake", "win"]
    assert bet["sessionId"] == session.session_id
    assert api.done(api.get("/bets", betId="none", **asked)) == {"items": [], "next": None}
    problem(api.get("/bets", betId="three", providerId="nobody"), 404, "not_found")


def test_the_result_of_the_house_and_its_open_bets(
    api: Caller, client: ProviderClient, played: tuple[str, PlayerSession]
) -> None:
    player, session = played
    asked = {"providerId": client.counterparty_id}
    (day,) = api.done(api.get("/reports/house", **asked))["items"]
    assert day["game"] is None
    assert (day["bets"], day["stakes"], day["wins"], day["result"]) == (3, "3.5", "7", "-3.5")
    rows = list(csv.DictReader(io.StringIO(api.get("/reports/house", format="csv", **asked).text)))
    assert [row["result"] for row in rows] == ["-3.5"]

    ids = [uuid.uuid4().hex for _ in range(3)]
    for bet_id in ids:
        assert session.call("pay-in", bet_id, betAmount=1).code == 1
    first = api.done(api.get("/reports/open-bets", limit=2, **asked))
    rest = api.done(api.get("/reports/open-bets", limit=2, cursor=first["next"], **asked))
    assert [one["betId"] for one in first["items"] + rest["items"]] == ids
    assert {one["player"] for one in rest["items"]} == {player}
    text = api.get("/reports/open-bets", format="csv", **asked).text
    assert [row["betId"] for row in csv.DictReader(io.StringIO(text))] == ids
    older = api.done(api.get("/reports/open-bets", olderThan="5m", **asked))
    assert older == {"items": [], "next": None}


def test_a_provider_is_suspended_and_its_secret_replaced(
    api: Caller, client: ProviderClient, played: tuple[str, PlayerSession]
) -> None:
    _, session = played
    path = f"/providers/{client.counterparty_id}"
    assert api.done(api.post(f"{path}/suspend"))["status"] == "suspended"
    assert session.pay_in_out(1).code == 5
    assert api.done(api.post(f"{path}/resume"))["status"] == "active"

    once = {"Idempotency-Key": uuid.uuid4().hex}
    problem(api.post(f"{path}/secrets", once), 400, "idempotency_key_not_supported")
    made = api.done(api.post(f"{path}/secrets"), 201)
    shown = api.done(api.get(f"{path}/secrets"))["items"]
    assert [one["revokedAt"] for one in shown] == [None, None]
    assert all("secret" not in one for one in shown)
    old = shown[0]["secretId"]
    revoked = api.done(api.post(f"{path}/secrets/{old}/revoke"))
    assert revoked["revokedAt"] is not None
    known = api.done(api.get(path))
    assert (known["activeSecrets"], known["providerId"]) == (1, client.counterparty_id)
    assert {one["secretId"] for one in known["secrets"]} == {old, made["secretId"]}
    assert client.counterparty_id in {
        one["providerId"] for one in api.done(api.get("/providers"))["items"]
    }


def test_the_ledgers_state_tells_when_it_was_last_verified_and_sealed(
    world: World, api: Caller
) -> None:
    world.execute("delete from last_done")
    nothing = {"verifiedAt": None, "sealedAt": None, "backedUpAt": None}
    assert api.done(api.get("/ledger")) == nothing
    record_done(world.operator_url, "seal")

    told = api.done(api.get("/ledger"))

    [(sealed_at,)] = world.rows("select done_at from last_done")
    assert told == nothing | {"sealedAt": utc(sealed_at)}
