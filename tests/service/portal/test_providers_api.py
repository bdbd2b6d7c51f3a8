"""What a provider may do, by the operator API: it holds at the wallet, and the audit log has it."""

import uuid
from typing import Any

import pytest

from tests.service.portal.caller import Caller, fresh, problem
from tests.service.support.processes import until
from tests.service.support.world import World


@pytest.fixture
def path(world: World) -> str:
    """The path of a new provider."""
    return f"/providers/{world.provider().counterparty_id}"


def actions(api: Caller, path: str) -> list[str]:
    """What operators have done to a provider, the newest first."""
    subject = f"provider:{path.rpartition('/')[2]}"
    return [one["action"] for one in api.done(api.get("/audit", subject=subject))["items"]]


def test_a_provider_is_added_once_with_its_first_secret(api: Caller, world: World) -> None:
    name = fresh("studio")
    response = api.post("/providers", name=name, note="signed today")
    made = api.done(response, 201)

    assert made.keys() == {"providerId", "name", "secret"}
    assert response.headers["location"] == f"/operator/v1/providers/{made['providerId']}"
    shown = api.done(api.get(f"/providers/{made['providerId']}"))
    assert (shown["name"], shown["status"], shown["locked"]) == (name, "active", False)
    assert (shown["activeSecrets"], shown["networks"]) == (1, [])
    assert shown["limits"] == {"rate": None, "wins": []}
    problem(api.post("/providers", name=name), 409, "already_exists")
    once = {"Idempotency-Key": uuid.uuid4().hex}
    problem(api.post("/providers", once, name=fresh()), 400, "idempotency_key_not_supported")
    for wrong in ("", " ", "a\nb", "x" * 129):
        problem(api.post("/providers", name=wrong), 422, "invalid_request")
    stored = world.rows("select count(*) from idempotent_request where answer like '%%secret%%'")
    assert stored == [(0,)]


def test_a_locked_provider_is_refused_every_call_until_it_is_unlocked(
    api: Caller, world: World
) -> None:
    client = world.provider()
    session = world.open_session(client)
    path = f"/providers/{client.counterparty_id}"
    assert session.pay_in_out(1).code == 1

    assert api.done(api.post(f"{path}/lock", note="a secret leaked"))["locked"] is True

    until(lambda: client.status("none").status == 401)
    assert api.done(api.post(f"{path}/unlock"))["locked"] is False
    until(lambda: session.pay_in_out(1).code == 1)
    assert actions(api, path)[:2] == ["provider.unlocked", "provider.locked"]


def test_an_allow_list_is_replaced_as_a_whole(api: Caller, path: str) -> None:
    networks = ["192.0.2.7", "2001:db8::/32", "192.0.2.7/32"]
    recorded = {"networks": ["192.0.2.7/32", "2001:db8::/32"]}

    assert api.done(api.put(f"{path}/allow-list", networks=networks)) == recorded
    assert api.done(api.get(f"{path}/allow-list")) == recorded
    for wrong in (["10.0.0.1/8"], ["here"], [""], ["::ffff:1.2.3.4"], ["10.0.0.0/8\0"], "x", [1]):
        problem(api.put(f"{path}/allow-list", networks=wrong), 422, "invalid_request")
    problem(api.put(f"{path}/allow-list", networks=["10.0.0.0"] * 65), 422, "invalid_request")
    problem(api.put(f"{path}/allow-list"), 422, "invalid_request")
    assert api.done(api.get(path))["networks"] == recorded["networks"]
    assert api.done(api.put(f"{path}/allow-list", networks=[])) == {"networks": []}
    assert actions(api, path)[0] == "provider.allow_list"


