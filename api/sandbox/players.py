"""Players of a provider of the sandbox: their sessions and their money."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from starlette.concurrency import run_in_threadpool

from api.sandbox import answers, forms
from api.sandbox.call import Call
from api.sandbox.games import launch
from api.shared.forms import Nothing
from api.shared.problems import Problem
from broker.cash import NoAnswer
from models.commands import Deposit
from models.database.transactions import Transaction
from models.directory.accounts import (
    PlayerStatus,
    find_blocked,
    is_player,
    order_cash,
    request_cash,
    set_player_status,
)
from models.directory.sandbox import count_one
from models.directory.sessions import (
    Opened,
    Opening,
    close_session,
    expire_session,
    open_sessions,
)
from models.errors import NotFound
from models.money import plain, read_amount, require_decimals
from models.reports.parties import show_player, show_session


class _Magic(NamedTuple):
    """What happens to a session of a magic player once it is open, and its game launched."""

    deposit: bool = True
    then: Callable[[Transaction, str, str], object] | None = None


#: Players whose name says what becomes of them (docs/SANDBOX.md).
_MAGIC: Final[Mapping[str, _Magic]] = {
    "sandbox-poor": _Magic(deposit=False),
    "sandbox-blocked": _Magic(then=lambda db, player, _: set_player_status(db, player, "blocked")),
    "sandbox-closed": _Magic(then=lambda db, _, session_id: close_session(db, session_id)),
    "sandbox-expired": _Magic(then=lambda db, _, session_id: expire_session(db, session_id)),
}
_USUAL: Final = _Magic()


async def open_session(call: Call, form: forms.OpenSession) -> answers.Session:
    """Open a session of a player, and bring its account to a balance."""
    _require_queue(call)
    name = form.player or f"player-{secrets.token_hex(4)}"
    player = call.player(name)
    magic = _MAGIC.get(player.partition(":")[2], _USUAL)
    opened, order = await run_in_threadpool(_open, call, form, player, magic)
    balance = opened.balance if order is None else await _book(call, order)
    # A session that has ended already could not be launched.
    frame = await launch(call, opened.session_id, form.game) if form.launch else None
    if magic.then is not None:
        await run_in_threadpool(_apply, call, magic, player, opened.session_id)
    return answers.Session(
        session_id=opened.session_id,
        account_id=opened.account_id,
        player=player,
        currency=form.currency,
        balance=balance,
        expires_at=opened.expires_at,
        frame_uri=frame,
    )


def close(call: Call, form: Nothing) -> answers.Ended:  # noqa: ARG001
    """Close a session of the provider."""
    return _end(call, close_session)


def expire(call: Call, form: Nothing) -> answers.Ended:  # noqa: ARG001
    """Let the time of a session of the provider be over."""
    return _end(call, expire_session)


async def deposit(call: Call, form: forms.Deposit) -> answers.Deposited:
    """Give money to a player of the provider. A player that does not exist yet is made."""
    _require_queue(call)
    player = call.player(call.path["player"])
    order = await run_in_threadpool(_order, call, form, player)
    balance = await _book(call, order)
    return answers.Deposited(
        player=player,
        account_id=order.account_id,
        currency=form.currency,
        amount=order.amount,
        balance=balance,
    )


def show(call: Call, form: Nothing) -> answers.Player:  # noqa: ARG001
    """Show a player of the provider with its accounts."""
    with call.reading() as database:
        return _shown(database, call.player(call.path["player"]))


def block(call: Call, form: Nothing) -> answers.Player:  # noqa: ARG001
    """Refuse new bets of a player of the provider."""
    return _set_status(call, "blocked")


def unblock(call: Call, form: Nothing) -> answers.Player:  # noqa: ARG001
    """Accept bets of a blocked player of the provider again."""
    return _set_status(call, "active")


def _open(
    call: Call, form: forms.OpenSession, player: str, magic: _Magic
) -> tuple[Opened, Deposit | None]:
    wanted = read_amount(form.balance, "balance")
    opening = Opening(
        counterparty_id=call.provider_id,
        currency=form.currency,
        min_bet=None if form.min_bet is None else read_amount(form.min_bet, "minBet"),
        max_bet=None if form.max_bet is None else read_amount(form.max_bet, "maxBet"),
        lasts=timedelta(minutes=form.ttl_minutes),
        game=form.game,
        language=form.language,
        mode=form.mode,
        replace=form.replace,
    )
    with call.changing(None) as database:
        _count_player(call, database, player)
        count_one(database, call.provider, "sessions")
        if magic.then is not None and find_blocked(database, [player]):
            set_player_status(database, player, "active")
            database.flush()
        (opened,) = open_sessions(database, opening, [player])
        require_decimals(wanted, opened.decimals, "balance")
        missing = wanted - opened.balance
        if missing <= 0 or not magic.deposit:
            return opened, None
        reference = f"sandbox {opened.session_id}"
        order = Deposit.read(opened.account_id, reference, plain(missing), opened.decimals)
        request_cash(database, order)
        return opened, order


def _order(call: Call, form: forms.Deposit, player: str) -> Deposit:
    reference = f"sandbox {secrets.token_hex(16)}"
    with call.changing(None) as database:
        _count_player(call, database, player)
        asked = (database, Deposit, player, form.currency, form.amount, reference)
        order = order_cash(*asked)
    if not isinstance(order, Deposit):
        raise TypeError("a deposit was ordered")
    return order


def _count_player(call: Call, database: Transaction, player: str) -> None:
    if not is_player(database, player):
        count_one(database, call.provider, "players")


async def _book(call: Call, order: Deposit) -> Decimal:
    """Make the deposit. Returns the balance after it."""
    within = call.services.settings.portal_cash_within_seconds
    try:
        result = await call.services.cashier.book(order, within)
    except NoAnswer:
        raise Problem(
            503, "unavailable", "No worker has confirmed the deposit in time: ask for the player."
        ) from None
    return Decimal(result["balance"])


def _require_queue(call: Call) -> None:
    if trouble := call.services.queue_trouble:
        raise Problem(503, "unavailable", f"{trouble} No money was moved.")


def _apply(call: Call, magic: _Magic, player: str, session_id: str) -> None:
    if magic.then is not None:
        with call.changing("a magic player") as database:
            magic.then(database, player, session_id)


def _end(call: Call, end: Callable[[Transaction, str], datetime]) -> answers.Ended:
    session_id = call.path["sessionId"]
    with call.changing(None) as database:
        # A session of another provider looks as one that does not exist.
        if show_session(database, session_id).provider != call.provider_id:
            raise NotFound(f"There is no session {session_id!r}.")
        return answers.Ended(session_id=session_id, ended_at=end(database, session_id))


def _set_status(call: Call, status: PlayerStatus) -> answers.Player:
    player = call.player(call.path["player"])
    with call.changing(None) as database:
        set_player_status(database, player, status)
        database.flush()
        return _shown(database, player)


def _shown(database: Transaction, player: str) -> answers.Player:
    found = show_player(database, player)
    accounts = [answers.Account.model_validate(one) for one in found.accounts]
    return answers.Player(player=player, status=found.player.status, accounts=accounts)
