"""Every call in any order on the real stack, compared with a model after each step."""

import uuid
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.examples import examples
from tests.service.support.refusals import block, expire, resume, suspend, unblock
from tests.service.support.world import PlayerSession, World
from tests.service.wallet.wallet_checks import (
    assert_accounts_are_whole,
    assert_names_its_transfers,
    ids_of,
)
from tests.service.wallet.wallet_model import Request, WalletModel

#: Who plays, and in which currency: two accounts of one player are as strange to each other as two
#: players, but blocked together.
ACCOUNTS = {"anna": ("anna", "EUR"), "ben": ("ben", "EUR"), "ben's dollars": ("ben", "USD")}
PROVIDERS, BETS = ("p1", "p2"), ("a", "b", "c")
#: How the sessions of each provider end that end.
ENDED_BY = {"p1": "session_closed", "p2": "session_expired"}
LIMIT, FUNDS = Decimal(50), Decimal(60)

amounts = st.sampled_from([Decimal(0), Decimal("10.5"), Decimal(40), Decimal(51)])
rounds = st.sampled_from([None, None, "r1", "r2"])
kinds = st.sampled_from(["pay-in", "pay-out", "pay-in-out", "refund"])


class Wallet(RuleBasedStateMachine):
    """Two providers, three accounts, a live and an ended session each, three bets."""

    world: World  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.model = WalletModel(dict.fromkeys(ACCOUNTS, FUNDS))
        self.clients = {name: self.world.provider() for name in PROVIDERS}
        self.tag = uuid.uuid4().hex
        self.forbidden: set[str] = set()  # blocked players and suspended providers
        self.ids: dict[tuple[str, str, str], int] = {}
        self.players: dict[tuple[str, str, bool], PlayerSession] = {}
        for account, (player, currency) in ACCOUNTS.items():
            for provider, client in self.clients.items():
                funds = FUNDS if provider == PROVIDERS[0] else "0"
                name, limit = f"{player}-{self.tag}", str(LIMIT)
                for ended in (False, True):
                    self.players[provider, account, ended] = self.world.open_session(
                        client,
                        "0" if ended else funds,
                        player=name,
                        currency=currency,
                        max_bet=limit,
                    )
            self.world.close_session(self.players[PROVIDERS[0], account, True])
            expire(self.world, self.players[PROVIDERS[1], account, True])
        self.seq = {account: self._last_seq(account) for account in ACCOUNTS}

    @rule(
        kind=kinds,
        provider=st.sampled_from(PROVIDERS),
        account=st.sampled_from(list(ACCOUNTS)),
        bet=st.sampled_from(BETS),
        stake=amounts,
        win=amounts,
        ended=st.booleans(),
        gateway=st.integers(0, 1),
        game_round=rounds,
        finishes=st.booleans(),
    )
    def call(
        self,
        kind: str,
        provider: str,
        account: str,
        bet: str,
        stake: Decimal,
        win: Decimal,
        ended: bool,
        gateway: int,
        game_round: str | None,
        finishes: bool,
    ) -> None:
        """Any call about any bet, from any account, through any gateway."""
        player = self.players[provider, account, ended]
        player.client.url = self.world.gateways[gateway].url
        fields: dict[str, Any] = {} if game_round is None else {"gameRoundId": game_round}
        if kind.startswith("pay-in"):
            fields["betAmount"] = stake
        if kind in ("pay-out", "pay-in-out"):
            fields["winAmount"] = str(win)
        if finishes:  # on a pay-in or refund it is an unknown field
            fields["roundFinished"] = True
        request = Request(
            kind,
            (provider, bet),
            account,
            fields.get("betAmount"),
            win if "winAmount" in fields else None,
            game_round,
            ENDED_BY[provider] if ended else None,
            ACCOUNTS[account][0] in self.forbidden,
            provider in self.forbidden,
            LIMIT,
            finishes and "winAmount" in fields,
        )

        answer = player.call(kind, f"{bet}-{self.tag}", **fields)

        expected = self.model.call(request)
        assert (answer.code, answer.body.get("reason")) == expected, (request, answer)
        assert answer.body["balance"] == self.model.balances[account]
        assert_names_its_transfers(self.world, answer, player.account_id, f"{bet}-{self.tag}")
        for of_kind, id_ in ids_of(answer).items():
            assert self.ids.setdefault((provider, bet, of_kind), id_) == id_
        moved = self._last_seq(account) - self.seq[account]
        assert moved == 0 or answer.code == 1
        self.seq[account] += moved

    @rule(who=st.sampled_from(["anna", "ben", *PROVIDERS]))
    def forbid_or_allow(self, who: str) -> None:
        """A player is blocked or a provider suspended, or allowed again."""
        self.forbidden ^= {who}
        is_forbidden = who in self.forbidden
        if who in PROVIDERS:
            player = self.players[who, "anna", False]
            (suspend if is_forbidden else resume)(self.world, player)
        else:
            player = self.players[PROVIDERS[0], who, False]
            (block if is_forbidden else unblock)(self.world, player)

    @rule(provider=st.sampled_from(PROVIDERS), bet=st.sampled_from(BETS))
    def ask(self, provider: str, bet: str) -> None:
        """What has become of a bet."""
        answer = self.clients[provider].status(f"{bet}-{self.tag}")

        known = self.model.bets.get((provider, bet))
        assert answer.code == 1
        assert answer.body["state"] == (known.state if known else "unknown")
        if known:
            assert answer.body["betAmount"] == known.stake
            assert answer.body["winAmount"] == known.win
            assert answer.body["refusedWith"] == (known.code if known.code != 1 else None)
            assert answer.body["reason"] == known.reason

    @invariant()
    def balances_are_the_models(self) -> None:
        """After every step each account has the model's balance and a whole chain."""
        assert_accounts_are_whole(
            self.world, [player.account_id for player in self.players.values()]
        )
        for account in ACCOUNTS:
            player = self.players[PROVIDERS[0], account, False]
            assert self.world.balance(player) == self.model.balances[account]

    @rule(account=st.sampled_from(list(ACCOUNTS)), ended=st.booleans())
    def ask_balance(self, account: str, ended: bool) -> None:
        """A balance, asked by a provider, perhaps in a session that has ended."""
        answer = self.players[PROVIDERS[1], account, ended].balance()

        assert answer.body == {
            "currency": ACCOUNTS[account][1],
            "balance": self.model.balances[account],
            "_responseCode": 1,
        }

    def _last_seq(self, account: str) -> int:
        player = self.players[PROVIDERS[0], account, False]
        return int(
            self.world.rows("select last_seq from account where id = %s", player.account_id)[0][0]
        )


def test_any_calls_in_any_order_do_what_the_protocol_says(world: World) -> None:
    world.wait_for_memory()
    Wallet.world = world
    run_state_machine_as_test(Wallet, settings=examples(25, steps=30))

    assert world.rows("select count(*) > 0 from bet") == [(True,)]
