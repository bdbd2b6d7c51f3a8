"""Every call in any order, against a model of the protocol and the real stack, step by step."""

import os
import uuid
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.service.client import Answer
from tests.service.wallet_model import Request, WalletModel
from tests.service.world import Seat, World

PROVIDERS, PLAYERS, BETS = ("p1", "p2"), ("anna", "ben"), ("a", "b", "c")
LIMIT, FUNDS = Decimal(50), Decimal(60)
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "15"))

#: Transfers that do not follow the one before, and accounts that do not end with their last.
BROKEN_LINKS = """
    with link as (
        select account, account_seq, balance_after,
               lag(account_seq, 1, 0::bigint) over w + 1 as seq,
               lag(balance_after, 1, 0::numeric) over w
               + case when credit_account = account then amount else -amount end as balance
        from transfer where account = any(%s) window w as (partition by account order by account_seq)
    )
    select account, account_seq from link where (account_seq, balance_after) <> (seq, balance)
    union all
    select id, last_seq from account where id in (select account from link)
      and (last_seq, balance) not in (select account_seq, balance_after from link l where l.account = id)
"""

amounts = st.sampled_from([Decimal(0), Decimal("10.5"), Decimal(40), Decimal(51)])
kinds = st.sampled_from(["pay-in", "pay-out", "pay-in-out", "refund"])


class Wallet(RuleBasedStateMachine):
    """Two providers, two players, a live and an ended session each, three bets."""

    world: World  # set by the test

    def __init__(self) -> None:
        super().__init__()
        world = self.world
        self.model = WalletModel(dict.fromkeys(PLAYERS, FUNDS))
        self.clients = {name: world.provider() for name in PROVIDERS}
        self.tag = uuid.uuid4().hex
        self.seats: dict[tuple[str, str, bool], Seat] = {}
        funded: set[str] = set()
        for player in PLAYERS:
            for name, client in self.clients.items():
                for ended in (False, True):
                    seat = world.seat(
                        client,
                        "0" if player in funded else FUNDS,
                        player=f"{player}-{self.tag}",
                        max_bet=str(LIMIT),
                    )
                    funded.add(player)
                    if ended:
                        world.close_session(seat)
                    self.seats[name, player, ended] = seat
        self.blocked: set[str] = set()

    @rule(
        kind=kinds,
        provider=st.sampled_from(PROVIDERS),
        player=st.sampled_from(PLAYERS),
        bet=st.sampled_from(BETS),
        stake=amounts,
        win=amounts,
        ended=st.booleans(),
        gateway=st.integers(0, 1),
    )
    def call(
        self,
        kind: str,
        provider: str,
        player: str,
        bet: str,
        stake: Decimal,
        win: Decimal,
        ended: bool,
        gateway: int,
    ) -> None:
        """Any call about any bet, from any player, through any gateway."""
        seat = self.seats[provider, player, ended]
        seat.client.url = self.world.gateways[gateway].url
        fields: dict[str, Any] = {}
        if kind.startswith("pay-in"):
            fields["betAmount"] = stake
        if kind in ("pay-out", "pay-in-out"):
            fields["winAmount"] = str(win)
        request = Request(
            kind,
            (provider, bet),
            player,
            fields.get("betAmount"),
            win if "winAmount" in fields else None,
            ended,
            player not in self.blocked,
            LIMIT,
        )

        answer = seat.call(kind, f"{bet}-{self.tag}", **fields)

        assert answer.code == self.model.call(request), (request, answer)
        if "balance" in answer.body:
            assert answer.body["balance"] == self.model.balances[player]
        self._ids_name_transfers(answer)

    @rule(player=st.sampled_from(PLAYERS))
    def block_or_unblock(self, player: str) -> None:
        """A player is blocked, or allowed again."""
        self.blocked ^= {player}
        status = "blocked" if player in self.blocked else "active"
        name = f"{player}-{self.tag}"
        self.world.execute("update player set status = %s where external_id = %s", status, name)

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

    @invariant()
    def balances_are_the_models(self) -> None:
        """After every step each account holds what the model says, through a whole chain."""
        for (name, player, ended), seat in self.seats.items():
            if name == PROVIDERS[0] and not ended:
                assert seat.balance().body["balance"] == self.model.balances[player]
        accounts = sorted({seat.account_id for seat in self.seats.values()})
        assert self.world.rows(BROKEN_LINKS, accounts) == []

    def _ids_name_transfers(self, answer: Answer) -> None:
        ids = [int(value) for name, value in answer.body.items() if name.endswith("TransactionId")]
        found = self.world.rows("select count(*) from transfer where id = any(%s)", ids)
        assert found == [(len(ids),)]
        assert bool(ids) == (answer.code == 1)


def test_any_calls_in_any_order_do_what_the_protocol_says(world: World) -> None:
    Wallet.world = world
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Wallet,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

    assert world.rows("select count(*) > 0 from bet") == [(True,)]
