"""Keys of the operator API: who may do what, how often, and what the audit log has of it."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from models.directory import operator_keys
from models.directory.operator_keys import Scope, check_operator_key
from tests.service.portal.caller import Caller, fresh, new_key, problem
from tests.service.support.operator_cli import Operator
from tests.service.support.processes import PortalProcess
from tests.service.support.world import World


@pytest.fixture
def operator(world: World, provider_id: str) -> Operator:
    return Operator(world, provider_id)


@pytest.fixture(scope="module")
def strict(world: World) -> Iterator[str]:
    """The URL of a portal with low limits, behind no proxy that it trusts."""
    limits = {
        "BETCORE_OPERATOR_REQUESTS_PER_SECOND": "1",
        "BETCORE_OPERATOR_KEY_FAILURES_PER_MINUTE": "3",
    }
    with PortalProcess(world.urls, **limits) as portal:
        portal.wait_ready()
        yield portal.url


def test_a_key_works_from_its_making_until_it_is_revoked(operator: Operator, api: Caller) -> None:
    name = fresh("key").replace(" ", "-")
    (made,) = operator.documents("operator", "key", "add", name, "--scope", "read")
    assert made.keys() == {"id", "key"}
    caller = api.with_key(made["key"])
    assert listed(operator, name)["lastUsedAt"] is None

    assert caller.get("/players").status_code == 200
    used_at = listed(operator, name)["lastUsedAt"]
    assert caller.get("/players").status_code == 200
    assert listed(operator, name)["lastUsedAt"] == used_at is not None

    (revoked,) = operator.documents("operator", "key", "revoke", name, "--note", "it leaked")
    refused = caller.get("/players")
    assert "revoked" in problem(refused, 401, "unauthorized")["detail"]
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    again = operator.documents("operator", "key", "revoke", name)
    assert again[0]["revokedAt"] == revoked["revokedAt"]
    assert "already" in operator.refusal("operator", "key", "add", name, "--scope", "all")


def test_no_table_and_no_log_has_a_key(
    operator: Operator, portal: PortalProcess, world: World
) -> None:
    name = fresh("key").replace(" ", "-")
    (made,) = operator.documents("operator", "key", "add", name, "--scope", "all")
    secret = made["key"].split("_", 2)[2]
    httpx.get(f"{portal.url}/operator/v1/nothing", headers=authorization(made["key"]))

    rows = world.rows("select to_jsonb(k)::text from operator_key k")
    rows += world.rows("select to_jsonb(a)::text from audit_log a")

    assert not [row for row in rows if secret in row[0]]
    assert secret not in portal.output
    (entry,) = world.rows(
        "select facts from audit_log where action = 'operator_key.added' and subject = %s",
        made["id"],
    )
    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert entry[0] == {"name": name, "scopes": "all", "sha256": digest}


def test_a_key_that_expired_is_refused(operator: Operator, api: Caller, world: World) -> None:
    name = fresh("key").replace(" ", "-")
    key = ("operator", "key", "add", name, "--scope", "all", "--expires-days", "1")
    (made,) = operator.documents(*key)
    assert api.with_key(made["key"]).get("/players").status_code == 200
    ends = "update operator_key set expires_at = expires_at - interval '1 day' where id = %s"

    world.execute(ends, made["id"])

    refused = problem(api.with_key(made["key"]).get("/players"), 401, "unauthorized")
    assert "expired" in refused["detail"]
    world.execute(ends.replace(" - ", " + "), made["id"])


def test_scopes_that_nobody_granted_are_noticed(operator: Operator, world: World) -> None:
    name = fresh("key").replace(" ", "-")
    (made,) = operator.documents("operator", "key", "add", name, "--scope", "read")
    verify = ("ledger", "verify")
    said = f"Operator key {made['id']} was changed: scopes is all, but the audit log says read."
    before = operator.run(*verify)  # other tests may have left other faults
    assert said not in before.stdout + before.stderr

    world.execute("update operator_key set scopes = 'all' where id = %s", made["id"])
    done = operator.run(*verify)
    world.execute("update operator_key set scopes = 'read' where id = %s", made["id"])

    assert done.exit_code == 1
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer",
        "Basic YTpi",
        "Bearer bok_1_",
        f"Bearer bok_999999999_{'a' * 43}",
        f"Bearer bok_1_{'a' * 43}",
        f"Bearer bok_-1_{'a' * 43}",
        f"Bearer bok_1_{'a' * 5000}",
        "Bearer 'or 1=1",
    ],
)
def test_without_a_good_key_nothing_is_answered(portal: PortalProcess, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for response in (
        httpx.get(f"{portal.url}/operator/v1/players", headers=headers),
        httpx.post(f"{portal.url}/operator/v1/sessions", headers=headers, content=b"{"),
    ):
        problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"].startswith('Bearer realm="betcore"')


def test_hashes_are_compared_in_constant_time_also_for_keys_that_do_not_exist(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return hmac.compare_digest(left, right)

    class Spied:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(operator_keys, "hmac", Spied)
    wrong = f"bok_{new_key(world, 'all').split('_')[1]}_{'a' * 43}"
    for presented in (wrong, f"bok_999999999_{'a' * 43}"):
        with pytest.raises(operator_keys.BadKey):
            check_operator_key(world.operator_url, presented)

    assert [(len(left), len(right)) for left, right in compared] == [(32, 32)] * 2


CALLS: dict[str, tuple[str, str]] = {
    "sessions": ("/sessions", "/sessions/nothing/close"),
    "players": ("/players", "/players/nobody/block"),
    "money": ("/players/nobody/deposits/r", "/players/nobody/withdrawals"),
    "providers": ("/providers", "/providers/nobody/suspend"),
}


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_opens_its_own_area_and_no_other(api: Caller, world: World, scope: Scope) -> None:
    caller = api.with_key(new_key(world, scope))
    for area, (read, change) in CALLS.items():
        body = {"currency": "EUR", "amount": "1", "reference": fresh("r")}
        if area != "money":
            body = {}
        reading, changing = caller.get(read), caller.post(change, **body)
        if scope in (area, "all", "read"):
            assert reading.status_code in (200, 404)
        else:
            refused = problem(reading, 403, "scope_missing")
            assert refused["scope"] == area
            assert area in refused["detail"]
        if scope in (area, "all"):
            problem(changing, 404, "not_found")
        else:
            assert area in problem(changing, 403, "scope_missing")["detail"]
    reports = caller.get("/reports/house").status_code
    assert reports == (200 if scope in ("reports", "read", "all") else 403)


def test_a_key_may_have_several_scopes_but_no_unknown_one(operator: Operator, api: Caller) -> None:
    name = fresh("key").replace(" ", "-")
    add = ("operator", "key", "add", name)
    refusal = operator.refusal(*add, "--scope", "everything")
    assert refusal.startswith("A scope is one of all, read")
    (made,) = operator.documents(*add, "--scope", "money", "--scope", "players")

    caller = api.with_key(made["key"])

    assert caller.get("/players").status_code == 200
    problem(caller.get("/sessions"), 403, "scope_missing")
    assert listed(operator, name)["scopes"] == "money players"
    for bad in ("", "two words", "a" * 65, "ü", "-a"):
        refusal = operator.refusal("operator", "key", "add", "--scope", "all", "--", bad)
        assert refusal.startswith("A key's name has")


def test_a_key_that_asks_too_often_is_told_when_to_come_back(strict: str, world: World) -> None:
    caller = Caller(strict, new_key(world, "read"))
    answers = [caller.get("/players") for _ in range(40)]
    caller.http.close()

    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    for answer in refused:
        problem(answer, 429, "too_many_requests")
        assert int(answer.headers["retry-after"]) >= 1


def test_whoever_guesses_keys_is_slowed_down_and_shuts_nobody_out(
    strict: str, world: World
) -> None:
    good, fake = new_key(world, "read"), f"bok_1_{'a' * 43}"
    with httpx.Client() as http:
        url = f"{strict}/operator/v1/providers"
        assert http.get(url, headers=authorization(good)).status_code == 200
        # The portal trusts no proxy: another address in the header changes nothing.
        headers = [authorization(fake) | {"X-Forwarded-For": f"10.0.0.{n}"} for n in range(8)]
        statuses = [http.get(url, headers=one).status_code for one in headers]
        refused = http.get(url, headers=authorization(fake))

        assert set(statuses) == {401, 429}
        problem(refused, 429, "too_many_requests")
        assert int(refused.headers["retry-after"]) >= 1
        assert http.get(url, headers=authorization(good)).status_code in (200, 429)
        known = http.get(url, headers=authorization(good)).json()
        assert "wrong key" not in json.dumps(known)


def test_the_audit_log_names_the_caller_behind_trusted_proxies_only(
    api: Caller, world: World
) -> None:
    player = fresh()
    api.done(api.post(f"/players/{player}/accounts", currency="EUR"), 201)
    for forwarded, address in (
        ("192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7, 10.1.1.1", "192.0.2.7"),  # the first one is the caller's lie
        ("2001:db8::1", "2001:db8::1"),
        ("unknown, 10.1.1.1", "unknown"),  # not the proxy: an allow-list would believe it
        ("<script>", "unknown"),
    ):
        headers = {"X-Forwarded-For": forwarded}
        api.done(api.post(f"/players/{player}/block", headers))
        (actor,) = world.rows("select actor from audit_log order by id desc limit 1")[0]
        assert actor.partition("@")[2] == address


def listed(operator: Operator, name: str) -> dict[str, Any]:
    """A key as `betcore operator key list` shows it."""
    (document,) = operator.documents("operator", "key", "list")
    (found,) = [one for one in document["keys"] if one["name"] == name]
    return dict(found)


def authorization(key: str) -> dict[str, str]:
    """The header with a key."""
    return {"Authorization": f"Bearer {key}"}
