"""What clients do: games, each with a bet of its own."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from tests.crash.players import Client, Game
from tests.crash.requests import CLOSED, balance_request

_ROUND_SECONDS = (0.5, 2.0)
NOT_ALLOWED: Final = 5  # the code
_TOO_MUCH = "1000000"  # a stake that no balance covers


def games(favourite: str = "") -> Sequence[tuple[Game, int]]:
    """All games with their weights; a favourite, by its name, as often as all others together."""
    extra = [(game, sum(GAMES.values())) for game in GAMES if game.__name__ == favourite]
    assert bool(extra) is bool(favourite), f"there is no game {favourite}"
    return (*GAMES.items(), *extra)


async def bet_and_win(client: Client) -> None:
    """A bet in one step."""
    await client.insist("pay-in-out", stake=client.amount(), win=client.amount())


async def bet_then_win(client: Client) -> None:
    """A bet that is paid out later."""
    if await client.insist("pay-in", stake=client.amount()) == 1:
        await client.repeat("pay-out", win=client.amount())


async def win_first(client: Client) -> None:
    """A pay-out that comes before its pay-in is refused; the next one is its own request.

    Between the two a round is played: long enough for the first to be done, were it still possible.
    """
    win = client.amount()
    await client.ask("pay-out", win=win)
    if await client.insist("pay-in", stake=client.amount()) == 1:
        await client.pause(_ROUND_SECONDS)
        await client.repeat("pay-out", win=win)


async def bet_then_refund(client: Client) -> None:
    """A bet that is taken back, whatever became of it."""
    call = client.chance.choice(("pay-in", "pay-in-out"))
    win = client.amount() if call == "pay-in-out" else None
    await client.insist(call, stake=client.amount(), win=win)
    await client.repeat("refund")


async def crash_game(client: Client) -> None:
    """A pay-in that is never repeated: 99 is a refusal, after 0 or nothing it is refunded."""
    code = await client.ask("pay-in", stake=client.amount())
    if code == 1:
        await client.repeat("pay-out", win=client.amount())
    elif code in (0, None):
        await client.repeat("refund")


async def refund_first(client: Client) -> None:
    """A bet that is closed before it comes."""
    if await client.repeat("refund") == 1:
        await client.repeat("pay-in-out", session=1, stake=client.amount(), win="0")


async def refund_at_once(client: Client) -> None:
    """A refund on another connection, beside its own pay-in."""
    stake = client.amount()
    async with asyncio.TaskGroup() as both:
        both.create_task(client.ask("pay-in", gateway=0, stake=stake))
        both.create_task(client.ask("refund", gateway=1))
    await client.repeat("refund")


async def too_much(client: Client) -> None:
    """A bet that no balance covers."""
    await client.insist("pay-in-out", stake=_TOO_MUCH, win="0")


async def another_amount(client: Client) -> None:
    """The same bet with another amount after it is done, which is a conflict."""
    if await client.insist("pay-in-out", stake="1.00", win="0") == 1:
        await client.repeat("pay-in-out", stake="2.00", win="0")


async def another_round(client: Client) -> None:
    """The same bet in another round after it is done, which would be a round without a stake."""
    if await client.insist("pay-in-out", stake="1.00", win="0") == 1:
        await client.repeat("pay-in-out", stake="1.00", win="0", game_round="another round")


async def finish_a_round(client: Client) -> None:
    """Bets of one round, the last of which ends it; then one that may come too late."""
    last, of = client.bet, {"game_round": f"round of {client.bet}"}
    for number in range(client.chance.randint(1, 3)):
        client.bet = f"{last} {number}"
        await client.insist("pay-in", stake=client.amount(), **of)
    client.bet = last
    if client.chance.random() < 0.5:
        of_both = {"stake": client.amount(), "win": client.amount()}
        await client.repeat("pay-in-out", **of_both, **of, finishes=True)
    elif await client.insist("pay-in", stake=client.amount(), **of) == 1:
        await client.repeat("pay-out", win=client.amount(), **of, finishes=True)
    client.bet = f"{last} late"
    await client.repeat("pay-in", stake=client.amount(), **of)


async def win_within_limits(client: Client) -> None:
    """A win that may be above a limit, of a bet or of the day. Then a smaller one.

    A pay-out that is refused leaves its bet open, so a smaller win may follow.
    """
    client.seat = client.chance.choice(client.limited)
    if client.chance.random() < 0.5:
        await client.insist("pay-in-out", stake=client.amount(), win=client.amount())
    elif await client.insist("pay-in", stake=client.amount()) == 1:
        code = await client.repeat("pay-out", win=client.amount())
        if code == NOT_ALLOWED:
            await client.repeat("pay-out", win="0.01")


async def prize(client: Client) -> None:
    """A win without a stake, in a session that was closed long ago."""
    win = str(Decimal(client.chance.randint(1, 500)).scaleb(-2))
    await client.repeat("pay-in-out", session=CLOSED, stake="0", win=win)


async def balance(client: Client) -> None:
    """No bet at all."""
    await client.send(balance_request(client.seat))


async def replay(client: Client) -> None:
    """An eavesdropper's requests: an old request again, and its nonce for another bet."""
    if not client.captured:
        return
    old = client.chance.choice(client.captured)
    await client.send(old, again=True)
    client.seat = old.seat
    await client.ask("pay-in", nonce=old.nonce, stake=client.amount())


GAMES: Final[dict[Game, int]] = {
    bet_and_win: 50,
    bet_then_win: 14,
    bet_then_refund: 8,
    crash_game: 12,
    win_first: 6,
    refund_first: 3,
    refund_at_once: 4,
    too_much: 3,
    another_amount: 2,
    another_round: 2,
    finish_a_round: 5,
    win_within_limits: 8,
    prize: 5,
    balance: 6,
    replay: 3,
}
