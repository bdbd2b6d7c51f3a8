"""Bets in a burst, as providers send them: many players at once, remembered, later repeated."""

import random
import threading
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

import httpx

from tests.service.support.client import encode, pay_in_out_path, read_answer
from tests.service.support.http import http_client
from tests.service.support.patience import START
from tests.service.support.processes import until
from tests.service.support.world import PlayerSession

#: How long a client waits for an answer (PROTOCOL.md, rule 5); a test fails when none has come.
PATIENCE_SECONDS = 7.0
#: Settings for a gateway whose requests have more time than that, where a test is not about time.
LONG_TIMEOUTS = {"BETCORE_ANSWER_WITHIN_SECONDS": "30", "BETCORE_APPLY_WITHIN_SECONDS": "25"}
# A client whose bet was not taken waits a little, as `Retry-After` asks, though not that long.
_PAUSE_SECONDS = 0.2
_THREADS = 8


@dataclass(eq=False)
class Bet:
    """One PayInOut and every answer to it so far."""

    player: PlayerSession
    stake: Decimal
    win: Decimal
    bet_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    codes: list[int | None] = field(default_factory=list)  # None: the connection ended instead
    ids: tuple[str, str] | None = None  # as answered with code 1

    @property
    def done(self) -> bool:
        """Whether an answer said so."""
        return self.ids is not None

    @property
    def change(self) -> Decimal:
        """What it adds to the player's balance."""
        return self.win - self.stake

    def ask(self, http: httpx.Client, url: str, *also: int) -> int | None:
        """Send it to a gateway, as a new request; the code of the answer.

        A bet that is in order may be done, unknown or not admitted, but never refused: `also` are
        other codes for one that is not. Raises httpx.TimeoutException when the client's patience
        ends.
        """
        fields = {"betId": self.bet_id, "betAmount": self.stake, "winAmount": self.win}
        body = encode(fields)
        path = pay_in_out_path(self.player.session_id)
        headers = self.player.client.headers(body)
        code: int | None = None
        try:
            answer = read_answer(http.post(f"{url}{path}", content=body, headers=headers))
        except httpx.TimeoutException:
            raise
        except httpx.TransportError:  # the gateway has ended
            pass
        else:
            code = answer.code
            assert code in (0, 1, 99, *also), answer
            if code == 1:
                ids = (answer.body["betTransactionId"], answer.body["winTransactionId"])
                assert self.ids in (None, ids), f"{ids} now, {self.ids} before"
                self.ids = ids
        self.codes.append(code)
        return code


class Load:
    """Threads that bet without end, from the start of the `with` block to its end."""

    def __init__(
        self, players: Sequence[PlayerSession], urls: Sequence[str], threads: int = _THREADS
    ) -> None:
        """Each bet is of one of `players`, sent to one of `urls`; both are read anew each time."""
        self.players = players
        self.urls = urls
        self.bets: list[Bet] = []
        self._ended = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._bet, args=(number,)) for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the last answers; raises the first error of a thread."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def wait_for(self, more: int, *codes: int | None) -> None:
        """Wait until so many more bets have had one of these answers as their first."""
        goal = self._count(codes) + more
        until(
            lambda: bool(self._errors) or self._count(codes) >= goal,
            lambda: f"{self._count(codes)} of {goal} answers {codes}",
            seconds=START,
        )
        if self._errors:
            raise self._errors[0]

    def _count(self, codes: Sequence[int | None]) -> int:
        return sum(1 for bet in self.bets[:] if bet.codes and bet.codes[0] in codes)

    def _bet(self, number: int) -> None:
        chance = random.Random(number)
        try:
            with http_client(PATIENCE_SECONDS) as http:
                while not self._ended.is_set():
                    bet = random_bet(chance, chance.choice(self.players))
                    self.bets.append(bet)
                    if bet.ask(http, chance.choice(self.urls)) != 1:
                        self._ended.wait(_PAUSE_SECONDS)
        except BaseException as error:
            self._errors.append(error)


def random_bet(chance: random.Random, player: PlayerSession) -> Bet:
    """A new bet of some cents, which wins at times."""
    stake = Decimal(chance.randint(1, 500)).scaleb(-2)
    win = Decimal(chance.choice((0, 0, chance.randint(1, 900)))).scaleb(-2)
    return Bet(player, stake, win)


def ask(bet: Bet, url: str) -> int | None:
    """Send one bet, as a client of its own; the code of the answer."""
    with http_client(PATIENCE_SECONDS) as http:
        return bet.ask(http, url)


def repeat(bets: Iterable[Bet], url: str) -> None:
    """Repeat bets at a gateway, as a provider does, until each is answered with code 1."""
    with http_client(PATIENCE_SECONDS) as http, ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(lambda bet: _repeat(bet, http, url), bets))


def _repeat(bet: Bet, http: httpx.Client, url: str) -> None:
    until(lambda: bet.ask(http, url) == 1, lambda: f"answers to a bet and its repeats: {bet.codes}")
