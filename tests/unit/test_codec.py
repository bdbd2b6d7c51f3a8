"""Jobs on the queue: their size is bounded, whatever was put there, and people can read them."""

import json
import tracemalloc
import zlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from broker.codec import BadJob, Work, decode_job, describe, encode_job
from models.commands import BetCommand, Command, Deposit, PayIn, PayInOut, PayOut, Refund

PLACE: dict[str, Any] = {"provider_id": 7, "session_id": "s", "account_id": 42}
BET = PayInOut(**PLACE, bet_id="b-17", stake=Decimal("10.5"), win=Decimal("55.25"))


def changed(**values: object) -> bytes:
    """The data of a good job, with other values in its command."""
    function, instance, (command, reply_to), named = json.loads(encode_job(BET, ""))
    return json.dumps([function, instance, [command | values, reply_to], named]).encode()


def test_a_job_is_read_as_it_was_written_compressed_or_not() -> None:
    data = encode_job(BET, "betcore:replies:x").encode()

    assert decode_job(data) == decode_job(zlib.compress(data)) == Work(BET, "betcore:replies:x")


def test_a_job_of_the_release_before_is_read_by_the_name_that_it_had_there() -> None:
    data = encode_job(BET, "").replace("bets.pay_in_out", "workers.jobs.pay_in_out")

    assert "workers.jobs" in data
    assert decode_job(data.encode()) == Work(BET, "")


@pytest.mark.parametrize(
    "data",
    [
        zlib.compress(bytes(100_000_000)),
        zlib.compress(zlib.compress(bytes(100_000_000))),
        zlib.compress(b" " * 20_000 + encode_job(BET, "").encode()),
        b" " * 20_000 + encode_job(BET, "").encode(),
        zlib.compress(encode_job(BET, "").encode())[:-1],
        b"[" * 16_000,
        b"[" * 50_000_000,
        b"x",
        changed(account=10**4000),
        b'["bets.pay_in_out",null,[{"account":' + b"9" * 15_000 + b'},""],{}]',
        changed(account=2**63),
        changed(account=-1),
        changed(account=True),
        changed(account=1e300),
        changed(provider=float("nan")),
        changed(stake="1e999999999"),
        changed(bet="x" * 129),
        changed(bet=["x"]),
    ],
    ids=lambda data: data[:12].hex(),
)
def test_whatever_is_not_a_job_of_ours_is_refused_and_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadJob) as error:
            decode_job(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 2_000_000
    assert len(str(error.value)) < 400


def bet(kind: type[BetCommand], **amounts: str) -> BetCommand:
    """A bet with these amounts."""
    exact = {name: Decimal(amount) for name, amount in amounts.items()}
    return kind(**PLACE, bet_id="b-17", **exact)  # type: ignore[arg-type]  # amounts only


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (BET, "pay-in-out 10.5 → 55.25 of bet 'b-17' for account 42"),
        (
            replace(BET, player="anna"),
            "pay-in-out 10.5 → 55.25 of bet 'b-17' for player 'anna', account 42",
        ),
        (bet(PayIn, stake="1E+2"), "pay-in 100 of bet 'b-17' for account 42"),
        (bet(PayOut, win="0"), "pay-out 0 of bet 'b-17' for account 42"),
        (bet(Refund), "refund of bet 'b-17' for account 42"),
        (Deposit(42, "my ref", Decimal(5)), "deposit 5 by reference 'my ref' for account 42"),
    ],
)
def test_a_description_names_call_amounts_bet_and_player(command: Command, said: str) -> None:
    assert describe(command) == said


def test_a_description_is_short_and_printable_whatever_the_bet_is_called() -> None:
    for bet_id in ("\u202e" * 128, "<script>" * 16, "\U000e0001" * 128, "é" * 128, "'\"" * 64):
        amounts: dict[str, Any] = {"stake": Decimal("1e15") - Decimal("1e-18"), "win": Decimal(0)}
        said = describe(PayInOut(**PLACE, bet_id=bet_id, player=bet_id, **amounts))

        assert len(said) < 330
        assert said.endswith("account 42")
        assert said.isprintable()
        assert len(said.encode()) < 1024  # else a job is not kept in one piece
