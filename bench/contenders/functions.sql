-- The whole ledger of the rivals `tuned-direct` and `sql-function`: one call of one function is one
-- request, load, decision and writes together, on our own tables. The rules are those of
-- models/ledger/bet_cells.py.
--
-- Each function locks the account first, then reads the session in a later statement, so that it
-- sees what was committed until the lock was granted. Its answer: the code, the ids of the
-- transfers that the call names, and the player's balance as the text of an exact number.
--
-- The inserts of transfers repeat each other on purpose. PostgreSQL runs a function that writes as a
-- call of its own, which costs the rival 1.3 us for each transfer (of 18.5 us, measured).

create schema if not exists bench;

-- What the stake of a bet that is recorded already is answered with: repeated, refused, or 7.
create or replace function bench.recorded(
    in_provider integer, in_account bigint, in_bet text, in_round text, in_stake numeric,
    in_win numeric, out code integer, out stake_id bigint, out win_id bigint
) language plpgsql as $$
declare
    b bet;
begin
    select * into b from bet where provider_id = in_provider and bet_id = in_bet;
    if not found then
        return;
    end if;
    code := case
        when b.account_id <> in_account then 7
        when b.round_id <> in_round then 7  -- where both name one
        when b.state = 'rejected' then
            case when b.opened_by = case when in_win is null then 'pay_in' else 'pay_in_out' end
                      and b.stake = in_stake and b.win is not distinct from in_win
                 then b.refused_with else 7 end
        when in_win is null then
            case when b.opened_by = 'pay_in' and b.state in ('open', 'settled')
                      and b.stake = in_stake then 1 else 7 end
        when b.opened_by = 'pay_in_out' and b.state = 'settled'
             and b.stake = in_stake and b.win = in_win then 1
        else 7
    end;
    if code = 1 then
        select id into stake_id from transfer where bet = b.id and kind = 'stake';
        select id into win_id from transfer
        where bet = b.id and kind = 'win' and in_win is not null;
    end if;
end $$;

-- pay-in (`in_win` is null) and pay-in-out.
create or replace function bench.take(
    in_provider integer, in_session text, in_account bigint, in_bet text, in_round text,
    in_stake numeric, in_win numeric, in_odd numeric,
    out code integer, out stake_id bigint, out win_id bigint, out balance text
) language plpgsql as $$
declare
    held record;
    at record;
    this_month date := date_trunc('month', now() at time zone 'UTC')::date;
    row_id bigint;
    after numeric;
    owed boolean;
    cause text;
begin
    select a.balance, a.last_seq, a.player_id, a.currency into held
    from account a where a.id = in_account for no key update;
    select house.id as house, s.min_bet, s.max_bet,
           s.closed_at is not null or s.expires_at <= clock_timestamp() as ended,
           player.status <> 'active' as blocked, provider.status <> 'active' as suspended
    into at
    from session s
    join provider on provider.id = s.provider_id
    join player on player.id = held.player_id
    join account house on house.provider_id = s.provider_id and house.currency = held.currency
    where s.id = in_session and s.provider_id = in_provider and s.account_id = in_account;
    if not found then
        code := 3;
        return;
    end if;
    balance := trim_scale(held.balance)::text;
    owed := in_stake = 0 and coalesce(in_win, 0) > 0;  -- a win without a stake
    cause := case
        when owed then case when at.suspended then 'provider_suspended' end
        when at.ended then 'session'
        when at.blocked then 'player_blocked'
        when at.suspended then 'provider_suspended'
        when in_stake > 0 and in_stake < at.min_bet then 'below_limit'
        when in_stake > at.max_bet then 'above_limit'
    end;
    code := case
        when cause = 'session' then 3
        when cause is not null then 5
        when in_stake > held.balance then 4
        else 1
    end;

    -- The look-up of the bet comes first; on the way to a new bet the insert is that look-up.
    if code = 3 or code = 5 and owed then
        select coalesce(r.code, take.code), r.stake_id, r.win_id into code, stake_id, win_id
        from bench.recorded(in_provider, in_account, in_bet, in_round, in_stake, in_win) r;
        return;
    end if;
    insert into bet (id, provider_id, bet_id, account_id, session_id, round_id, opened_by, state,
                     stake, win, odd, refused_with, reason)
    values (nextval('ledger_ids'), in_provider, in_bet, in_account, in_session, in_round,
            case when in_win is null then 'pay_in' else 'pay_in_out' end,
            case when code <> 1 then 'rejected' when in_win is null then 'open'
                 else 'settled' end,
            in_stake, in_win, in_odd, nullif(code, 1), case code when 5 then cause end)
    on conflict (provider_id, bet_id) do nothing
    returning id into row_id;
    if row_id is null then
        select r.code, r.stake_id, r.win_id into code, stake_id, win_id
        from bench.recorded(in_provider, in_account, in_bet, in_round, in_stake, in_win) r;
        return;
    end if;
    if code <> 1 then
        return;
    end if;

    stake_id := row_id + 1;
    after := held.balance - in_stake;
    if in_win is null then
        insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                              account_seq, balance_after, month)
        values (stake_id, row_id, 'stake', in_account, at.house, in_stake, in_account,
                held.last_seq + 1, after, this_month);
        update account a set balance = after, last_seq = held.last_seq + 1
        where a.id = in_account;
    else
        win_id := row_id + 2;
        -- One statement where two would do: each costs its start.
        with moved as (
            insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                                  account_seq, balance_after, month)
            values (stake_id, row_id, 'stake', in_account, at.house, in_stake, in_account,
                    held.last_seq + 1, after, this_month),
                   (win_id, row_id, 'win', at.house, in_account, in_win, in_account,
                    held.last_seq + 2, after + in_win, this_month)
        )
        update account a set balance = after + in_win, last_seq = held.last_seq + 2
        where a.id = in_account;
        after := after + in_win;
    end if;
    balance := trim_scale(after)::text;
