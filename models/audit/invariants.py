"""The rules about recorded money as SQL. Each statement finds rows that break a rule.

Its one column, `problem`, is a sentence with the ids concerned. It has no rows when all is well.
"""

#: A single transfer: what it refers to exists and fits, and its amount is valid in its currency.
TRANSFERS = """
select problem from (
  select case
    when player.id is null then
      format('Transfer %s belongs to account %s, which does not exist.', t.id, t.account)
    when player.kind <> 'player' then
      format('Transfer %s belongs to account %s, which is not a player''s.', t.id, t.account)
    when debit.id is null then
      format('Transfer %s debits account %s, which does not exist.', t.id, t.debit_account)
    when credit.id is null then
      format('Transfer %s credits account %s, which does not exist.', t.id, t.credit_account)
    when t.bet is not null and b.id is null then
      format('Transfer %s is of bet row %s, which does not exist.', t.id, t.bet)
    when (t.bet is null) <> (t.kind in ('deposit', 'withdrawal')) then
      format('Transfer %s is a %s %s a bet.', t.id, t.kind,
             case when t.bet is null then 'without' else 'with' end)
    when (t.reference is null) = (t.kind in ('deposit', 'withdrawal')) then
      format('Transfer %s is a %s %s a reference.', t.id, t.kind,
             case when t.reference is null then 'without' else 'with' end)
    when b.account_id <> t.account then
      format('Transfer %s belongs to account %s, but its bet row %s to account %s.',
             t.id, t.account, b.id, b.account_id)
    when debit.currency <> credit.currency then
      format('Transfer %s moves %s of account %s to %s of account %s.',
             t.id, debit.currency, debit.id, credit.currency, credit.id)
    when t.account not in (t.debit_account, t.credit_account) then
      format('Transfer %s does not move the money of its account %s.', t.id, t.account)
    when (t.credit_account = t.account) <> (t.kind in ('win', 'refund', 'deposit')) then
      format('Transfer %s is a %s in the wrong direction.', t.id, t.kind)
    when t.kind = 'deposit' and debit.kind <> 'cash' then
      format('Transfer %s is a deposit from account %s, which is not the cash account of %s.',
             t.id, debit.id, debit.currency)
    when t.kind = 'withdrawal' and credit.kind <> 'cash' then
      format('Transfer %s is a withdrawal to account %s, which is not the cash account of %s.',
             t.id, credit.id, credit.currency)
    when t.bet is not null and house.id is null then
      format('Transfer %s is a %s against account %s, which is not the house account of provider'
             ' row %s.', t.id, t.kind, t.debit_account + t.credit_account - t.account,
             b.provider_id)
    when t.amount < 0 or t.balance_after < 0 then
      format('Transfer %s moves %s and leaves %s: neither may be negative.',
             t.id, trim_scale(t.amount), trim_scale(t.balance_after))
    when scale(trim_scale(t.amount)) > c.decimals then
      format('Transfer %s moves %s %s, a currency with %s decimals.',
             t.id, trim_scale(t.amount), c.code, c.decimals)
  end as problem
  from transfer t
  left join account player on player.id = t.account
  left join account debit on debit.id = t.debit_account
  left join account credit on credit.id = t.credit_account
  left join currency c on c.code = player.currency
  left join bet b on b.id = t.bet
  left join account house on house.kind = 'house' and house.provider_id = b.provider_id
    and house.id = case when t.debit_account = t.account then credit.id else debit.id end
) found
where problem is not null
"""

