"""Deposits and withdrawals. They go through the queue, once per reference."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool

from api.operator import answers, forms
from api.operator.call import Call, Reply
from api.shared.problems import Problem
from broker.cash import InsufficientFunds, NoAnswer, ReferenceConflict, certain_after_seconds
from models.commands import CashCommand, Deposit, Withdrawal
from models.directory.accounts import order_cash
from models.directory.idempotency import Answered, find_answer, keep_answer
from models.money import plain
from models.reports.movement import find_movement

_PLACES: dict[type[CashCommand], str] = {Deposit: "deposits", Withdrawal: "withdrawals"}


async def deposit(call: Call, form: forms.MoveMoney) -> Reply:
    """Put money into an account. A player or account that does not exist yet is made."""
    return await _move(call, form, Deposit)


async def withdraw(call: Call, form: forms.MoveMoney) -> Reply:
    """Take money out of an account, if the balance covers it."""
    return await _move(call, form, Withdrawal)


def show_deposit(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """Tell what has become of a deposit."""
    return _found(call, Deposit)


def show_withdrawal(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """Tell what has become of a withdrawal."""
    return _found(call, Withdrawal)


async def _move(call: Call, form: forms.MoveMoney, kind: type[CashCommand]) -> Reply:
    if trouble := call.services.queue_trouble:
        raise Problem(503, "unavailable", f"{trouble} No money was moved.")
    command = await run_in_threadpool(_order, call, form, kind)
    place = _place(call, kind, form.reference)
    within = call.services.settings.portal_cash_within_seconds
    try:
        result = await call.services.cashier.book(command, within)
    except NoAnswer:
        headers = {"Location": place, "Retry-After": "1"}
        return Reply(_movement(call, form, command, "pending"), 202, headers)
    except ReferenceConflict:
        raise Problem(
            409,
            "reference_conflict",
            f"The reference {form.reference!r} already stands for another deposit or withdrawal."
            " This one was not made: give it a reference of its own.",
        ) from None
    except InsufficientFunds as error:
        raise Problem(
            409,
            "insufficient_funds",
            f"The account holds {error.balance}, which does not cover {plain(command.amount)}."
            " No money was moved. The reference may be used again.",
            balance=error.balance,
        ) from None
    return Reply(_movement(call, form, command, "committed", result["ids"][0], result["balance"]))


def _order(call: Call, form: forms.MoveMoney, kind: type[CashCommand]) -> CashCommand:
    """Record the request. With an `Idempotency-Key`, the reference makes a repeat harmless."""
    with call.changing(form.note) as database:
        if call.claim is not None and find_answer(database, call.claim) is None:
            keep_answer(database, call.claim, Answered(None, None))
        return order_cash(
            *(database, kind, call.path["player"], form.currency, form.amount, form.reference)
        )


def _movement(
    call: Call,
    form: forms.MoveMoney,
    command: CashCommand,
    status: str,
    transfer_id: str | None = None,
    balance: str | None = None,
) -> answers.Movement:
    return answers.Movement(
        status=status,
        player=call.path["player"],
        currency=form.currency,
        amount=command.amount,
        reference=command.reference,
        account_id=command.account_id,
        transfer_id=None if transfer_id is None else int(transfer_id),
        balance=None if balance is None else Decimal(balance),
    )


def _place(call: Call, kind: type[CashCommand], reference: str) -> str:
    player = quote(call.path["player"], safe="")
    return f"{call.base}/players/{player}/{_PLACES[kind]}/{quote(reference, safe='')}"


def _found(call: Call, kind: type[CashCommand]) -> Reply:
    player, reference = call.path["player"], call.path["reference"]
    certain_after = timedelta(seconds=certain_after_seconds(call.services.settings))
    with call.reading() as database:
        found = find_movement(database, kind, player, reference, certain_after)
    headers = {"Retry-After": "1"} if found.status == "pending" else None
    body = answers.Movement(
        status=found.status,
        player=player,
        currency=found.currency,
        amount=found.amount,
        reference=reference,
        account_id=found.account_id,
        transfer_id=found.transfer_id,
        balance=found.balance,
    )
    return Reply(body, headers=headers)
