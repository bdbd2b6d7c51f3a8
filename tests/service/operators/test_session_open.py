"""`betcore session open` and `close`: players, their accounts and their money."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from broker.cash import CashError, NoAnswer, QueueUnavailable, book
from models.audit.log import operation
from models.commands import Deposit
from models.directory.sessions import Opening, open_sessions
from tests.service.support import keys
from tests.service.support.operator_cli import Operator, operator_on, operator_with_worker
from tests.service.support.patience import SOON
from tests.service.support.processes import until
from tests.service.support.queue_world import QueueWorld
from tests.service.support.world import World

MONEY_TABLES = ("currency", "player", "account", "session", "transfer")


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    with operator_with_worker() as staffed:
        yield staffed


@pytest.fixture
def name() -> str:
    return f"player {uuid.uuid4().hex}"


def test_an_opened_session_has_its_deposit_in_an_exact_balance(
    operator: Operator, name: str
) -> None:
    (opened,) = operator.documents(*operator.open(name, "--deposit", "1543.75"))

    assert opened.pop("balance") == Decimal("1543.75")
    assert opened.pop("player") == name
    assert set(opened) == {"sessionId", "accountId", "expiresAt"}
    assert operator.world.rows(
        "select a.id::text, a.balance, s.closed_at, s.min_bet, s.max_bet,"
        " s.expires_at - s.opened_at between '239 min' and '241 min'"
        " from session s join account a on a.id = s.account_id where s.id = %s",
        opened["sessionId"],
    ) == [(opened["accountId"], Decimal("1543.75"), None, None, None, True)]


def test_a_currency_of_eighteen_decimals_is_printed_to_the_last(
    operator: Operator, name: str
) -> None:
    operator.documents("currency", "add", "WEI", "--decimals", "18")
    amount = "999999999999999.999999999999999999"

    done = operator.run(*operator.open(name, "--currency", "WEI", "--deposit", amount), "--json")

    assert f'"balance": {amount}, ' in done.stdout


def test_a_reference_that_is_made_is_told_and_repeats_harmlessly(
    operator: Operator, name: str
) -> None:
    first = operator.run(*operator.open(name, "--deposit", "10"), "--json")
    reference = first.stderr.split()[1]

    (second,) = operator.documents(
        *operator.open(name, "--deposit", "10", "--reference", reference)
    )

    assert second["balance"] == 10
    assert second["accountId"] == json.loads(first.stdout)["accountId"]
    assert second["sessionId"] != json.loads(first.stdout)["sessionId"]


def test_a_reference_of_another_deposit_opens_no_session(operator: Operator, name: str) -> None:
    operator.documents(*operator.open(name, "--deposit", "10", "--reference", f"of {name}"))
    sessions = operator.count("session")

    refusal = operator.refusal(*operator.open(name, "--deposit", "11", "--reference", f"of {name}"))

    assert f"'of {name}'" in refusal
    assert operator.count("session") == sessions


def test_a_deposit_of_nothing_moves_nothing(operator: Operator, name: str) -> None:
    transfers = operator.count("transfer")

    done = operator.run(*operator.open(name, "--deposit", "0.00"), "--json")

    assert json.loads(done.stdout)["balance"] == 0
    assert done.stderr == ""
    assert operator.count("transfer") == transfers


def test_the_same_player_and_currency_is_the_same_account(operator: Operator, name: str) -> None:
    (euro,) = operator.documents(*operator.open(name))
    (again,) = operator.documents(*operator.open(name))
    (yen,) = operator.documents(*operator.open(name, "--currency", "JPY"))

    assert euro["accountId"] == again["accountId"] != yen["accountId"]


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["--deposit", "1.001"], "deposit may have at most 2 decimals."),
        (["--deposit", "-1"], "deposit must be a decimal number, zero or more."),
        (["--deposit", "1e15"], "deposit must be below 10^15."),
        (["--deposit", "1", "--reference", ""], "reference must be text of 1 to 128 characters."),
        (["--min-bet", "0.001"], "A limit in EUR may have at most 2 decimals."),
        (["--min-bet", "2", "--max-bet", "1.99"], "The minimum bet is above the maximum bet."),
        (["--max-bet", "lots"], "max-bet must be a decimal number, zero or more."),
        (
            ["--currency", "CHF", "--max-bet", "0.125"],
            "A limit in CHF may have at most 2 decimals.",
        ),
        (["--currency", "XYZ"], "There is no currency 'XYZ'"),
        (["--provider", "nobody"], "There is no provider 'nobody'."),
        (["--player", "x" * 129], "player must be text of 1 to 128 characters."),
        (["--count", "3", "--player", "x" * 127], "player must be text of 1 to 128 characters."),
    ],
)
def test_what_cannot_be_opened_leaves_nothing(
    operator: Operator, name: str, arguments: list[str], refusal: str
) -> None:
    before = [operator.count(table) for table in MONEY_TABLES]

    assert refusal in operator.refusal(*operator.open(name, *arguments))

    assert [operator.count(table) for table in MONEY_TABLES] == before


def test_limits_and_time_to_live_are_recorded(operator: Operator, name: str) -> None:
    more = ["--min-bet", "0.5", "--max-bet", "100", "--ttl-minutes", "1"]
    (opened,) = operator.documents(*operator.open(name, *more))

    assert operator.world.rows(
        "select min_bet, max_bet, expires_at < now() + '2 min' from session where id = %s",
        opened["sessionId"],
    ) == [(Decimal("0.5"), 100, True)]


def test_many_players_are_opened_at_once_in_their_order(operator: Operator, name: str) -> None:
    deposit = ["--deposit", "2.5", "--reference", name, "--count", "1500"]
    (first,) = operator.documents(*operator.open(name, *deposit))
    (second,) = operator.documents(*operator.open(name, *deposit))

    opened, again = first["sessions"], second["sessions"]
    assert [one["player"] for one in opened] == [f"{name}-{k}" for k in range(1, 1501)]
    assert [one["accountId"] for one in opened] == [one["accountId"] for one in again]
    assert {one["balance"] for one in opened + again} == {Decimal("2.5")}
    assert len({one["sessionId"] for one in opened + again}) == 3000
    names = [f"{name}-{k}" for k in range(1, 1501)]
    accounts = operator.world.rows(
        "select external_id, account::text from transfer"
        " join account a on a.id = account join player p on p.id = a.player_id"
        " where reference = external_id and external_id = any(%s)",
        names,
    )
    assert dict(accounts) == dict(zip(names, [one["accountId"] for one in opened], strict=True))


def test_a_closed_session_takes_no_new_bet(operator: Operator, name: str) -> None:
    (opened,) = operator.documents(*operator.open(name, "--deposit", "10"))
    operator.bet(opened, "before")

    (closed,) = operator.documents("session", "close", opened["sessionId"])
    (again,) = operator.documents("session", "close", opened["sessionId"])

    assert closed == again
    assert operator.bet(opened, "after") == 3
    assert operator.bet(opened, "before") == 1


def test_a_session_that_replaces_closes_the_players_others_of_provider_and_currency_alone(
    operator: Operator, name: str
) -> None:
    (other_provider,) = operator.documents("provider", "add", f"studio {name}")
    elsewhere = ["--provider", other_provider["counterpartyId"]]
    old = [operator.documents(*operator.open(name, "--deposit", "10"))[0] for _ in range(2)]
    kept = [
        operator.documents(*operator.open(who, *more))[0]
        for who, more in ((name, elsewhere), (name, ["--currency", "JPY"]), (f"{name} 2", []))
    ]
    expired = operator.documents(*operator.open(name))[0]
    operator.world.expire_session(expired["sessionId"])
    assert operator.bet(old[0], f"before {name}") == 1

    (new,) = operator.documents(*operator.open(name, "--replace", "--note", "another game"))

    closed = "select closed_at is not null from session where id = %s"
    for session, is_closed in (
        *((one, True) for one in old),
        *((one, False) for one in (*kept, expired, new)),
    ):
        assert operator.world.rows(closed, session["sessionId"]) == [(is_closed,)]
    assert [operator.bet(one, f"after {at} {name}") for at, one in enumerate(old)] == [3, 3]
    assert operator.bet(old[1], f"before {name}") == 1  # a repeat
    assert operator.bet(new, f"in the new one {name}") == 1
    entries = operator.world.rows(
        "select subject, note, created_at from audit_log where action = 'session.closed'"
        " and subject = any(%s)",
        [one["sessionId"] for one in old],
    )
    assert {entry[:2] for entry in entries} == {(one["sessionId"], "another game") for one in old}
    opened = "select created_at from audit_log where action = 'session.opened' and subject = %s"
    assert {entry[2:] for entry in entries} == set(operator.world.rows(opened, new["sessionId"]))


def test_of_many_that_replace_at_once_one_session_stays_open(operator: Operator, name: str) -> None:
    counterparty = operator.world.provider().counterparty_id
    opening = Opening(counterparty, "EUR", None, None, timedelta(hours=1), replace=True)

    def open_both(_: int) -> None:
        for_two = [name, f"{name} 2"]
        with operation(operator.world.operator_url, keys.AUTHOR) as database:
            open_sessions(database, opening, for_two)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(open_both, range(12)))

    still_open = operator.world.rows(
        "select external_id, count(*), count(*) filter (where closed_at is null) from session s"
        " join account a on a.id = s.account_id join player p on p.id = a.player_id"
        " where p.external_id in (%s, %s) group by external_id",
        *(name, f"{name} 2"),
    )
    assert sorted(still_open) == [(name, 12, 1), (f"{name} 2", 12, 1)]


def test_a_session_that_does_not_exist_cannot_be_closed(operator: Operator) -> None:
    assert "'nowhere'" in operator.refusal("session", "close", "nowhere")


def test_a_suspended_queue_says_how_to_go_on(operator: Operator, name: str) -> None:
    operator.world.redis.set("rq:suspended", 1)
    try:
        assert "betcore queue resume" in operator.refusal(*operator.open(name, "--deposit", "1"))
    finally:
        operator.world.redis.delete("rq:suspended")

    (opened,) = operator.documents(*operator.open(name, "--deposit", "1"))

    assert opened["balance"] == 1


def test_without_a_worker_the_deposit_is_unknown_and_may_be_repeated(own_world: World) -> None:
    with operator_on(own_world) as operator:
        (opened,) = operator.documents(*operator.open("Ann"))
        money = [Deposit(int(opened["accountId"]), "once", Decimal(5))]

        with pytest.raises(NoAnswer, match=r"is a worker running\?.*--reference"):
            book(operator.settings(), money, within_seconds=0.5)
        own_world.worker()

        assert [book(operator.settings(), money)[0]["balance"] for _ in range(2)] == ["5", "5"]


def test_a_worker_that_starts_late_applies_the_deposit_once(own_world: World) -> None:
    with (
        operator_on(own_world) as operator,
        ThreadPoolExecutor(1) as pool,
        QueueWorld(own_world.urls.redis, flush=False) as queue,
    ):
        (opened,) = operator.documents(*operator.open("Ann"))
        money = [Deposit(int(opened["accountId"]), "once", Decimal(5))]
        they_expire_soon = operator.settings(apply_within_seconds=0.2, queue_wait_max_seconds=3600)
        result = pool.submit(book, they_expire_soon, money)
        until(lambda: len(queue.under_way_of(int(opened["accountId"]))) >= 2)

        own_world.worker()

        assert result.result(timeout=SOON)[0]["balance"] == "5"
        assert operator.count("transfer") == 1


def test_a_deposit_that_no_worker_can_apply_fails_soon(operator: Operator) -> None:
    money = [Deposit(10**9, uuid.uuid4().hex, Decimal(5))]

    with pytest.raises(CashError, match="could not apply"):
        book(operator.settings(), money)


@pytest.mark.parametrize("url", ["redis://u:s3cret@127.0.0.1:1/0", "http://u:s3cret@127.0.0.1:1"])
def test_without_redis_nothing_is_deposited_and_no_password_shown(
    operator: Operator, url: str
) -> None:
    with pytest.raises(QueueUnavailable, match=r"(?i)redis") as refused:
        book(operator.settings(redis_url=url), [Deposit(1, uuid.uuid4().hex, Decimal(5))])

    assert "s3cret" not in str(refused.value)
