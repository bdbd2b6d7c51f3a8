"""`betcore provider`: suspending a provider, and replacing its secret."""

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.service.support.client import ProviderClient
from tests.service.support.operator_cli import Operator
from tests.service.support.patience import wait_for_quiet
from tests.service.support.processes import until
from tests.service.support.world import World

REVOKED_WITHIN_SECONDS = 2  # PROTOCOL.md, "Every request"


def test_a_suspended_provider_takes_no_new_bet_and_still_pays_what_is_owed(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client, "100")
    for bet_id in ("paid", "undone"):
        assert player.call("pay-in", bet_id, betAmount=10).code == 1

    (document,) = operator.documents("provider", "suspend", operator.provider)

    assert document == {"counterpartyId": operator.provider, "status": "suspended"}
    for call, fields in {"pay-in": {}, "pay-in-out": {"winAmount": 5}}.items():
        refused = player.call(call, f"new {call}", betAmount=1, **fields)
        assert (refused.status, refused.code, refused.body["balance"]) == (402, 5, 80)
    assert player.call("pay-in", "paid", betAmount=10).code == 1
    assert player.call("pay-out", "paid", winAmount=25).code == 1
    assert player.call("refund", "undone").code == 1
    assert player.call("refund", "never seen").code == 1
    assert player.balance().body["balance"] == 115
    # Until Redis has been up for a few seconds, a bet may be in flight for all that is known.
    until(lambda: client.status("paid").body["state"] == "settled")


def test_the_players_of_a_suspended_provider_play_on_elsewhere(
    world: World, operator: Operator
) -> None:
    player = uuid.uuid4().hex
    world.open_session(world.provider(), player=player)
    elsewhere = world.open_session(world.provider(), player=player)

    operator.documents("provider", "suspend", operator.provider)

    assert elsewhere.pay_in_out(1).code == 1


def test_a_resumed_provider_bets_again_and_what_was_refused_stays_refused(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client)
    for _ in range(2):
        operator.documents("provider", "suspend", operator.provider)
    assert player.pay_in_out(1, betId="refused").code == 5

    for _ in range(2):
        (document,) = operator.documents("provider", "resume", operator.provider)

    assert document == {"counterpartyId": operator.provider, "status": "active"}
    assert player.pay_in_out(1).code == 1
    assert player.pay_in_out(1, betId="refused").code == 5


@pytest.mark.parametrize(
    "command", ["suspend", "resume", "secret add", "secret list", "secret revoke --secret-id 1"]
)
def test_a_provider_that_does_not_exist_is_named(operator: Operator, command: str) -> None:
    refusal = operator.refusal("provider", *command.split(), "nobody")

    assert refusal == "There is no provider 'nobody'."


def test_an_added_secret_counts_at_once_and_the_old_one_stays_good(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client)
    assert player.balance().code == 1

    (added,) = operator.documents("provider", "secret", "add", operator.provider)

    assert set(added) == {"counterpartyId", "secretId", "secret"}
    for gateway in world.gateways:
        for secret in (added["secret"], client.secret):
            signing = replace(client, url=gateway.url, secret=secret)
            assert signing.balance(player.session_id).code == 1


def test_a_revoked_secret_is_refused_within_two_seconds_and_the_new_one_is_not(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client)
    (old,) = secrets_of(operator)
    (added,) = operator.documents("provider", "secret", "add", operator.provider)

    wait_for_quiet()
    (revoked,) = operator.documents(*revoking(operator, old))

    assert revoked["secretId"] == old["secretId"]
    assert revoked["revokedAt"] is not None
    for gateway in world.gateways:
        before = replace(client, url=gateway.url)
        refused = lambda by=before: by.balance(player.session_id).status == 401  # noqa: E731
        until(refused, lambda: "it still counts", REVOKED_WITHIN_SECONDS)
        assert replace(before, secret=added["secret"]).balance(player.session_id).code == 1


def test_secrets_are_listed_without_what_they_are(
    client: ProviderClient, operator: Operator
) -> None:
    (added,) = operator.documents("provider", "secret", "add", operator.provider)
    for _ in range(2):
        operator.documents(*revoking(operator, added))

    as_json = operator.run("provider", "secret", "list", operator.provider, "--json")
    for_people = operator.run("provider", "secret", "list", operator.provider)

    first, second = secrets_of(operator)
    assert first["revokedAt"] is None
    assert second["secretId"] == added["secretId"]
    assert second["createdAt"] < second["revokedAt"]
    assert "secretId  createdAt" in for_people.stdout
    for shown in (as_json.stdout, for_people.stdout):
        assert client.secret not in shown
        assert added["secret"] not in shown


def test_a_secret_that_is_revoked_again_stays_revoked_since_the_first_time(
    operator: Operator,
) -> None:
    (added,) = operator.documents("provider", "secret", "add", operator.provider)

    first = operator.documents(*revoking(operator, added))

    assert operator.documents(*revoking(operator, added)) == first


def test_another_provider_s_secret_is_not_revoked(world: World, operator: Operator) -> None:
    other = Operator(world, world.provider().counterparty_id)
    (theirs,) = secrets_of(other)

    refusal = operator.refusal(*revoking(operator, theirs))

    assert refusal == f"The provider {operator.provider!r} has no secret {theirs['secretId']}."
    assert secrets_of(other) == [theirs]


def test_the_last_secret_may_be_revoked_and_the_operator_is_told_what_that_means(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client)
    (only,) = secrets_of(operator)

    done = operator.run(*revoking(operator, only))

    assert "no secret left" in done.stderr
    until(lambda: player.balance().status == 401)
    (added,) = operator.documents("provider", "secret", "add", operator.provider)
    assert replace(client, secret=added["secret"]).balance(player.session_id).code == 1


