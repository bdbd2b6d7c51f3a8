"""Promises of the sandbox's API: a provider makes all it needs itself, and reaches nothing else."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from models.audit.verify import Asked, verify
from tests.service.portal.caller import new_key, problem
from tests.service.sandbox.newcomer import Newcomer, Sandbox
from tests.service.support import keys
from tests.service.support.processes import GatewayProcess, PortalProcess


def test_a_newcomer_has_its_first_bet_after_two_calls(newcomer: Newcomer) -> None:
    session = newcomer.done("POST", "/sessions", 201)
    assert session["player"].startswith(f"{newcomer.id}:")
    assert (session["currency"], session["balance"]) == ("EUR", "1000")
    fields = {"betId": "1", "betAmount": "10", "winAmount": "25", "userId": session["player"]}
    answer = newcomer.client.pay_in_out(session["sessionId"], **fields)
    assert (answer.status, answer.body["balance"]) == (200, Decimal(1015))


def test_a_session_has_what_was_asked_for_it(newcomer: Newcomer) -> None:
    first = newcomer.done("POST", "/sessions", 201, player="ann", balance="5")
    again = newcomer.done(
        *("POST", "/sessions", 201),
        player=first["player"],
        balance="7.25",
        minBet="1",
        maxBet="2",
    )
    assert again["accountId"] == first["accountId"]
    assert again["balance"] == "7.25"
    lower = newcomer.done("POST", "/sessions", 201, player="ann", balance="1")
    assert lower["balance"] == "7.25"
    refused = newcomer.client.pay_in_out(again["sessionId"], betId="1", betAmount=3, winAmount=0)
    assert (refused.code, refused.body["reason"]) == (5, "above_limit")


def test_a_provider_gives_money_and_ends_blocks_suspends_and_limits(newcomer: Newcomer) -> None:
    ann = newcomer.session(player="ann")
    given = newcomer.done("POST", "/players/ann/deposits", currency="EUR", amount="0.5")
    assert (given["player"], given["balance"]) == (f"{newcomer.id}:ann", "1000.5")
    shown = newcomer.done("GET", f"/players/{newcomer.id}:ann")
    assert shown["accounts"] == [
        {"accountId": str(ann.account_id), "currency": "EUR", "balance": "1000.5"}
    ]
    for change, back, reason in (
        ("/players/ann/block", "/players/ann/unblock", "player_blocked"),
        ("/provider/suspend", "/provider/resume", "provider_suspended"),
    ):
        newcomer.done("POST", change)
        answer = ann.pay_in_out(1)
        assert (answer.code, answer.body["reason"]) == (5, reason)
        newcomer.done("POST", back)
        assert ann.pay_in_out(1).code == 1
    limits = newcomer.done("PUT", "/provider/limits", wins=[{"currency": "EUR", "maxWin": "9"}])
    assert limits["wins"][0]["maxWin"] == "9"
    assert ann.pay_in_out(1, 10).body["reason"] == "win_above_limit"
    newcomer.done("POST", f"/sessions/{ann.session_id}/expire")
    assert ann.pay_in_out(1).body["reason"] == "session_expired"
    bob = newcomer.session(player="bob")
    newcomer.done("POST", f"/sessions/{bob.session_id}/close")
    assert bob.pay_in_out(1).body["reason"] == "session_closed"


def test_a_new_secret_is_valid_beside_the_others_and_the_fifth_revokes_the_oldest(
    newcomer: Newcomer,
) -> None:
    session = newcomer.session()
    first = newcomer.client.secret
    for _ in range(3):
        newcomer.client.secret = newcomer.done("POST", "/provider/secrets", 201)["secret"]
        assert session.balance().code == 1
    newcomer.client.secret = first
    assert session.balance().code == 1
    newest = newcomer.done("POST", "/provider/secrets", 201)["secret"]
    newcomer.client.secret = newest
    assert session.balance().code == 1  # so the gateway has read them anew
    newcomer.client.secret = first
    assert session.balance().code == 8


def test_a_provider_reaches_nothing_of_another(sandbox: Sandbox, newcomer: Newcomer) -> None:
    with sandbox.newcomer() as other:
        session = other.session(player="ann")
        theirs = f"/players/{other.id}:ann"
        for call in ("close", "expire"):
            path = f"/sessions/{session.session_id}/{call}"
            unknown = newcomer.call("POST", f"/sessions/none/{call}")
            refused = newcomer.call("POST", path)
            problem(refused, 404, "not_found")
            assert (
                refused.json()["detail"].replace(session.session_id, "none")
                == (unknown.json()["detail"])
            )
        for method, path in (("GET", theirs), ("POST", f"{theirs}/block")):
            problem(newcomer.call(method, path), 404, "not_found")
        # What looks like a player of somebody else is a player of one's own.
        newcomer.done("POST", "/sessions", 422, player=f"{other.id}:" + "a" * 60)
        given = newcomer.done("POST", f"{theirs}/deposits", currency="EUR", amount="3")
        assert given["player"] == f"{newcomer.id}:{other.id}:ann"
        assert session.balance().body["balance"] == 1000
        newcomer.done("POST", "/provider/suspend")
        newcomer.done("PUT", "/provider/limits", rate=1)
        newcomer.client.balance(session.session_id)
        assert session.pay_in_out(1).code == 1
        paths = [one["target"] for one in other.requests(2)]
        assert all(session.session_id in path for path in paths)
        assert [one["target"] for one in newcomer.requests()] == [
            f"/v1/sessions/{session.session_id}/balance"
        ]
        assert newcomer.requests()[0]["code"] == 3


def test_only_a_good_token_enters_and_it_is_no_key_of_the_operator_api(
    sandbox: Sandbox, newcomer: Newcomer
) -> None:
    token = newcomer.made["token"]
    wrong = {"no header": {}, "cut": {"Authorization": f"Bearer {token[:-1]}"}}
    last = "a" if token[-1] != "a" else "b"
    wrong["another"] = {"Authorization": f"Bearer {token[:-1]}{last}"}
    wrong["no form"] = {"Authorization": "Bearer x"}
    wrong["operator key"] = {"Authorization": f"Bearer {new_key(sandbox.world, 'all')}"}
    for headers in wrong.values():
        answered = newcomer.http.get(f"{sandbox.portal}/sandbox/v1/requests", headers=headers)
        problem(answered, 401, "unauthorized")
    own = {"Authorization": f"Bearer {token}"}
    problem(
        newcomer.http.get(f"{sandbox.portal}/operator/v1/sessions", headers=own),
        *(401, "unauthorized"),
    )
    stored = sandbox.world.rows("select hash from sandbox_token")
    assert all(token.encode() not in bytes(hash_) for (hash_,) in stored)


BAD: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", "/sessions", {"balance": 5}),
    ("POST", "/sessions", {"balance": "-1"}),
    ("POST", "/sessions", {"balance": "1.001"}),
    ("POST", "/sessions", {"player": ""}),
    ("POST", "/sessions", {"player": "a\x00"}),
    ("POST", "/sessions", {"currency": "XXXX"}),
    ("POST", "/sessions", {"minBet": "2", "maxBet": "1"}),
    ("POST", "/sessions", {"ttlMinutes": 0}),
    ("POST", "/sessions", {"nothing": 1}),
    ("POST", "/players/ann/deposits", {"currency": "EUR"}),
    ("POST", "/players/ann/deposits", {"currency": "EUR", "amount": "0"}),
    ("POST", "/provider/suspend", {"id": "other"}),
    ("PUT", "/provider/limits", {"rate": 0}),
    ("GET", "/requests?after=1", {}),
    ("GET", "/requests?nothing=1", {}),
    ("POST", "/sessions?player=ann", {}),
)


def test_bad_input_is_422_with_the_cause(newcomer: Newcomer) -> None:
    for method, path, fields in BAD:
        answered = newcomer.call(method, path, **fields)
        assert answered.status_code == 422, (path, fields, answered.text)
        assert answered.json()["detail"], (path, fields)


def test_a_balance_with_too_many_decimals_is_422_also_if_the_player_has_more(
    newcomer: Newcomer,
) -> None:
    newcomer.done("POST", "/sessions", 201, player="rich", balance="5")

    refused = newcomer.done("POST", "/sessions", 422, player="rich", balance="0.001")

    assert "balance" in refused["detail"]


def test_everything_is_in_the_audit_log_and_the_books_are_right(
    sandbox: Sandbox, newcomer: Newcomer
) -> None:
    newcomer.session(player="ann")
    newcomer.done("POST", "/players/ann/block")
    actor = f"sandbox:{newcomer.id}@127.0.0.1"
    rows = sandbox.world.rows("select action from audit_log where actor = %s order by id", actor)
    assert [action for (action,) in rows] == [
        *("account.opened", "player.added", "account.opened"),  # the first one is the house's
        *("session.opened", "deposit.requested"),
        "player.blocked",
    ]
    assert not _problems(sandbox)
    ((id_,),) = sandbox.world.rows(
        "select id from provider where counterparty_id = %s", newcomer.id
    )
    change = "update sandbox_token set hash = %s where provider_id = %s"
    ((hash_,),) = sandbox.world.rows("select hash from sandbox_token where provider_id = %s", id_)
    sandbox.world.execute(change, b"\0" * 32, id_)
    try:
        assert any("andbox token" in one for one in _problems(sandbox))
    finally:
        sandbox.world.execute(change, hash_, id_)


def _problems(sandbox: Sandbox) -> list[str]:
    asked = Asked(keys.JOURNAL, keys.OPERATOR)
    return list(verify(sandbox.world.operator_url, asked=asked).problems)


def test_what_a_sandbox_makes_is_limited(sandbox: Sandbox) -> None:
    with PortalProcess(
        sandbox.world.urls,
        BETCORE_SANDBOX="true",
        BETCORE_SANDBOX_PROVIDERS_PER_HOUR="2",
        BETCORE_OPERATOR_REQUESTS_PER_SECOND="0.01",
    ) as portal:
        portal.wait_ready()
        made = [httpx.post(f"{portal.url}/sandbox/v1/providers") for _ in range(3)]
        assert [one.status_code for one in made] == [201, 201, 429]
        assert int(made[2].headers["retry-after"]) > 0
        token = {"Authorization": f"Bearer {made[0].json()['token']}"}
        asked = [httpx.get(f"{portal.url}/sandbox/v1/requests", headers=token) for _ in range(2)]
        assert [one.status_code for one in asked] == [200, 429]
        assert int(asked[1].headers["retry-after"]) > 0


@pytest.mark.parametrize("what", ["players", "sessions"])
def test_what_a_provider_makes_is_limited(sandbox: Sandbox, newcomer: Newcomer, what: str) -> None:
    most = {"players": 10_000, "sessions": 100_000}[what]
    sandbox.world.execute(
        f"update sandbox_token t set {what} = %s from provider p"  # noqa: S608
        " where p.id = t.provider_id and p.counterparty_id = %s",
        most - 1,
        newcomer.id,
    )
    newcomer.session(player="ann")
    refused = newcomer.call("POST", "/sessions", player="bob")
    problem(refused, 409, "sandbox_full")
    assert refused.json()["detail"].endswith("make another provider.")


def test_the_magic_players_become_what_their_name_says(newcomer: Newcomer) -> None:
    poor = newcomer.session(player="sandbox-poor")
    assert poor.pay_in_out(1).code == 4
    for _ in range(2):  # a second session, too
        for name, code, reason in (
            ("sandbox-blocked", 5, "player_blocked"),
            ("sandbox-closed", 3, "session_closed"),
            ("sandbox-expired", 3, "session_expired"),
        ):
            answer = newcomer.session(player=name).pay_in_out(1)
            assert (answer.code, answer.body["reason"]) == (code, reason)


def test_a_database_with_providers_is_never_made_a_sandbox(sandbox: Sandbox) -> None:
    world = sandbox.world
    world.execute("update sandbox_mark set id = id")  # it exists
    world.execute("alter table sandbox_mark rename to sandbox_mark_kept")
    world.execute("create table sandbox_mark (like sandbox_mark_kept including all)")
    world.execute("grant select, insert on sandbox_mark to betcore_operator, betcore_gateway")
    try:
        with PortalProcess(world.urls, BETCORE_SANDBOX="true") as portal:
            assert portal.wait() == 1
            assert "has providers that no sandbox made" in portal.output
        with GatewayProcess(world.urls, BETCORE_SANDBOX="true") as gateway:
            assert gateway.wait() != 0
            assert "the database is no sandbox" in gateway.output
    finally:
        world.execute("drop table sandbox_mark")
        world.execute("alter table sandbox_mark_kept rename to sandbox_mark")


def test_a_sandbox_without_the_setting_serves_no_room_of_it_and_warns(sandbox: Sandbox) -> None:
    with PortalProcess(sandbox.world.urls, "--rooms", "operator,sandbox") as portal:
        assert portal.wait() == 1
        assert "The room 'sandbox' is served only in a sandbox" in portal.output
    with PortalProcess(sandbox.world.urls) as portal:
        portal.wait_ready()
        assert httpx.post(f"{portal.url}/sandbox/v1/providers").status_code == 404
        assert "The database is a sandbox, but BETCORE_SANDBOX is not set" in portal.output
