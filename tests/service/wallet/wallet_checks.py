"""What must hold of the wallet's books and answers, after any calls in any order."""

from collections.abc import Sequence

from tests.service.support.client import Answer
from tests.service.support.world import World

#: What each id in an answer names.
KINDS = {"betTransactionId": "stake", "winTransactionId": "win", "refundTransactionId": "refund"}

#: Transfers that do not follow the one before, accounts that do not end with their last, and
#: transfers between two currencies.
_FAULTS = """
    with link as (
        select *, lag(account_seq, 1, 0::bigint) over w + 1 as seq,
               lag(balance_after, 1, 0::numeric) over w
               + case when credit_account = account then amount else -amount end as balance
        from transfer where account = any(%s)
        window w as (partition by account order by account_seq)
    )
    select 'chain', id from link where (account_seq, balance_after) <> (seq, balance)
    union all
    select 'end', a.id from account a
    where a.id in (select account from link) and (a.last_seq, a.balance) not in (
        select account_seq, balance_after from link l where l.account = a.id
    )
    union all
    select 'currency', link.id from link
    join account debit on debit.id = debit_account join account credit on credit.id = credit_account
    where debit.currency <> credit.currency
    union all
    select 'twice', min(id) from link where bet is not null group by bet, kind having count(*) > 1
"""


def ids_of(answer: Answer) -> dict[str, int]:
    """The transfers that an answer names, by the kind each has to be of."""
    return {kind: int(answer.body[name]) for name, kind in KINDS.items() if name in answer.body}


def assert_names_its_transfers(world: World, answer: Answer, account_id: int, bet_id: str) -> None:
    """That ids are in an answer of code 1 alone, each of a transfer of that kind of this bet."""
    ids = ids_of(answer)
    assert bool(ids) == (answer.code == 1), answer
    found = world.rows(
        "select t.kind, t.id from transfer t join bet b on b.id = t.bet"
        " where t.id = any(%s) and t.account = %s and b.bet_id = %s",
        *(list(ids.values()), account_id, bet_id),
    )
    assert dict(found) == ids


def assert_accounts_are_whole(world: World, account_ids: Sequence[int]) -> None:
    """Assert that each chain of transfers has no gap and ends at the balance, in one currency."""
    assert world.rows(_FAULTS, sorted(set(account_ids))) == []
