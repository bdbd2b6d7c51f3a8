"""Any calls at once: the answers of parallel clients agree with each other and with the books."""

import random
import uuid
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest

from models.audit.verify import verify
from tests.examples import TIMES
from tests.service.support.client import Answer, encode, read_answer
from tests.service.support.http import http_client
from tests.service.support.world import PlayerSession, World
from tests.service.wallet.wallet_checks import assert_accounts_are_whole, ids_of

CLIENTS, CALLS_EACH, PLAYERS = 12, 90 * TIMES, 3
BETS_AT_ONCE, CALLS_PER_BET = 5, 60
FUNDS = Decimal(60)
AMOUNTS = [Decimal(0), Decimal("10.5"), Decimal(40), Decimal(51)]  # the last is above the limit
CALLS = {
    "pay-in": ("betAmount",),
    "pay-out": ("winAmount",),
    "pay-in-out": ("betAmount", "winAmount"),
    "refund": (),
}
#: Which codes each call may ever have as long as nothing fails: 0 and 99 are none of them.
MAY_ANSWER = {
    "pay-in": {1, 3, 4, 5, 7},
    "pay-out": {1, 6, 7},
    "pay-in-out": {1, 3, 4, 5, 7},
    "refund": {1, 7},
}


@dataclass(frozen=True)
class Said:
    """A call about a bet and its answer."""

    call: str
    bet: tuple[str, str]  # X-Counterparty-Id, betId
    account_id: int
    amounts: tuple[Decimal, ...]
    answer: Answer


@pytest.fixture
def players(world: World) -> list[PlayerSession]:
    """Some players, each at two providers, each in a live and an ended session."""
    names, found = [uuid.uuid4().hex for _ in range(PLAYERS)], []
    for provider in range(2):
        client = world.provider()
        for name in names:
            funds = "0" if provider else FUNDS
            live = world.open_session(client, funds, player=name, max_bet="50")
            ended = world.open_session(client, "0", player=name, max_bet="50")
            world.close_session(ended)
            found += [live, live, live, ended]
    return found


