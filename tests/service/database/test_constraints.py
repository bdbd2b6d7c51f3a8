"""Every named constraint refuses what the rules refuse, and does so by its name."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import IntegrityError

from models.commands import Withdrawal
from tests.service.support.ledger_world import apply, new_players
from tests.service.support.world import World

Row = dict[str, Any]

REJECTED: Row = {"state": "rejected", "refused_with": 5}
HOUSE: Row = {"kind": "house", "currency": "EUR"}

# What is wrong with a row: a table, the constraint that must say so, and the fields that are wrong.
# A field that begins with a colon is taken from the row of that name in `Ground.known`.
#: The same row is there already.
TWICE: Row = {}

VIOLATIONS: list[tuple[str, str, Row]] = [
    ("currency", "currency_key", {"code": "EUR"}),
    ("currency", "currency_decimals", {"decimals": -1}),
    ("currency", "currency_decimals", {"decimals": 19}),
    ("provider", "provider_key", {"id": ":provider"}),
    ("provider", "provider_once", {"counterparty_id": ":counterparty"}),
    ("provider", "provider_name_once", {"name": ":provider_name"}),
    ("provider", "provider_status", {"status": "gone"}),
    ("provider", "provider_networks_few", {"networks": []}),
    ("provider", "provider_networks_few", {"networks": ["10.0.0.0/8"] * 65}),
    ("provider", "provider_rate_positive", {"rate_max": 0}),
    ("provider_secret", "provider_secret_key", {"id": ":secret"}),
    ("provider_secret", "provider_secret_provider_id_exists", {"provider_id": 0}),
    ("provider_secret", "provider_secret_is_there_unless_revoked", {"key": None}),
    ("provider_secret", "provider_secret_is_there_unless_revoked", {"ciphertext": None}),
    ("player", "player_key", {"id": ":player"}),
    ("player", "player_once", {"external_id": ":external"}),
    ("player", "player_status", {"status": "suspended"}),
    ("account", "account_key", {"id": ":account"}),
    ("account", "account_of_player_once", {"currency": "EUR"}),
    ("account", "account_of_house_once", {"kind": "house", "currency": "EUR"}),
    ("account", "account_of_cash_once", {"kind": "cash"}),
    ("account", "account_balance_not_negative", {"balance": "-0.000000000000000001"}),
    ("account", "account_balance_not_negative", {"balance": "NaN"}),
    ("account", "account_last_seq_not_negative", {"last_seq": -1}),
    ("account", "account_kind", {"kind": "bank"}),
    ("account", "account_kind", {"player_id": None}),
    ("account", "account_kind", {"provider_id": ":provider"}),
    ("account", "account_kind", {"kind": "house", "provider_id": None}),
    ("account", "account_kind", {"kind": "house", "player_id": ":player"}),
    ("account", "account_kind", {"kind": "house", "balance": 0}),
    ("account", "account_kind", {"kind": "cash", "balance": 0}),
    ("account", "account_kind", {"kind": "cash", "player_id": ":player"}),
    ("account", "account_kind", {"kind": "cash", "provider_id": ":provider"}),
    ("account", "account_player_id_exists", {"player_id": 0}),
    ("account", "account_provider_id_exists", {"kind": "house", "provider_id": 0}),
    ("account", "account_currency_exists", {"currency": "NONE"}),
    ("account", "account_wins_of_house", {"max_win": 1}),
    ("account", "account_wins_of_house", {"max_daily_win": 1}),
    ("account", "account_max_win_not_negative", HOUSE | {"max_win": -1}),
    ("account", "account_max_win_not_negative", HOUSE | {"max_win": "NaN"}),
    ("account", "account_max_daily_win_not_negative", HOUSE | {"max_daily_win": -1}),
    ("account", "account_max_daily_win_not_negative", HOUSE | {"max_daily_win": "NaN"}),
    ("win_day", "win_day_key", {"day": "2026-01-03"}),
    ("win_day", "win_day_not_negative", {"day": "2026-01-02", "total": -1}),
    ("win_day", "win_day_not_negative", {"day": "2026-01-02", "total": "NaN"}),
    ("win_day", "win_day_account_id_exists", {"account_id": 0}),
    ("session", "session_key", {"id": ":session"}),
    ("session", "session_min_bet_not_negative", {"min_bet": -1}),
    ("session", "session_min_bet_not_negative", {"min_bet": "NaN"}),
    ("session", "session_max_bet_not_negative", {"max_bet": -1}),
    ("session", "session_max_bet_not_negative", {"max_bet": "NaN"}),
    ("session", "session_limits_in_order", {"min_bet": 2, "max_bet": 1}),
    ("session", "session_provider_id_exists", {"provider_id": 0}),
    ("session", "session_account_id_exists", {"account_id": 0}),
    ("bet", "bet_key", {"id": ":bet"}),
    ("bet", "bet_once", {"bet_id": "known"}),
    ("bet", "bet_stake_not_negative", {"stake": -1}),
    ("bet", "bet_stake_not_negative", {"stake": "NaN"}),
    ("bet", "bet_win_not_negative", {"win": -1}),
    ("bet", "bet_win_not_negative", {"win": "NaN"}),
    ("bet", "bet_opened_by", {"opened_by": "pay_out"}),
    ("bet", "bet_state", {"state": "in_flight"}),
    ("bet", "bet_stake_known", {"stake": None}),
    ("bet", "bet_stake_known", {"opened_by": "refund"}),
    ("bet", "bet_refused_when_rejected", {"state": "rejected"}),
    ("bet", "bet_refused_when_rejected", {"refused_with": 4}),
    ("bet", "bet_reason_of_not_allowed", {"reason": "player_blocked"}),
    ("bet", "bet_reason_of_not_allowed", REJECTED | {"refused_with": 4, "reason": "above_limit"}),
    ("bet", "bet_reason_of_not_allowed", REJECTED | {"reason": "session_closed"}),
    ("bet", "bet_reason_of_not_allowed", REJECTED | {"reason": ""}),
    ("bet", "bet_account_id_exists", {"account_id": 0}),
    ("transfer", "transfer_key", {"id": ":transfer"}),
    ("transfer", "transfer_kind_once", {"kind": "win"}),
    ("transfer", "transfer_account_seq_once", {"account_seq": 1}),
    ("transfer", "transfer_reference_once", {"kind": "deposit", "reference": ":reference"}),
    ("transfer", "transfer_amount_not_negative", {"amount": -1}),
    ("transfer", "transfer_amount_not_negative", {"amount": "NaN"}),
    ("transfer", "transfer_balance_not_negative", {"balance_after": -1}),
    ("transfer", "transfer_balance_not_negative", {"balance_after": "NaN"}),
    ("transfer", "transfer_account_seq_from_one", {"account_seq": 0}),
    ("transfer", "transfer_between_two", {"debit_account": ":account"}),
    ("transfer", "transfer_direction", {"kind": "win_reversal"}),
    ("transfer", "transfer_direction", {"kind": "stake"}),
    ("transfer", "transfer_direction", {"kind": "gift"}),
    ("transfer", "transfer_direction", {"credit_account": ":house", "debit_account": ":account"}),
    ("transfer", "transfer_of_bet_or_reference", {"bet": None}),
    ("transfer", "transfer_of_bet_or_reference", {"reference": "r"}),
    ("transfer", "transfer_of_bet_or_reference", {"kind": "deposit"}),
    ("transfer", "transfer_of_bet_or_reference", {"kind": "deposit", "bet": None}),
    ("transfer", "transfer_bet_exists", {"bet": 0}),
    ("transfer", "transfer_account_exists", {"account": 0, "credit_account": 0}),
    ("journal", "journal_key", {"strand": ":strand"}),
    ("journal", "journal_number_from_one", {"number": 0}),
    ("journal", "journal_names_records", {"transfers": []}),
    ("journal", "journal_of_one_side", {"entries": [1]}),
    ("journal", "journal_hmac_length", {"hmac": b"short"}),
    ("journal_start", "journal_start_key", {"transfer_id": 0}),
    ("refused_order", "refused_order_key", {"id": ":order"}),
    ("finished_round", "finished_round_key", TWICE),
    ("finished_round", "finished_round_id", {"id": ":round"}),
    ("audit_log", "audit_log_key", {"id": 1}),
    ("audit_log", "audit_log_id_from_one", {"id": 0}),
    ("audit_log", "audit_log_facts_named", {"facts": "[]"}),
    ("audit_start", "audit_start_key", {"kind": "player"}),
    ("session", "session_mode", {"mode": "fun"}),
    ("operator_key", "operator_key_key", {"id": ":operator_key"}),
    ("operator_key", "operator_key_name_once", {"name": "known"}),
    ("operator_key", "operator_key_hash_is_sha256", {"hash": b"short"}),
    ("idempotent_request", "idempotent_request_key", {"name": "known"}),
    ("console_user", "console_user_key", {"id": ":user"}),
    ("console_user", "console_user_name_once", {"name": "known"}),
    ("console_user", "console_user_role", {"role": "root"}),
    ("console_session", "console_session_key", {"hash": bytes(32)}),
    ("console_session", "console_session_user_id_exists", {"user_id": 0}),
    ("console_session", "console_session_hash_is_sha256", {"hash": b"short"}),
    ("last_done", "last_done_key", {"chore": "seal"}),
    ("last_done", "last_done_chore", {"chore": "dinner"}),
    ("gateway_minute", "gateway_minute_key", TWICE),
    ("catalogue", "catalogue_key", TWICE),
    ("catalogue", "catalogue_provider_id_exists", {"provider_id": 0}),
    ("game", "game_key", TWICE),
    ("game", "game_max_odd_not_negative", {"max_odd": -1}),
    ("game", "game_max_odd_not_negative", {"max_odd": "NaN"}),
    ("game", "game_provider_id_exists", {"provider_id": 0}),
    ("game_change", "game_change_key", TWICE),
    ("game_change", "game_change_kind", {"change": "lost"}),
    ("game_change", "game_change_provider_id_exists", {"provider_id": 0}),
    ("sandbox_mark", "sandbox_mark_key", TWICE),
    ("sandbox_mark", "sandbox_mark_once", {"id": 2}),
    ("sandbox_token", "sandbox_token_key", TWICE),
    ("sandbox_token", "sandbox_token_hash_is_sha256", {"hash": b"short"}),
    ("sandbox_token", "sandbox_token_provider_id_exists", {"provider_id": 0}),
]

CHANGES = {
    "update": "update transfer set amount = amount + 1 where id = %(transfer)s",
    "an update that changes nothing": "update transfer set id = id where id = %(transfer)s",
    "delete": "delete from transfer where id = %(transfer)s",
    "truncate": "truncate transfer",
    "truncate of what it refers to": "truncate bet cascade",
    "an insert that would update": """
        insert into transfer select * from transfer where id = %(transfer)s
        on conflict (id) do update set amount = 0
    """,
    "merge": """
        merge into transfer t using (select %(transfer)s::bigint id) s on t.id = s.id
        when matched then delete
    """,
}


class Ground:
    """A connection whose work is never committed, and what is known of a player with a bet."""

    def __init__(self, connection: psycopg.Connection, known: Row) -> None:
        self.connection = connection
        self.known = known

    def row(self, table: str, changed: Row) -> Row:
        """A valid row, except for the fields that are changed."""
        kind = changed.get("kind")
        rows: dict[str, Row] = {
            "currency": {"code": "NEW", "decimals": 18},
            "provider": {"counterparty_id": "new", "name": "new", "status": "active"},
            "provider_secret": {"provider_id": ":provider", "key": "k", "ciphertext": b""},
            "player": {"external_id": "new", "status": "active"},
            "account": {"kind": "player", "player_id": ":player", "currency": "USD", "balance": 0},
            "session": {"id": "new", "account_id": ":account", "expires_at": "now"},
            "bet": {"id": 1, "bet_id": "new", "account_id": ":account", "session_id": ":session"},
            "transfer": {"id": 1, "bet": ":bet", "kind": "refund", "debit_account": ":house"},
            "journal": {"strand": "1" * 32, "number": 1, "key": "k", "transfers": [1]},
            "journal_start": {"transfer_id": 1},
            "refused_order": {"id": "new"},
            "finished_round": {"account_id": ":account", "provider_id": ":provider"},
            "audit_log": {"id": 10**9, "actor": "a", "action": "b", "subject_table": "player"},
            "audit_start": {"kind": "new", "until": 1},
            "last_done": {"chore": "backup"},
            "win_day": {"account_id": ":house", "day": "2026-01-01"},
            "operator_key": {"name": "new", "scopes": "all", "hash": bytes(32)},
            "idempotent_request": {"key_id": ":operator_key", "name": "new", "fingerprint": b""},
            "console_user": {"name": "new", "role": "admin", "hash": ""},
            "console_session": {"hash": bytes(31) + b"1", "user_id": ":user", "expires_at": "now"},
            "gateway_minute": {"minute": "1999-01-01", "answers": 1, "figures": "{}"},
            "catalogue": {"provider_id": ":provider"},
            "game": {"provider_id": ":provider", "game_id": "new", "name": "new"},
            "game_change": {"id": 10**9, "provider_id": ":provider", "game_id": "new"},
            "sandbox_mark": {"id": 1},
            "sandbox_token": {"provider_id": ":provider", "hash": bytes(32)},
        }
        rows["game_change"] |= {"change": "added", "name": "new"}
        rows["finished_round"] |= {"round_id": "new"}
        rows["journal"] |= {"fingerprints": b"", "hmac": bytes(32)}
        rows["audit_log"] |= {"subject": "1", "facts": "{}"}
        rows["session"] |= {"provider_id": ":provider"}
        rows["bet"] |= {"provider_id": ":provider", "opened_by": "pay_in_out", "state": "settled"}
        rows["bet"] |= {"stake": 1, "win": 1}
        rows["transfer"] |= {"credit_account": ":account", "account": ":account", "amount": 1}
        rows["transfer"] |= {"account_seq": 9, "balance_after": 1, "month": "2026-01-01"}
        if kind in ("house", "cash"):
            rows["account"] |= {"player_id": None, "balance": None}
            rows["account"] |= {"provider_id": ":provider" if kind == "house" else None}
        if "reference" in changed and kind == "deposit":
            rows["transfer"] |= {"bet": None}
        return {name: self._value(value) for name, value in (rows[table] | changed).items()}

    def insert(self, table: str, row: Row) -> None:
        """Insert a row."""
        statement = sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        )
        self.connection.execute(statement, row)

    def _value(self, value: Any) -> Any:
        return self.known[value[1:]] if isinstance(value, str) and value[:1] == ":" else value


def who_may_enter(world: World) -> Row:
    """A key of the operator API with a request, and a user of the console with a session."""
    [(operator_key,)] = world.rows(
        "insert into operator_key (name, scopes, hash) values ('known', 'all', %s) returning id",
        bytes(32),
    )
    asked_once = (
        "insert into idempotent_request (key_id, name, fingerprint) values (%s, 'known', '')"
    )
    world.execute(asked_once, operator_key)
    [(user,)] = world.rows(
        "insert into console_user (name, role, hash) values ('known', 'admin', '') returning id"
    )
    entered = "insert into console_session (hash, user_id, expires_at) values (%s, %s, now())"
    world.execute(entered, bytes(32), user)
    return {"operator_key": operator_key, "user": user}


@pytest.fixture(scope="module")
def known(ledger_world: World) -> Row:
    """A provider and a player with a bet and a deposit: their ids, names and the like."""
    ledger_world.currency("USD", 2)
    [player] = new_players(ledger_world, "10")
    deposit = player.deposit(1)
    refused = Withdrawal(player.account_id, "refused", Decimal(1000), "a refused order")
    bet = player.bet(2, 3, "known", round_id="known", round_finished=True)
    taken, *_ = apply(ledger_world, bet, deposit, refused)
    asked = """
        select p.counterparty_id, p.name, s.id, player.id, player.external_id, house.id, t.bet,
               j.strand, (select id from finished_round where account_id = a.id)
        from provider p
        join provider_secret s on s.provider_id = p.id
        join account house on house.provider_id = p.id
        join account a on a.id = %s
        join player on player.id = a.player_id
        join transfer t on t.id = %s
        join journal j on t.id = any(j.transfers)
        where p.id = %s
    """
    [row] = ledger_world.rows(asked, player.account_id, taken.ids[1], player.provider_id)
    names = ("counterparty", "provider_name", "secret", "player", "external", "house", "bet")
    known = dict(zip((*names, "strand", "round"), row, strict=True))
    counted = "insert into win_day (account_id, day) values (%s, '2026-01-03')"
    ledger_world.execute(counted, known["house"])
    ledger_world.execute("insert into last_done (chore) values ('seal') on conflict do nothing")
    return known | {
        **who_may_enter(ledger_world),
        "provider": player.provider_id,
        "account": player.account_id,
        "session": player.session_id,
        "transfer": taken.ids[1],
        "order": refused.order_id,
        "reference": deposit.reference,
    }


@pytest.fixture
def ground(ledger_world: World, known: Row) -> Iterator[Ground]:
    """Ground of the test's own, where nothing is ever committed."""
    with psycopg.connect(ledger_world.urls.database) as connection:
        yield Ground(connection, known)
        connection.rollback()