def test_limits_are_changed_one_by_one_and_replaced_as_a_whole(api: Caller, path: str) -> None:
    def euro(most: Any, daily: Any) -> dict[str, Any]:
        return {"currency": "EUR", "maxWin": most, "maxDailyWin": daily}

    dollar = {"currency": "USD", "maxWin": "5", "maxDailyWin": None}
    limits = f"{path}/limits"
    set_ = api.done(api.put(limits, rate=100, wins=[euro("1e3", "5000.00"), dollar]))
    assert set_ == {"rate": 100, "wins": [euro("1000", "5000"), dollar]}
    assert api.done(api.get(limits)) == api.done(api.put(limits, **set_)) == set_
    assert api.done(api.patch(limits)) == set_

    assert api.done(api.patch(limits, rate=None))["rate"] is None
    one = {"currency": "EUR", "maxDailyWin": None}
    assert api.done(api.patch(limits, wins=[one]))["wins"] == [euro("1000", None), dollar]
    assert api.done(api.patch(limits, rate=7))["wins"] == [euro("1000", None), dollar]

    assert api.done(api.put(limits, wins=[dollar])) == {"rate": None, "wins": [dollar]}
    assert api.done(api.put(limits)) == {"rate": None, "wins": []}
    assert api.done(api.get(path))["limits"] == {"rate": None, "wins": []}


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"rate": 0}, "invalid_request"),
        ({"rate": 1_000_001}, "invalid_request"),
        ({"rate": "5"}, "invalid_request"),
        ({"rate": 1.5}, "invalid_request"),
        ({"wins": [{"maxWin": "1"}]}, "invalid_request"),
        ({"wins": [{"currency": "EUR", "maxWin": 1}]}, "invalid_request"),
        ({"wins": [{"currency": "EUR", "maxWin": "-1"}]}, "invalid_request"),
        ({"wins": [{"currency": "EUR", "maxWin": "0.001"}]}, "invalid_request"),
        ({"wins": [{"currency": "EUR", "maxWin": "1e15"}]}, "invalid_request"),
        ({"wins": [{"currency": "EUR", "win": "1"}]}, "invalid_request"),
        ({"wins": [{"currency": "EUR"}, {"currency": "EUR"}]}, "invalid_request"),
        ({"wins": [{"currency": "XYZ", "maxWin": "1"}]}, "unknown_currency"),
        ({"wins": [{"currency": "E\0R", "maxWin": "1"}]}, "invalid_request"),
    ],
)
def test_a_limit_that_cannot_be_meant_changes_nothing(
    api: Caller, path: str, method: str, wrong: dict[str, Any], code: str
) -> None:
    api.done(api.put(f"{path}/limits", rate=3))

    problem(getattr(api, method)(f"{path}/limits", **wrong), 422, code)

    assert api.done(api.get(f"{path}/limits")) == {"rate": 3, "wins": []}


def test_any_account_is_shown_with_its_statement(api: Caller, world: World) -> None:
    client, player = world.provider(), fresh()
    session = world.open_session(client, player=player)
    assert session.pay_in_out(2, 5).code == 1
    path = f"/accounts/{session.account_id}"
    (house,) = api.done(api.get(f"/providers/{client.counterparty_id}"))["accounts"]
    of_house = f"/accounts/{house['accountId']}"

    shown = api.done(api.get(path))

    assert (shown["kind"], shown["owner"], shown["balance"]) == ("player", player, "1003")
    lines = api.done(api.get(f"{path}/statement"))
    assert lines == api.done(api.get(f"/players/{player}/statement", currency="EUR"))
    first = api.done(api.get(f"{path}/statement", limit=1))
    rest = api.done(api.get(f"{path}/statement", limit=500, cursor=first["next"]))
    assert first["items"] + rest["items"] == lines["items"]
    mirror = api.done(api.get(of_house))
    assert (mirror["kind"], mirror["owner"]) == ("house", client.counterparty_id)
    assert mirror["balance"] is None
    assert len(api.get(f"{of_house}/statement", format="csv").text.splitlines()) == 3
    refused = problem(api.get(f"{of_house}/statement"), 422, "invalid_request")
    assert "format=csv" in refused["detail"]
    for nobody in ("0", "-1", "x", "9223372036854775807", "9" * 30, "0" * 5000, "%00", "²"):
        problem(api.get(f"/accounts/{nobody}"), 404, "not_found")
        problem(api.get(f"/accounts/{nobody}/statement", format="csv"), 404, "not_found")


def test_a_currency_is_added_once_with_its_decimals(api: Caller) -> None:
    code = f"T{uuid.uuid4().hex[:8].upper()}"

    added = api.done(api.post("/currencies", code=code, decimals=8), 201)

    assert added == {"code": code, "decimals": 8}
    assert api.done(api.post("/currencies", code=code, decimals=8), 201) == added
    assert added in api.done(api.get("/currencies"))["items"]
    problem(api.post("/currencies", code=code, decimals=2), 409, "already_exists")
    for wrong in ({"code": "eur"}, {"decimals": 19}, {"decimals": -1}, {"code": "A B"}):
        asked = {"code": code, "decimals": 8} | wrong
        problem(api.post("/currencies", **asked), 422, "invalid_request")