def secrets_of(operator: Operator) -> list[dict[str, Any]]:
    """What the command shows of the provider's secrets."""
    (listed,) = operator.documents("provider", "secret", "list", operator.provider)
    found: list[dict[str, Any]] = listed["secrets"]
    return found


def revoking(operator: Operator, secret: dict[str, Any]) -> list[str]:
    """The arguments that revoke a secret."""
    return ["provider", "secret", "revoke", operator.provider, "--secret-id", secret["secretId"]]


def test_a_locked_provider_is_not_heard_at_all_and_after_unlock_all_is_as_before(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client, "100")
    assert player.call("pay-in", "owed", betAmount=10).code == 1

    (document,) = operator.documents("provider", "lock", operator.provider, "--note", "leaked")

    assert document == {"counterpartyId": operator.provider, "locked": True}
    until(lambda: player.balance().status == 401)
    for answer in (
        player.pay_in_out(1),
        player.call("pay-out", "owed", winAmount=25),
        player.call("refund", "owed"),
        player.balance(),
        client.status("owed"),
    ):
        assert (answer.status, answer.code) == (401, 8)
    (shown,) = operator.documents("provider", "show", operator.provider)
    assert (shown["locked"], shown["status"]) == (True, "active")

    operator.documents("provider", "unlock", operator.provider)

    assert player.call("pay-out", "owed", winAmount=25).code == 1
    assert world.balance(player) == 115
    (log,) = operator.documents("audit", "list", "--subject", f"provider:{operator.provider}")
    assert [(entry["action"], entry["note"]) for entry in log["entries"][:2]] == [
        ("provider.unlocked", None),
        ("provider.locked", "leaked"),
    ]


def test_an_allow_list_keeps_other_callers_out(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client)
    command = ("provider", "allow-list", operator.provider)

    (document,) = operator.documents(*command, "192.0.2.7", "2001:DB8::/32")

    assert [row["network"] for row in document["networks"]] == ["192.0.2.7/32", "2001:db8::/32"]
    until(lambda: player.pay_in_out(1).status == 401)
    assert operator.documents(*command) == [document]
    operator.documents(*command, "127.0.0.0/8", "::1/128")
    assert player.pay_in_out(1).code == 1
    operator.documents(*command, "192.0.2.7")
    until(lambda: player.pay_in_out(1).status == 401)
    (document,) = operator.documents(*command, "--anywhere")
    assert document["networks"] == []
    for shown in (command, ("provider", "show", operator.provider)):
        assert "\nnetworks: anywhere\n" in operator.run(*shown).stdout
    assert player.pay_in_out(1).code == 1
    assert _verified(operator)


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        (["10.0.0.1/8"], "host bits"),
        (["example.com"], "is not a network"),
        (["::ffff:192.0.2.0/120"], "IPv4"),
        ([f"10.0.{n}.0/24" for n in range(65)], "at most 64"),
    ],
)
def test_a_wrong_allow_list_changes_nothing(
    operator: Operator, networks: list[str], said: str
) -> None:
    assert said in operator.refusal("provider", "allow-list", operator.provider, *networks)
    (shown,) = operator.documents("provider", "show", operator.provider)
    assert shown["networks"] == []


def test_limits_are_set_shown_and_taken_away_each_as_a_fact(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client)
    command = ("provider", "limits", operator.provider)

    (shown,) = operator.documents(
        *(*command, "--rate", "500", "--max-win", "EUR=20.5", "--max-win", "USD=7"),
        *("--max-daily-win", "EUR=1000"),
    )

    wins = {row["currency"]: (row["maxWin"], row["maxDailyWin"]) for row in shown["wins"]}
    assert shown["rate"] == 500
    assert wins == {"EUR": (Decimal("20.5"), 1000), "USD": (7, None)}
    assert operator.documents(*command) == [shown]
    refused = player.pay_in_out(1, "20.51")
    assert (refused.status, refused.code, refused.body["reason"]) == (402, 5, "win_above_limit")
    assert player.pay_in_out(1, "20.5").code == 1

    without = ("--none", "rate", "--none", "max-win=EUR", "--none", "max-win=USD")
    (shown,) = operator.documents(*command, *without)

    assert (shown["rate"], len(shown["wins"])) == (None, 1)
    assert player.pay_in_out(1, "20.51").code == 1
    assert _verified(operator)
    [(house, limit)] = world.rows(
        "select id, max_daily_win from account where provider_id = %s"
        " and max_daily_win is not null",
        world.provider_row(client),
    )
    set_to = "update account set max_daily_win = %s where id = %s"
    world.execute(set_to, None, house)
    assert "maxDailyWin is missing" in operator.run("ledger", "verify").output
    world.execute(set_to, limit, house)


@pytest.mark.parametrize(
    "options",
    [
        "--rate 0",
        "--rate 5 --none rate",
        "--max-win EUR",
        "--max-win EUR=-1",
        "--max-win EUR=1.001",
        "--max-win NONE=1",
        "--max-win EUR=1 --max-win EUR=2",
        "--max-win EUR=1 --none max-win=EUR",
        "--max-daily-win EUR=1e15",
        "--none something",
    ],
)
def test_a_wrong_limit_changes_nothing(operator: Operator, options: str) -> None:
    command = ("provider", "limits", operator.provider)

    assert operator.run(*command, *options.split()).exit_code in (1, 2)

    (shown,) = operator.documents(*command)
    assert (shown["rate"], shown["wins"]) == (None, [])


def _verified(operator: Operator) -> bool:
    """Whether the tables say what the audit log says of this provider."""
    return operator.provider not in operator.run("ledger", "verify").output