@pytest.fixture
def said(world: World, players: list[PlayerSession]) -> list[Said]:
    """What many clients at once were told, in calls of every kind about the same few bets."""
    tag = uuid.uuid4().hex
    bets = [f"{number} {tag}" for number in range(CLIENTS * CALLS_EACH // CALLS_PER_BET)]

    def play(number: int) -> list[Said]:
        chance, told = random.Random(number), []
        with http_client() as http:
            for turn in range(CALLS_EACH):
                # All are at the same few bets, and go on to others together.
                near = bets[turn * len(bets) // CALLS_EACH :][:BETS_AT_ONCE]
                player, bet_id = chance.choice(players), chance.choice(near)
                told.append(_call(http, chance.choice(world.gateways).url, player, bet_id, chance))
        return told

    with ThreadPoolExecutor(CLIENTS) as threads:
        return [one for told in threads.map(play, range(CLIENTS)) for one in told]


def test_any_calls_at_once_end_in_books_that_agree_with_every_answer(
    world: World, players: list[PlayerSession], said: list[Said]
) -> None:
    for one in said:
        assert one.answer.code in MAY_ANSWER[one.call], one
    by_bet: dict[tuple[str, str], list[Said]] = defaultdict(list)
    for one in said:
        by_bet[one.bet].append(one)
    recorded = _recorded(world, [player.account_id for player in players])
    for bet, about in by_bet.items():
        named = _agreed_ids(about)
        state, transfers = recorded.pop(bet, ("unknown", {}))
        # Nothing was moved but what an answer of code 1 names; a reversal's second half has none.
        assert {kind: transfers[kind][0] for kind in transfers if kind != "win_reversal"} == named
        _assert_possible(state, about)
        _assert_right_amounts(transfers, about)
    assert recorded == {}
    assert_accounts_are_whole(world, [player.account_id for player in players])
    assert verify(world.urls.database).problems == ()


def test_what_was_told_at_once_is_told_again_for_ever(
    world: World, players: list[PlayerSession], said: list[Said]
) -> None:
    live = {(s.client.counterparty_id, s.account_id): s for s in players}
    balances = {player.account_id: world.balance(player) for player in players}
    states = dict(
        world.rows(
            "select bet_id || provider_id, state from bet where account_id = any(%s)",
            list(balances),
        )
    )
    for one in {(one.bet, one.call): one for one in said if one.answer.code in (1, 4, 5)}.values():
        player = live[one.bet[0], one.account_id]
        state = states[f"{one.bet[1]}{world.provider_row(player.client)}"]
        if one.call != "refund" and state == "refunded":
            continue  # then every other call is a conflict
        fields = dict(zip(CALLS[one.call], one.amounts, strict=True))

        again = player.call(one.call, one.bet[1], **fields)

        assert again.code == one.answer.code
        assert ids_of(again) == ids_of(one.answer)
    assert {player.account_id: world.balance(player) for player in players} == balances


def _call(
    http: httpx.Client, url: str, player: PlayerSession, bet_id: str, chance: random.Random
) -> Said:
    """Any call about a bet; or one that only asks, in between."""
    if chance.random() < 0.2:
        path = chance.choice(
            [f"/v1/sessions/{player.session_id}/balance", f"/v1/bets?betId={bet_id}"]
        )
        asked = read_answer(http.get(f"{url}{path}", headers=player.client.headers(b"")))
        assert asked.code == 1
    name = chance.choice(list(CALLS))
    amounts = tuple(chance.choice(AMOUNTS) for _ in CALLS[name])
    fields: dict[str, Any] = {"betId": bet_id, **dict(zip(CALLS[name], amounts, strict=True))}
    body, path = encode(fields), f"/v1/sessions/{player.session_id}/bets/{name}"
    answer = read_answer(
        http.post(f"{url}{path}", content=body, headers=player.client.headers(body))
    )
    return Said(name, (player.client.counterparty_id, bet_id), player.account_id, amounts, answer)


def _agreed_ids(about: Iterable[Said]) -> dict[str, int]:
    """The transfers that the answers about one bet name: the same ones, whenever it was called."""
    named: dict[str, int] = {}
    for one in about:
        for kind, id_ in ids_of(one.answer).items():
            assert named.setdefault(kind, id_) == id_, one
    return named


def _assert_possible(state: str, about: list[Said]) -> None:
    """Assert that no two answers about a bet exclude each other or its state."""
    codes = {call: {one.answer.code for one in about if one.call == call} for call in CALLS}
    taken = {call for call in ("pay-in", "pay-in-out") if 1 in codes[call]}
    rejected = {(one.call, one.answer.code) for one in about if one.answer.code in (4, 5)}
    assert len(taken) + len(rejected) <= 1, (taken, rejected)
    if state == "unknown":
        assert all(found <= {3, 6} for found in codes.values())
    elif state == "rejected":
        assert rejected
        assert 1 not in codes["pay-out"]
    elif state == "cancelled":
        assert not taken | rejected
        assert 1 in codes["refund"]
    else:
        assert taken
        assert (1 in codes["refund"]) == (state == "refunded")
        if "pay-in-out" not in taken:
            assert (1 in codes["pay-out"]) == (state == "settled") or state == "refunded"


def _assert_right_amounts(transfers: dict[str, tuple[int, Decimal]], about: list[Said]) -> None:
    """Assert that the transfers are what the successful calls asked for."""
    for one in about:
        for field, amount in zip(CALLS[one.call], one.amounts, strict=True):
            if one.answer.code == 1:
                assert transfers["stake" if field == "betAmount" else "win"][1] == amount
    undone = {"refund": "stake", "win_reversal": "win"}
    for kind, of in undone.items():
        if kind in transfers:
            assert transfers[kind][1] == transfers.get(of, (0, Decimal(0)))[1]


def _recorded(
    world: World, accounts: list[int]
) -> dict[tuple[str, str], tuple[str, dict[str, tuple[int, Decimal]]]]:
    """State and transfers of each recorded bet of these accounts."""
    found: dict[tuple[str, str], tuple[str, dict[str, tuple[int, Decimal]]]] = {}
    for provider, bet_id, state, kind, id_, amount in world.rows(
        "select p.counterparty_id, b.bet_id, b.state, t.kind, t.id, t.amount from bet b"
        " join provider p on p.id = b.provider_id left join transfer t on t.bet = b.id"
        " where b.account_id = any(%s)",
        accounts,
    ):
        transfers = found.setdefault((provider, bet_id), (state, {}))[1]
        if kind is not None:
            transfers[kind] = (id_, amount)
    return found
