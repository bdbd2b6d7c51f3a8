"""What the journal vouches for: four kinds of records, each as text, in Python and in SQL.

A record has fields in a fixed order. Each field ends with a sign that it cannot hold, or begins
with its length. So no two records, and no two lists of records, have the same text (docs/adr/0010,
docs/adr/0016, docs/adr/0037).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from models.keys import Purpose
from models.ledger.state import Bet, Moment, Round, Transfer
from models.money import plain

_JSON = json.JSONEncoder(ensure_ascii=False)


class Records(NamedTuple):
    """The ids that one row of the journal names, in the order in which it vouches for them."""

    transfers: Sequence[int] = ()
    bets: Sequence[int] = ()
    entries: Sequence[int] = ()
    rounds: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the audit log. Its time is that of the transaction which inserts it."""

    id: int
    actor: str
    action: str
    table: str
    subject: str
    facts: Mapping[str, str]
    note: str | None


class Kind(NamedTuple):
    """A kind of record: where its rows are, and how a row becomes text."""

    name: str
    plural: str
    column: str  # the journal's column with the ids; it has this name in `Records` too
    purpose: Purpose  # that of the key which signs rows with such records
    table: str
    alias: str
    line: str  # null if a field that is never null is null
    edited: str = "it is not"  # how to name what differs when a record was edited
    more: str = ""  # what the line needs besides the row itself
    only: str = "true"  # which rows of the table are such records
    start: str = "select 0"  # the last id that may be older than the journal of such records

    @property
    def joined(self) -> str:
        """The row of an id in `named`, for a `join` or a `left join`."""
        return f"{self.table} {self.alias} on {self.alias}.id = named.id {self.more}"


TRANSFER = Kind(
    name="transfer",
    plural="transfers",
    column="transfers",
    purpose=Purpose.JOURNAL,
    table="transfer",
    alias="t",
    edited="it or its bet is not",
    more="left join bet b on b.id = t.bet",
    start="select transfer_id from journal_start",
    line="""(
    t.id || '|' || coalesce(t.bet::text, '') || '|' || t.debit_account || '|' || t.credit_account
    || '|' || trim_scale(t.amount) || '|' || t.account || '|' || t.account_seq
    || '|' || trim_scale(t.balance_after) || '|' || to_char(t.month, 'YYYY-MM-DD')
    || '|' || trim_scale(extract(epoch from t.created_at) * 1000000)
    || '|' || coalesce(b.provider_id::text, '') || '|' || length(t.kind) || ':' || t.kind
    || '|' || coalesce(length(t.reference) || ':' || t.reference, '')
    || '|' || coalesce(length(b.bet_id) || ':' || b.bet_id, '') || ';'
)""",
)

#: A bet that was refused and is recorded. It has no transfer that could vouch for it.
REJECTED_BET = Kind(
    name="rejected bet",
    plural="rejected bets",
    column="bets",
    purpose=Purpose.JOURNAL,
    table="bet",
    alias="r",
    only="r.state = 'rejected'",
    start="select until from audit_start where kind = 'bet'",
    line="""(
    'bet|' || r.id || '|' || r.provider_id || '|' || r.account_id
    || '|' || trim_scale(extract(epoch from r.created_at) * 1000000)
    || '|' || length(r.state) || ':' || r.state
    || '|' || length(r.opened_by) || ':' || r.opened_by
    || '|' || coalesce(trim_scale(r.stake)::text, '')
    || '|' || coalesce(trim_scale(r.win)::text, '')
    || '|' || coalesce(trim_scale(r.odd)::text, '') || '|' || coalesce(r.refused_with::text, '')
    || '|' || length(r.bet_id) || ':' || r.bet_id
    || '|' || length(r.session_id) || ':' || r.session_id
    || '|' || coalesce(length(r.round_id) || ':' || r.round_id, '')
    || '|' || coalesce(length(r.reason) || ':' || r.reason, '') || ';'
)""",
)