#: The transfers of each account: numbered from 1 without a gap, each balance following the last.
CHAINS = """
select case when seq <> before_seq + 1
  then format('Account %s: transfer %s has number %s, but the one before it has number %s.',
              account, id, seq, before_seq)
  else format('Account %s: transfer %s (number %s) leaves %s, but %s %s %s gives %s.',
              account, id, seq, trim_scale(balance), trim_scale(before_balance), sign,
              trim_scale(amount), trim_scale(expected))
  end as problem
from (
  select *, before_balance + case sign when '+' then amount else -amount end as expected
  from (
    select account, id, account_seq as seq, balance_after as balance, amount,
           case when credit_account = account then '+' else '-' end as sign,
           lag(account_seq, 1, 0::bigint) over chain as before_seq,
           lag(balance_after, 1, 0::numeric) over chain as before_balance
    from transfer
    window chain as (partition by account order by account_seq, id)
  ) links
) checked
where seq <> before_seq + 1 or balance <> expected
"""

#: Each account as its last transfer left it. Only players' accounts hold a balance.
ACCOUNTS = """
select problem from (
  select case
    when a.kind <> 'player' and (a.balance is not null or a.last_seq <> 0) then
      format('Account %s is a %s account, but holds a balance or counts transfers.', a.id, a.kind)
    when a.kind <> 'player' then null
    when a.last_seq <> coalesce(t.account_seq, 0) then
      format('Account %s counts %s transfers, but the last that it has is number %s.',
             a.id, a.last_seq, coalesce(t.account_seq, 0))
    when a.balance is distinct from coalesce(t.balance_after, 0) then
      format('Account %s holds %s, but its transfers leave %s.',
             a.id, trim_scale(a.balance), trim_scale(coalesce(t.balance_after, 0)))
  end as problem
  from account a
  left join lateral (
    select account_seq, balance_after from transfer
    where account = a.id order by account_seq desc limit 1
  ) t on true
) found
where problem is not null
"""

#: Each bet: a possible course, and exactly the transfers of that course (PROTOCOL.md, the table of
#: bets and rule 3). A rejected bet may have been refunded: then it has that mark, and no other.
BETS = """
select problem from (
  select case
    when decimals is null then
      format('%s is of account %s, which does not exist.', named, account_id)
    when (opened_by, state, win is not null) not in (
      ('pay_in', 'open', false), ('pay_in', 'settled', true),
      ('pay_in', 'refunded', false), ('pay_in', 'refunded', true), ('pay_in', 'rejected', false),
      ('pay_in_out', 'settled', true), ('pay_in_out', 'refunded', true),
      ('pay_in_out', 'rejected', true), ('refund', 'cancelled', false)
    ) or (stake is null) <> (opened_by = 'refund') then
      format('%s has the stake %s and the win %s, which no bet opened by %s can.', named,
             coalesce(trim_scale(stake)::text, 'none'), coalesce(trim_scale(win)::text, 'none'),
             opened_by)
    when scale(trim_scale(stake)) > decimals or scale(trim_scale(win)) > decimals then
      format('%s has the stake %s and the win %s in a currency with %s decimals.', named,
             trim_scale(stake), coalesce(trim_scale(win)::text, 'none'), decimals)
    when transfers <> expected and not (state = 'rejected' and transfers = 'refund 0') then
      format('%s has the transfers [%s], but should have [%s].', named, transfers, expected)
  end as problem
  from (
    select b.*, c.decimals, coalesce(t.transfers, '') as transfers,
      format('Bet row %s (%s, %s by %s)', b.id, to_json(b.bet_id), b.state, b.opened_by) as named,
      concat_ws(', ',
        'refund ' || trim_scale(case b.state when 'refunded' then b.stake
                                             when 'cancelled' then 0 end),
        'stake ' || trim_scale(case when b.state in ('open', 'settled', 'refunded')
                                    then b.stake end),
        'win ' || trim_scale(case when b.state in ('settled', 'refunded') then b.win end),
        'win_reversal ' || trim_scale(case b.state when 'refunded' then b.win end)
      ) as expected
    from bet b
    left join account a on a.id = b.account_id
    left join currency c on c.code = a.currency
    left join (
      select bet, string_agg(kind || ' ' || trim_scale(amount), ', ' order by kind collate "C", id)
                  as transfers
      from transfer where bet is not null group by bet
    ) t on t.bet = b.id
  ) judged
) found
where problem is not null
"""

