"""Jobs on the queue: their size is bounded, whatever was put there, and people can read them."""

import json
import pickle
import sys
import tracemalloc
import zlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codec import (
    JOB_BYTES_MAX,
    BadJob,
    Work,
    decode_command,
    decode_job,
    describe,
    encode_command,
    encode_job,
)
from models.commands import BetCommand, Command, Deposit, PayIn, PayInOut, PayOut, Refund

PLACE: dict[str, Any] = {"provider_id": 7, "session_id": "s", "account_id": 42}
BET = PayInOut(**PLACE, bet_id="b-17", stake=Decimal("10.5"), win=Decimal("55.25"))


TOKEN = "0123456789abcdef" * 2
STREAM = "betcore:replies:x"


def form_of(command: Command = BET, token: str = TOKEN, reply_to: str = "") -> Any:
    """A command as a job carries it."""
    return json.loads(encode_command(command, token, reply_to))


def data_of(*forms: object) -> bytes:
    """The data of a job that carries these commands, or one good command."""
    return encode_job(*forms or (form_of(),)).encode()


def changed(**values: object) -> bytes:
    """The data of a good job, with other values in its command."""
    function, command, *rest = form_of()
    return data_of([function, command | values, *rest])


def works(data: bytes) -> list[Work]:
    """What the commands of a job ask for."""
    return [decode_command(form) for form in decode_job(data)]


def test_a_job_is_read_as_it_was_written_compressed_or_not() -> None:
    deposit = Deposit(42, "r", Decimal(5))
    data = data_of(form_of(reply_to=STREAM), form_of(deposit, "f"))

    assert works(data) == works(zlib.compress(data))
    assert works(data) == [Work(BET, TOKEN, STREAM), Work(deposit, "f", "")]


TEXTS = st.text(min_size=1, max_size=8) | st.text('"\\\x7f\u2028é', min_size=1, max_size=8)
AMOUNTS = st.none() | st.decimals(0, 10**15, allow_nan=False, places=4)


@given(st.sampled_from([PayIn, PayOut, PayInOut, Refund]), TEXTS, st.none() | TEXTS, st.data())
def test_a_bet_is_written_as_json_writes_it(
    call: type[BetCommand], text: str, round_id: str | None, data: st.DataObject
) -> None:
    stake, win, odd = (data.draw(AMOUNTS) for _ in range(3))
    game, finishes = data.draw(st.none() | TEXTS), data.draw(st.booleans())
    amounts = (stake, win, odd)
    bet = call(7, text, 42, text, round_id, *amounts, game=game, round_finished=finishes)

    form = [call.function, bet.to_job(), TOKEN, text]
    as_json = json.dumps(form, separators=(",", ":"), ensure_ascii=False)
    assert encode_command(bet, TOKEN, text) == as_json


def test_a_command_is_refused_however_deep_it_nests() -> None:
    """As deep as can just be read, it cannot be shown in a message any more."""
    for depth in range(sys.getrecursionlimit()):
        order = "[" * depth + "]" * depth
        with pytest.raises(BadJob):
            works(data_of(form_of()).replace(b'""', b'"",' + order.encode()))


def test_a_command_that_cannot_be_read_hides_none_of_the_others_of_its_job() -> None:
    good, bad, last = decode_job(data_of(form_of(), ["bets.unknown", {}, TOKEN, ""], form_of()))

    assert decode_command(good) == decode_command(last) == Work(BET, TOKEN, "")
    with pytest.raises(BadJob):
        decode_command(bad)


@pytest.mark.parametrize(
    "data",
    [
        zlib.compress(bytes(100_000_000)),
        zlib.compress(zlib.compress(bytes(100_000_000))),
        zlib.compress(b" " * JOB_BYTES_MAX + data_of()),
        b" " * JOB_BYTES_MAX + data_of(),
        zlib.compress(data_of())[:-1],
        b'["bets.pay_in_out",null,[{},""],{}]',  # of the release before
        b'["bets.apply",null,{},{}]',
        b'["bets.apply",null,["bets.pay_in_out"],{}]',
        b'["bets.apply",null,[[["a"],{},"",""]],{}]',
        b'["bets.apply","instance",[],{}]',
        b'["bets.apply",null,[],{"named":1}]',
        b"",
        b"{",
        b"\xff\xfe",
        pickle.dumps(("os.system", None, ("true",), {})),
        zlib.compress(b"nonsense"),
        b"1",
        b'"bets.apply"',
        b'["bets.apply", null, []]',
        b'["os.system", null, ["true"], {}]',
        data_of(["os.system", *form_of()[1:]]),
        data_of([[form_of()[0]], *form_of()[1:]]),
        data_of(["bets.pay_in_out", ["account"], TOKEN, ""]),
        data_of(["bets.pay_in_out", {}, TOKEN, ""]),
        data_of(form_of()[:3]),
        data_of(7),
        data_of(None),
        data_of([*form_of()[:2], 7, ""]),
        data_of([*form_of()[:3], None]),
        data_of([*form_of()[:3], STREAM + "\ud800"]),  # half a character
        data_of(form_of(token="not hex")),
        data_of(form_of(token="")),
        data_of(form_of(token="f" * 65)),
        data_of(form_of(reply_to="rq:queues")),
        data_of([*form_of(), [1, "key"]]),
        data_of([*form_of(), [True, "key", "mac"]]),
        data_of([*form_of(), [1.5, "key", "mac"]]),
        data_of([*form_of(), "order"]),
        data_of([*form_of(), [1, "key", "mac"], [1, "key", "mac"]]),
        b"[" * 16_000,
        b"[" * 50_000_000,
        b"x",
        changed(account=10**4000),
        b'["bets.apply",null,[["bets.pay_in_out",{"account":' + b"9" * 15_000 + b'},"f",""]],{}]',
        changed(account=2**63),
        changed(account=-1),
        changed(account=True),
        changed(account="1"),
        changed(account=None),
        changed(account=1e300),
        changed(provider=float("nan")),
        changed(stake="1e999999999"),
        changed(stake=1.5),
        changed(stake=1),
        changed(stake="one"),
        changed(stake=None),
        changed(bet="x" * 129),
        changed(bet=["x"]),
    ],
    ids=lambda data: data[:12].hex(),
)
def test_whatever_is_not_a_job_of_ours_is_refused_and_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadJob) as error:
            works(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 3 * JOB_BYTES_MAX
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
