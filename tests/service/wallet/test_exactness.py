"""Exactness: an amount keeps every digit from request to answer, however it was written."""

import json
import re
import uuid
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.service.support.world import PlayerSession, World

#: A currency for each number of decimals; the last one is no country's.
CURRENCIES = {"JPY": 0, "EUR": 2, "KWD": 3, "EXACT": 8}
LIMIT = Decimal(10) ** 15
WIDE = Context(prec=80)
#: A number without exponent or trailing zeros.
PLAIN = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")


def unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-CURRENCIES[currency])


def ask(player: PlayerSession, call: str, bet_id: str, **spelled: str) -> dict[str, Any]:
    """The answer to a call whose amounts stand in the body exactly as spelled here."""
    members = [f'"betId":"{bet_id}"', *(f'"{name}":{text}' for name, text in spelled.items())]
    body = ("{" + ",".join(members) + "}").encode()
    url = f"{player.client.url}/v1/sessions/{player.session_id}/bets/{call}"
    return exact(
        player.client.http.post(url, content=body, headers=player.client.headers(body)).text
    )


def look(player: PlayerSession, path: str) -> dict[str, Any]:
    return exact(
        player.client.http.get(player.client.url + path, headers=player.client.headers(b"")).text
    )


def exact(text: str) -> dict[str, Any]:
    """An answer, each of whose numbers is written as it has to be."""

    def number(spelled: str) -> Decimal:
        assert PLAIN.fullmatch(spelled), text
        return Decimal(spelled)

    read: dict[str, Any] = json.loads(text, parse_float=number, parse_int=number)
    return read


def rich(world: World, currency: str) -> PlayerSession:
    """A player with ten times the greatest amount and one unit, in that currency."""
    if currency == "EXACT":
        world.currency(currency, CURRENCIES[currency])
    player = world.open_session(world.provider(), LIMIT - unit(currency), currency=currency)
    for _ in range(9):
        ask(player, "pay-in-out", uuid.uuid4().hex, betAmount="0", winAmount=f"{LIMIT - 1}")
    last = 9 + 2 * unit(currency)
    ask(player, "pay-in-out", uuid.uuid4().hex, betAmount="0", winAmount=f'"{last}"')
    assert world.balance(player) == 10 * LIMIT + unit(currency)
    return player


@st.composite
def spelled(draw: st.DrawFn, amount: Decimal) -> str:
    """An amount as JSON: number or string, with an exponent, trailing zeros, or neither."""
    shift = draw(st.integers(-20, 20)) * draw(st.booleans())
    text = f"{amount.scaleb(-shift, WIDE):f}"
    if zeros := "0" * draw(st.integers(0, 5)):
        text += zeros if "." in text else f".{zeros}"
    if shift or draw(st.booleans()):
        text += draw(st.sampled_from(["e", "E"])) + draw(
            st.sampled_from([f"{shift}", f"{shift:+}"])
        )
    return f'"{text}"' if draw(st.booleans()) else text


def amounts(currency: str) -> st.SearchStrategy[Decimal]:
    """Any amount that the currency has, the least and greatest often."""
    greatest = int((LIMIT - unit(currency)) / unit(currency))
    units = st.one_of(
        st.integers(0, greatest), st.integers(0, 200), st.integers(greatest - 200, greatest)
    )
    return units.map(lambda count: Decimal(count) * unit(currency))


@pytest.mark.parametrize("currency", CURRENCIES)
def test_what_goes_in_comes_out_to_the_last_digit(world: World, currency: str) -> None:
    world.wait_for_memory()
    player = rich(world, currency)
    before = world.balance(player)

    @examples(25)
    @given(st.data(), amounts(currency), amounts(currency))
    def comes_out(data: st.DataObject, stake: Decimal, win: Decimal) -> None:
        bet_id = uuid.uuid4().hex
        stake_text, win_text = data.draw(spelled(stake)), data.draw(spelled(win))

        taken = ask(player, "pay-in", bet_id, betAmount=stake_text)
        assert taken["balance"] == before - stake
        paid = ask(player, "pay-out", bet_id, winAmount=win_text)
        assert paid["balance"] == before - stake + win
        status = look(player, f"/v1/bets?betId={bet_id}")
        assert (status["betAmount"], status["winAmount"]) == (stake, win)
        asked = look(player, f"/v1/sessions/{player.session_id}/balance")
        assert asked["balance"] == world.balance(player) == paid["balance"]
        again = ask(player, "pay-out", bet_id, winAmount=data.draw(spelled(win)))
        assert again == paid
        assert ask(player, "refund", bet_id)["balance"] == before

        for_both = {"betAmount": data.draw(spelled(stake)), "winAmount": data.draw(spelled(win))}
        one_step = ask(player, "pay-in-out", f"{bet_id} once", **for_both)
        assert one_step["balance"] == before - stake + win
        assert ask(player, "refund", f"{bet_id} once")["balance"] == before

    comes_out()
    assert (
        world.rows(
            "select state from bet where state = 'open' and account_id = %s", player.account_id
        )
        == []
    )


@pytest.mark.parametrize("currency", CURRENCIES)
def test_amounts_go_up_to_the_limit_less_the_smallest_unit_and_balances_far_above(
    world: World, currency: str
) -> None:
    player = rich(world, currency)
    greatest, start = LIMIT - unit(currency), world.balance(player)

    won = ask(player, "pay-in-out", "won", betAmount="0", winAmount=f"{greatest}")
    lost = ask(player, "pay-in", "lost", betAmount=f'"{greatest}"')
    least = ask(player, "pay-in", "least", betAmount=f'"{unit(currency):f}"')

    assert won["balance"] == start + greatest > 10 * LIMIT
    assert lost["balance"] == start
    assert least["balance"] == 10 * LIMIT


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("quote", ["", '"'], ids=["number", "string"])
def test_the_limit_itself_and_less_than_the_smallest_unit_are_refused_and_move_nothing(
    world: World, currency: str, quote: str
) -> None:
    if currency == "EXACT":
        world.currency(currency, CURRENCIES[currency])
    player = world.open_session(world.provider(), "10", currency=currency)
    ask(player, "pay-in", "open", betAmount="1")

    for refused in (LIMIT, unit(currency) / 10, unit(currency) / 10 + 1, Decimal("1e30")):
        for text in (f"{refused:f}", f"{refused:e}"):
            amount = f"{quote}{text}{quote}"
            assert ask(player, "pay-in", "a", betAmount=amount)["_responseCode"] == 2
            assert ask(player, "pay-out", "open", winAmount=amount)["_responseCode"] == 2
            for stake, win in ((amount, "0"), ("0", amount)):
                both = ask(player, "pay-in-out", "b", betAmount=stake, winAmount=win)
                assert both["_responseCode"] == 2

    rows = world.rows("select bet_id, state from bet where account_id = %s", player.account_id)
    assert rows == [("open", "open")]
    assert world.balance(player) == 9


def test_the_balance_in_a_refusal_is_as_exact_as_in_an_answer(world: World) -> None:
    world.currency("EXACT", CURRENCIES["EXACT"])
    player = world.open_session(world.provider(), "123456789012345.00000001", currency="EXACT")

    refusal = ask(player, "pay-in", "a", betAmount="123456789012345.00000002")

    assert refusal["_responseCode"] == 4
    assert refusal["balance"] == Decimal("123456789012345.00000001")