end $$;

create or replace function bench.pay_out(
    in_provider integer, in_session text, in_account bigint, in_bet text, in_win numeric,
    in_odd numeric, out code integer, out win_id bigint, out balance text
) language plpgsql as $$
declare
    held record;
    house bigint;
    b bet;
    after numeric;
begin
    select a.balance, a.last_seq, a.currency into held
    from account a where a.id = in_account for no key update;
    select h.id into house
    from session s
    join account h on h.provider_id = s.provider_id and h.currency = held.currency
    where s.id = in_session and s.provider_id = in_provider and s.account_id = in_account;
    if not found then
        code := 3;
        return;
    end if;
    balance := trim_scale(held.balance)::text;
    select * into b from bet where provider_id = in_provider and bet_id = in_bet;
    code := case
        when b.id is null then 6
        when b.account_id <> in_account then 7
        when b.state = 'rejected' then 6
        when b.state = 'open' then 1
        when b.state = 'settled' and b.opened_by = 'pay_in' and b.win = in_win then 1
        else 7
    end;
    if code <> 1 then
        return;
    end if;
    if b.state = 'settled' then
        select id into win_id from transfer where bet = b.id and kind = 'win';
        return;
    end if;

    win_id := nextval('ledger_ids');
    after := held.balance + in_win;
    update bet set state = 'settled', win = in_win, odd = in_odd, updated_at = now()
    where id = b.id;
    insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                          account_seq, balance_after, month)
    values (win_id, b.id, 'win', house, in_account, in_win, in_account, held.last_seq + 1, after,
            date_trunc('month', b.created_at at time zone 'UTC')::date);
    update account a set balance = after, last_seq = held.last_seq + 1 where a.id = in_account;
    balance := trim_scale(after)::text;
end $$;

create or replace function bench.refund(
    in_provider integer, in_session text, in_account bigint, in_bet text, in_round text,
    out code integer, out refund_id bigint, out balance text
) language plpgsql as $$
declare
    held record;
    house bigint;
    b bet;
    back numeric := 0;
    is_new boolean := false;
    reverses boolean;
    of_month date;
begin
    select a.balance, a.last_seq, a.currency into held
    from account a where a.id = in_account for no key update;
    select h.id into house
    from session s
    join account h on h.provider_id = s.provider_id and h.currency = held.currency
    where s.id = in_session and s.provider_id = in_provider and s.account_id = in_account;
    if not found then
        code := 3;
        return;
    end if;
    balance := trim_scale(held.balance)::text;
    code := 1;
    select * into b from bet where provider_id = in_provider and bet_id = in_bet;
    if not found then
        -- A tombstone: this bet can never be taken. Somebody of another account may be faster.
        insert into bet (id, provider_id, bet_id, account_id, session_id, round_id, opened_by,
                         state)
        values (nextval('ledger_ids'), in_provider, in_bet, in_account, in_session, in_round,
                'refund', 'cancelled')
        on conflict (provider_id, bet_id) do nothing
        returning * into b;
        is_new := found;
        if not is_new then
            select * into b from bet where provider_id = in_provider and bet_id = in_bet;
        end if;
    end if;
    reverses := b.state = 'settled';
    if b.account_id <> in_account or reverses and held.balance + b.stake - b.win < 0 then
        code := 7;
        return;
    end if;
    if not is_new and b.state not in ('open', 'settled') then
        select id into refund_id from transfer where bet = b.id and kind = 'refund';
        if found then
            return;
        end if;
    end if;

    if b.state in ('open', 'settled') then
        back := b.stake;
        update bet set state = 'refunded', updated_at = now() where id = b.id;
    end if;
    refund_id := nextval('ledger_ids');
    of_month := date_trunc('month', b.created_at at time zone 'UTC')::date;
    insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                          account_seq, balance_after, month)
    values (refund_id, b.id, 'refund', house, in_account, back, in_account, held.last_seq + 1,
            held.balance + back, of_month);
    if reverses then
        insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                              account_seq, balance_after, month)
        values (refund_id + 1, b.id, 'win_reversal', in_account, house, b.win, in_account,
                held.last_seq + 2, held.balance + back - b.win, of_month);
        back := back - b.win;
    end if;
    update account a
    set balance = held.balance + back, last_seq = held.last_seq + 1 + reverses::integer
    where a.id = in_account;
    balance := trim_scale(held.balance + back)::text;
end $$;
