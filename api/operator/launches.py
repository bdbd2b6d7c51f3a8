"""Opens a session and launches its game, once per `Idempotency-Key`.

The session is committed before the provider is called, and so is a note that its launch has no
result yet. A repeat that finds such a note launches the same session again, unless the first
request may still be at work.
"""

import json
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from api.operator import answers, forms
from api.operator.call import CREATED, Call, Reply
from api.shared.problems import Problem, problem_of
from models.commands import Deposit
from models.directory.demo import order_play_money
from models.directory.idempotency import (
    Answered,
    InProgress,
    find_answer,
    keep_answer,
    settle_answer,
    take_over,
)
from models.directory.launches import is_launched
from models.directory.sessions import DEMO, Opening, open_sessions
from models.errors import BetcoreError
from models.money import read_amount
from outbound.launch import launch_session

# After the time for a launch, a request that still has no result is not at work any more.
_MARGIN = timedelta(seconds=30)


class _Step(NamedTuple):
    """What is known of the request: its answer, or a session that is to be launched."""

    answer: str
    status: int | None  # None: the launch has no result yet


async def open_session(call: Call, form: forms.OpenSession) -> Reply:
    """Open a session, and launch its game if the provider has a URL."""
    opening = Opening(
        counterparty_id=form.provider_id,
        currency=form.currency,
        min_bet=_limit(form.min_bet, "minBet"),
        max_bet=_limit(form.max_bet, "maxBet"),
        lasts=timedelta(minutes=form.ttl_minutes),
        game=form.game,
        language=form.language,
        mode=form.mode,
        replace=form.replace,
    )
    await _give_play_money(call, form, opening)
    step = await run_in_threadpool(_open, call, form, opening)
    if step.status is None:
        step = await _launch(call, form, step.answer)
    if step.status != CREATED:
        raise Problem.read(step.answer)
    return Reply(step.answer, CREATED)


def _open(call: Call, form: forms.OpenSession, opening: Opening) -> _Step:
    with call.changing(form.note) as database:
        before = None if call.claim is None else find_answer(database, call.claim)
        if before is not None:
            within = timedelta(seconds=call.services.settings.launch_within_seconds)
            if before.status is None and before.age < within + _MARGIN:
                raise InProgress
            if before.status is None and call.claim is not None:
                take_over(database, call.claim)
            return _Step(before.answer or "", before.status)
        (opened,) = open_sessions(database, opening, [form.player])
        body = answers.OpenedSession(
            session_id=opened.session_id,
            player=form.player,
            account_id=opened.account_id,
            expires_at=opened.expires_at,
            balance=opened.balance,
        )
        launched = form.launch and is_launched(database, form.provider_id, form.game)
        step = _Step(body.model_dump_json(by_alias=True), None if launched else CREATED)
        if call.claim is not None:
            keep_answer(database, call.claim, Answered(step.status, step.answer))
        return step


async def _launch(call: Call, form: forms.OpenSession, opened: str) -> _Step:
    """Launch the session of this answer. The result is recorded, also if there is no frame."""
    body, services = json.loads(opened), call.services
    try:
        uri = await launch_session(
            *(services.outbound, call.database_url, services.cipher),
            *(call.author(form.note), body["sessionId"]),
        )
    except BetcoreError as error:
        problem = problem_of(error)
        step = _Step(problem.json, problem.status)
    else:
        step = _Step(json.dumps(body | {"frameUri": uri}, ensure_ascii=False), CREATED)
    await run_in_threadpool(_settle, call, step)
    return step


def _settle(call: Call, step: _Step) -> None:
    if call.claim is not None:
        with call.reading() as database:
            settle_answer(database, call.claim, Answered(step.status, step.answer))


async def _give_play_money(call: Call, form: forms.OpenSession, opening: Opening) -> None:
    """Fill up the player's play money for a demo. Raises CashError if it does not come."""

    def order() -> list[Deposit]:
        with call.changing(form.note) as database:
            if call.claim is not None and find_answer(database, call.claim) is not None:
                return []
            start = call.services.settings.demo_balance
            return order_play_money(database, opening, [form.player], start)

    if opening.mode != DEMO:
        return
    for deposit in await run_in_threadpool(order):
        if trouble := call.services.queue_trouble:
            raise Problem(503, "unavailable", f"{trouble} No session was opened.")
        within = call.services.settings.portal_cash_within_seconds
        await call.services.cashier.book(deposit, within)


def _limit(amount: str | None, name: str) -> Decimal | None:
    return None if amount is None else read_amount(amount, name)