@pytest.mark.parametrize("table", sorted({table for table, _, _ in VIOLATIONS}))
def test_the_rows_the_violations_begin_from_are_right(ground: Ground, table: str) -> None:
    row = ground.row(table, {})

    ground.insert(table, row)

    assert ground.connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


@pytest.mark.parametrize(("table", "constraint", "changed"), VIOLATIONS)
def test_a_wrong_row_is_refused_by_the_constraint_that_names_what_is_wrong(
    ground: Ground, table: str, constraint: str, changed: Row
) -> None:
    if changed == TWICE:
        ground.insert(table, ground.row(table, changed))

    with pytest.raises(IntegrityError) as refusal:
        ground.insert(table, ground.row(table, changed))

    assert refusal.value.diag.constraint_name == constraint


def test_no_constraint_is_left_out(ledger_world: World) -> None:
    named = """
        select conname from pg_constraint
        where connamespace = 'public'::regnamespace and contype <> 'n'
        union
        select indexrelid::regclass::text from pg_index
        where indisunique and indrelid::regclass::text !~ '^pg_'
    """

    names = {name for (name,) in ledger_world.rows(named)} - {"alembic_version_pkc"}

    assert names == {constraint for _, constraint, _ in VIOLATIONS}


@pytest.mark.parametrize("change", CHANGES)
def test_a_transfer_is_never_changed_and_never_deleted(ground: Ground, change: str) -> None:
    with pytest.raises(IntegrityError) as refusal:
        ground.connection.execute(CHANGES[change].encode(), ground.known)

    assert refusal.value.diag.constraint_name == "transfer_append_only"
