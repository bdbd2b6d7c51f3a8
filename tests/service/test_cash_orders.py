"""Deposits and withdrawals are run for those who hold the operator key, and for nobody else."""

import uuid
from decimal import Decimal

from broker.codec import encode_job
from models.commands import Deposit, PayInOut, Withdrawal
from tests.service.processes import until
from tests.service.queue_world import QueueWorld, Request
from tests.service.world import Seat, World


def test_a_planted_deposit_moves_no_money_and_the_bets_beside_it_are_applied(
    world: World, seat: Seat
) -> None:
    plants = [
        Deposit(seat.account_id, uuid.uuid4().hex, Decimal(5000)),
        Withdrawal(seat.account_id, uuid.uuid4().hex, Decimal(500)),
    ]
    provider_id = world.provider_row(seat.client)
    bet = PayInOut(
        provider_id,
        seat.session_id,
        seat.account_id,
        uuid.uuid4().hex,
        None,
        Decimal(1),
        Decimal(2),
    )
    requests = [
        Request(seat.account_id, data=encode_job(command, "")) for command in (*plants, bet)
    ]

    with QueueWorld(world.urls.redis, flush=False) as queue:
        assert queue.admit(*requests) == "AAA"
        until(lambda: all(queue.status(one.job_id) in ("failed", "finished") for one in requests))
        statuses = [queue.status(one.job_id) for one in requests]

    assert statuses == ["failed", "failed", "finished"]
    assert world.balance(seat) == 1001
