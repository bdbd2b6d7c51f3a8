"""The rounds that are played: slots, crash, poker, jackpots, and what goes wrong between them."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

from betcore_kit.answers import BetAnswer, Outcome
from betcore_kit.calls import Bet, PayIn, PayInOut, PayOut, Refund
from betcore_kit.client.clients import AsyncClient
from betcore_kit.simulate.books import Books

_TRIES = 5


@dataclass
class Hall:
    """Where rounds are played. `another` opens a new session of the player of a session."""

    client: AsyncClient
    stranger: AsyncClient  # signs with a wrong secret
    another: Callable[[str], Awaitable[str | None]]
    books: Books
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)  # answers that no rule allows

    async def call(self, seat: str, bet: Bet) -> BetAnswer:
        """Do a call to its end, and enter what has become of it."""
        for _ in range(_TRIES):
            answer = await self.client.bet(bet)
            if answer.outcome not in (Outcome.UNKNOWN, Outcome.NOT_ADMITTED):
                break
        self.counts["calls"] += 1
        self.books.note(seat, bet, answer)
        return answer


@dataclass(frozen=True)
class Round:
    """One round of a player."""

    hall: Hall
    seat: str
    name: str
    rng: random.Random

    def money(self, most: int) -> Decimal:
        """A random amount with two decimals."""
        return Decimal(self.rng.randint(1, most * 100)).scaleb(-2)

    def chance(self, share: float) -> bool:
        """Whether something happens this time."""
        return self.rng.random() < share

    async def call(self, bet: Bet) -> BetAnswer:
        """As `Hall.call`."""
        return await self.hall.call(self.seat, bet)


async def slots(game: Round) -> None:
    """One call: a stake and its win. Sometimes the same bet comes late, with a new session."""
    win = game.money(20) if game.chance(0.4) else Decimal(0)
    bet = PayInOut(game.seat, game.name, game.money(10), win, game_round_id=game.name)
    first = await game.call(bet)
    if first.ok and game.chance(0.05):
        session = await game.hall.another(game.seat)
        if session is not None:
            late = PayInOut(session, game.name, bet.bet_amount, win, game_round_id=game.name)
            again = await game.call(late)
            game.hall.counts["late repeats with a new session"] += 1
            ids = (again.bet_transaction_id, again.win_transaction_id)
            if again.ok and ids != (first.bet_transaction_id, first.win_transaction_id):
                game.hall.faults.append(f"bet {game.name}: a repeat has other transaction ids")


async def crash(game: Round) -> None:
    """A stake, and later a win or 0."""
    taken = await game.call(PayIn(game.seat, game.name, game.money(10), game_round_id=game.name))
    if taken.ok:
        win = game.money(30) if game.chance(0.45) else Decimal(0)
        await game.call(PayOut(game.seat, game.name, win, game_round_id=game.name))


async def poker(game: Round) -> None:
    """Several stakes, one of which may be given back. The last pay-out finishes the round."""
    names = [f"{game.name}-{number}" for number in range(game.rng.randint(2, 4))]
    open_ = []
    for name in names:
        bet = PayIn(game.seat, name, game.money(5), game_round_id=game.name)
        if (await game.call(bet)).ok:
            open_.append(name)
    if len(open_) > 1 and game.chance(0.3):
        game.hall.counts["refunds"] += 1
        await game.call(Refund(game.seat, open_.pop(), game_round_id=game.name))
    if open_:
        win = game.money(15) if game.chance(0.5) else Decimal(0)
        last = PayOut(game.seat, open_[0], win, game_round_id=game.name, round_finished=True)
        if (await game.call(last)).ok:
            for name in open_[1:]:
                game.hall.books.close(name)


async def jackpot(game: Round) -> None:
    """A win that belongs to no stake."""
    await game.call(PayInOut(game.seat, game.name, 0, game.money(500)))


async def refund_of_nothing(game: Round) -> None:
    """A refund comes before its bet, which must never be taken afterwards."""
    await game.call(Refund(game.seat, game.name))
    late = await game.call(PayIn(game.seat, game.name, game.money(5)))
    game.hall.counts["refunds of bets that never came"] += 1
    if late.ok:
        game.hall.faults.append(f"bet {game.name}: it was taken after its refund")


async def forgery(game: Round) -> None:
    """A request with a wrong signature, which must change nothing."""
    answer = await game.hall.stranger.bet(PayInOut(game.seat, game.name, 1, 1000))
    game.hall.counts["wrong signatures"] += 1
    if answer.code != 8:
        game.hall.faults.append(f"bet {game.name}: a wrong signature got code {answer.code.value}")


#: Each kind, and how often it is played, in a hundred rounds.
KINDS: dict[Callable[[Round], Awaitable[None]], int] = {
    slots: 50,
    crash: 25,
    poker: 15,
    jackpot: 3,
    refund_of_nothing: 4,
    forgery: 3,
}