#: Each sum of the wins of a day (docs/adr/0024) against the transfers of that day. Wins are counted
#: while a limit per day is set, which the audit log tells. A batch that begins at the moment of a
#: change may know the limit of before or after it, so a minute on that side is not counted on.
DAILY_WINS = """
with change as (
  select subject::bigint as account, created_at as at, facts ->> 'maxDailyWin' as most,
         lag(facts ->> 'maxDailyWin', 1, 'none') over entries as most_before,
         lead(facts ->> 'maxDailyWin') over entries as most_after,
         lead(created_at, 1, 'infinity') over entries as until
  from audit_log
  where subject_table = 'account' and subject ~ '^[0-9]{1,18}$' and facts ->> 'maxDailyWin' <> ''
  window entries as (partition by subject order by id)
), limited as (
  select account, at + case most_before when 'none' then interval '1 minute' else '0' end as since,
         until - case most_after when 'none' then interval '1 minute' else '0' end as until
  from change where most <> 'none'
), won as (
  select t.debit_account as account, (t.created_at at time zone 'UTC')::date as day,
         sum(t.amount) as at_most,
         coalesce(sum(t.amount) filter (where exists (
           select from limited l
           where l.account = t.debit_account and t.created_at >= l.since and t.created_at < l.until
         )), 0) as at_least
  from transfer t
  where t.kind = 'win'
    and t.debit_account in (select account from limited union select account_id from win_day)
  group by 1, 2
), compared as (
  select coalesce(kept.account_id, won.account) as account, coalesce(kept.day, won.day) as day,
         coalesce(kept.total, 0) as total, coalesce(won.at_least, 0) as at_least,
         coalesce(won.at_most, 0) as at_most
  from win_day kept
  full join won on won.account = kept.account_id and won.day = kept.day
)
select format('The wins of %s of provider %s in %s are kept as %s, but its transfers have %s.',
              day, coalesce(p.counterparty_id, 'none'), a.currency, trim_scale(total),
              case when at_least = at_most then trim_scale(at_most)::text
                   else format('%s to %s', trim_scale(at_least), trim_scale(at_most)) end)
  as problem
from compared join account a on a.id = compared.account left join provider p on p.id = a.provider_id
where total < at_least or total > at_most
order by day, compared.account
"""

#: A finished round takes no stake (docs/adr/0031): none has a greater number in its account than
#: the account had when the round was finished. A win without a stake is owed all the same. A round
#: that is older than the number does not have it.
LATE_STAKES = """
select format('Bet row %s (%s) took a stake (transfer %s) in the round %s, which was finished'
              ' before that.', b.id, to_json(b.bet_id), t.id, to_json(f.round_id)) as problem
from finished_round f
join bet b on b.account_id = f.account_id and b.provider_id = f.provider_id
  and b.round_id = f.round_id
join transfer t on t.bet = b.id and t.kind = 'stake'
where t.account_seq > f.account_seq
  and not (b.opened_by = 'pay_in_out' and b.stake = 0 and b.win > 0)
order by b.id
"""

#: A bet has a game of its own only if its session was opened for none.
GAMES = """
select format('Bet row %s (%s) has the game %s, but its session was opened for the game %s.',
              b.id, to_json(b.bet_id), to_json(b.game), to_json(s.game)) as problem
from bet b join session s on s.id = b.session_id
where b.game is not null and s.game is not null
order by b.id
"""

#: The invariants in the order of checking, by the rows that they check.
INVARIANTS = {
    "transfers": TRANSFERS,
    "chains of balances": CHAINS,
    "accounts": ACCOUNTS,
    "bets": BETS,
    "wins per day": DAILY_WINS,
    "stakes in finished rounds": LATE_STAKES,
    "games of bets": GAMES,
}