AUDIT_ENTRY = Kind(
    name="audit entry",
    plural="audit entries",
    column="entries",
    purpose=Purpose.OPERATOR,
    table="audit_log",
    alias="e",
    line="""(
    'audit|' || e.id || '|' || trim_scale(extract(epoch from e.created_at) * 1000000)
    || '|' || length(e.actor) || ':' || e.actor || '|' || length(e.action) || ':' || e.action
    || '|' || length(e.subject_table) || ':' || e.subject_table
    || '|' || length(e.subject) || ':' || e.subject
    || '|' || length(e.facts::text) || ':' || e.facts::text
    || '|' || coalesce(length(e.note) || ':' || e.note, '') || ';'
)""",
)

#: A round that takes no stake of an account any more. Its id is for the journal alone. A row that
#: is older than these ids has none, until `betcore ledger adopt` gives it one.
FINISHED_ROUND = Kind(
    name="finished round",
    plural="finished rounds",
    column="rounds",
    purpose=Purpose.JOURNAL,
    table="finished_round",
    alias="f",
    only="f.id is not null",
    start="select -9223372036854775808",  # every row with an id is vouched for
    line="""(
    'round|' || f.id || '|' || f.account_id || '|' || f.provider_id
    || '|' || coalesce(f.account_seq::text, '')
    || '|' || trim_scale(extract(epoch from f.created_at) * 1000000)
    || '|' || length(f.round_id) || ':' || f.round_id || ';'
)""",
)

#: In the order in which a row of the journal vouches for them.
KINDS = (TRANSFER, REJECTED_BET, AUDIT_ENTRY, FINISHED_ROUND)


def transfer_line(transfer: Transfer, moment: Moment) -> str:
    """A transfer as text. `moment` is that of the transaction which inserts it."""
    bet, reference = transfer.bet, transfer.reference
    bet_row = month = provider = bet_id = ""
    if bet is not None:
        bet_row, month, provider = str(bet.id), bet.month or "", str(bet.provider_id)
        bet_id = f"{len(bet.bet_id)}:{bet.bet_id}"
    return (
        f"{transfer.id}|{bet_row}|{transfer.debit_account_id}|{transfer.credit_account_id}|"
        f"{plain(transfer.amount)}|{transfer.account_id}|{transfer.account_seq}|"
        f"{plain(transfer.balance_after)}|{month or moment.month}|{moment.micros}|{provider}|"
        f"{len(transfer.kind)}:{transfer.kind}|"
        f"{'' if reference is None else _sized(reference)}|{bet_id};"
    )


def bet_line(bet: Bet, moment: Moment) -> str:
    """A rejected bet as text. `moment` is that of the transaction which inserts it."""
    amounts = [None if a is None else plain(a) for a in (bet.stake, bet.win, bet.odd)]
    stake, win, odd = ["" if amount is None else amount for amount in amounts]
    return (
        f"bet|{bet.id}|{bet.provider_id}|{bet.account_id}|{moment.micros}|{_sized(bet.state)}|"
        f"{_sized(bet.opened_by)}|{stake}|{win}|{odd}|"
        f"{'' if bet.refused_with is None else bet.refused_with}|{_sized(bet.bet_id)}|"
        f"{_sized(bet.session_id)}|{'' if bet.round_id is None else _sized(bet.round_id)}|"
        f"{'' if bet.reason is None else _sized(bet.reason)};"
    )


def round_line(of_round: Round, moment: Moment) -> str:
    """A finished round as text. `moment` is that of the transaction which inserts it."""
    account_id, provider_id, round_id = of_round.key
    return (
        f"round|{of_round.id}|{account_id}|{provider_id}|{of_round.account_seq}|{moment.micros}|"
        f"{_sized(round_id)};"
    )


def entry_line(entry: Entry, micros: str) -> str:
    """An entry of the audit log as text. `micros` is the time of its transaction."""
    return (
        f"audit|{entry.id}|{micros}|{_sized(entry.actor)}|{_sized(entry.action)}|"
        f"{_sized(entry.table)}|{_sized(entry.subject)}|{_sized(as_jsonb(entry.facts))}|"
        f"{'' if entry.note is None else _sized(entry.note)};"
    )


def as_jsonb(facts: Mapping[str, str]) -> str:
    """Facts as the text that PostgreSQL makes of them in a column of type `jsonb`.

    It sorts names by their number of bytes first.
    """
    names = sorted(facts, key=lambda name: (len(name.encode()), name.encode()))
    return _JSON.encode({name: facts[name] for name in names})


def _sized(text: str) -> str:
    return f"{len(text)}:{text}"
