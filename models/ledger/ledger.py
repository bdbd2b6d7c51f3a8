"""The ledger: load -> decide -> write, for a whole batch of commands in one transaction."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from metrics.measured import BATCH, COMMITTED, DECIDE, LOAD
from metrics.traces import TRACES
from models.audit import journal
from models.audit.journal import Strand
from models.codes import Code
from models.commands import BetCommand, CashCommand, Command
from models.database.pipeline import whole
from models.database.prepared_connection import BatchTransaction, PreparedConnection
from models.database.query import REPLICATED, TRANSACTION, Statement
from models.errors import LedgerError
from models.keys import Key
from models.ledger import load, write
from models.ledger.load import read_state
from models.ledger.rules import OPENED_BY, Decision, decide, decide_cash, round_of
from models.ledger.state import Account, Bet, BetState, Booked, Kind, Round, State
from models.ledger.write import writes
from models.money import ZERO
from models.outcome import Outcome

_IDS_PER_COMMAND = 3  # at most: a bet and two transfers

#: All statements of the ledger.
HOT_PATH = (*TRANSACTION, *load.STATEMENTS, *write.STATEMENTS, *journal.STATEMENTS)


class LedgerConnection(PreparedConnection):
    """A connection on which the statements of the ledger are prepared."""

    def __init__(
        self, database_url: str, *, wait_seconds: float, connect_seconds: int, pool: str = ""
    ) -> None:
        """`wait_seconds` is the longest wait for an answer. Then the connection is closed.

        `pool`: as in PreparedConnection.
        """
        super().__init__(
            database_url,
            HOT_PATH,
            wait_seconds=wait_seconds,
            connect_seconds=connect_seconds,
            pool=pool,
        )


class Ledger:
    """Applies commands to PostgreSQL, and answers what is already recorded."""

    def __init__(self, connection: LedgerConnection, journal_key: Key | None = None) -> None:
        """Without `journal_key` it only answers. A ledger that writes needs one (docs/adr/0010)."""
        self._connection = connection
        self._ids = IdBlock()
        self._strand = None if journal_key is None else Strand(journal_key)

    def apply(
        self,
        commands: Sequence[Command],
        in_time: Callable[[int], bool],
        seconds_max: float,
    ) -> list[Outcome | None]:
        """Apply a batch in order, in one transaction. Returns one outcome per command.

        After the load has answered, `in_time(i)` says whether command `i` may still be applied.
        Otherwise the command leaves nothing and its outcome is None. PostgreSQL ends the
        transaction after `seconds_max`.

        Raises what `Pipeline.run` raises. Nothing is applied then, with one exception: after
        LedgerUnavailable the commit may have happened. Then apply the same commands again. Those
        that were applied answer with their first ids. Raises ValueError when there is no key for
        the journal.
        """
        if self._strand is None:
            raise ValueError("a ledger without a key for the journal does not write")
        began = perf_counter()
        try:
            with self._connection.transaction(seconds_max) as transaction:
                state = self._load(transaction, commands)
                loaded = perf_counter()
                outcomes = [
                    advance(state, command, _decide(state, command)) if in_time(index) else None
                    for index, command in enumerate(commands)
                ]
                decided = perf_counter()
                transaction.commit(*writes(state), *self.journal_rows(self._strand, state))
        except BaseException:
            # The block was drawn by a transaction that did not commit. A restarted server, or its
            # successor, may issue the same block again.
            self._ids.discard()
            self._strand.failed()
            raise
        self._strand.committed()
        LOAD.observe(loaded - began)
        DECIDE.observe(decided - loaded)
        committed = perf_counter()
        COMMITTED.observe(committed - decided)
        BATCH.observe(len(commands))
        if TRACES.spans is not None:
            TRACES.spans.applied(began, loaded, decided, committed)
        return outcomes

    def journal_rows(self, strand: Strand, state: State) -> list[Statement]:
        """The row that vouches for what the batch inserts, if it inserts anything."""
        finished = state.finished
        if not state.transfers and not state.rejected and not finished:
            return []
        assert state.moment is not None  # noqa: S101 - every load for a write reads it
        row = strand.batch(state.transfers, state.rejected, state.moment, finished)
        return [row.to_statement()]

    def recorded(self, commands: Sequence[Command]) -> list[Outcome | None]:
        """What the ledger can answer to each command without writing; None: nothing is recorded.

        Source: PROTOCOL.md, rule 8. Raises what `Pipeline.run` raises.
        """
        with self._connection.snapshot() as snapshot:
            state = self._load(snapshot, commands, reads_only=True)
            snapshot.commit((REPLICATED, ()))
        return [_repeat(state, command) for command in commands]

    def _load(
        self,
        transaction: BatchTransaction,
        commands: Sequence[Command],
        *,
        reads_only: bool = False,
    ) -> State:
        accounts = load.READ_ACCOUNTS if reads_only else load.LOCK_ACCOUNTS
        bets = [command for command in commands if isinstance(command, BetCommand)]
        cash = [command for command in commands if isinstance(command, CashCommand)]
        account_ids = sorted({command.account_id for command in commands})
        statements: list[Statement] = [
            (accounts, [account_ids]),
            (load.SESSIONS, [sorted({bet.session_id for bet in bets})]),
            (load.BETS, load.wanted_bets(bets)),
        ]
        if any(bet.round_finished for bet in bets):
            statements.append((load.ROUNDS, load.wanted_rounds(bets)))
        if cash:
            statements.append((load.BOOKED, [[command.reference for command in cash]]))
            statements.append((load.CASH_ACCOUNTS, [[command.account_id for command in cash]]))
            statements.append((load.REFUSED_ORDERS, [[command.order_id for command in cash]]))
        if not reads_only:
            statements.append((load.MOMENT, ()))
            # This is a write, which PostgreSQL refuses in a read-only transaction.
            if self._ids.left < _IDS_PER_COMMAND * len(commands):
                statements.append((load.NEXT_IDS, ()))
        answers = dict(
            zip((query for query, _ in statements), transaction.load(*statements), strict=True)
        )
        if load.NEXT_IDS in answers:
            self._ids.add(whole(answers[load.NEXT_IDS][0][0]))
        state = read_state(self._ids, answers, accounts)
        if not reads_only:
            if load.ROUNDS in answers:
                self._load_ids(transaction, state, _IDS_PER_COMMAND * len(commands))
            self._load_win_days(transaction, state, bets)
        return state

    def _load_ids(self, transaction: BatchTransaction, state: State, needed: int) -> None:
        """Draw ids for what the batch may close and finish, besides those that its commands need.

        It costs one more round trip if the present block has too few.
        """
        needed += sum(1 + len(of_round.bets) for of_round in state.rounds.values())
        blocks = -((self._ids.left - needed) // load.ID_BLOCK)
        if blocks > 0:
            for [(start,)] in transaction.load(*[(load.NEXT_IDS, ())] * blocks):
                self._ids.add(whole(start))

    def _load_win_days(
        self, transaction: BatchTransaction, state: State, bets: Sequence[BetCommand]
    ) -> None:
        """Lock what the houses have paid today, of wins in this batch that a limit per day is for.

        Only these cost one more round trip.
        """
        houses = set()
        for bet in bets:
            session = state.sessions.get(bet.session_id)
            if bet.win and session is not None and session.max_daily_win is not None:
                houses.add(session.house_account_id)
        if houses:
            [rows] = transaction.load((load.WIN_DAYS, [sorted(houses)]))
            load.read_win_days(state, rows)


class IdBlock(Iterator[int]):
    """Ids for bets and transfers, drawn from the sequence in blocks."""

    def __init__(self) -> None:
        self._next = self._end = 0
        self._later: deque[int] = deque()  # where each further block begins

    @property
    def left(self) -> int:
        """How many ids are left."""
        return self._end - self._next + len(self._later) * load.ID_BLOCK

    def add(self, start: int) -> None:
        """Add the block that begins at `start`."""
        self._later.append(start)

    def discard(self) -> None:
        """Forget the remaining ids. Gaps between ids are allowed."""
        self._next = self._end = 0
        self._later.clear()

    def __next__(self) -> int:
        if self._next >= self._end:
            if not self._later:
                raise StopIteration
            self._next = self._later.popleft()
            self._end = self._next + load.ID_BLOCK
        self._next += 1
        return self._next - 1


def _decide(state: State, command: Command) -> Decision:
    account = state.accounts.get(command.account_id)
    if isinstance(command, BetCommand):
        bet = state.bets.get((command.provider_id, command.bet_id))
        session = state.sessions.get(command.session_id)
        of_day = state.win_days.get(session.house_account_id) if session else None
        won_today = of_day.total if of_day else ZERO
        return decide(bet, account, session, command, won_today, _round(state, bet, command))
    if account is None:
        raise LedgerError(f"There is no account {command.account_id}.")
    refused = command.order_id in state.refused_orders
    return decide_cash(state.booked.get(command.reference), account, command, refused=refused)


def _round(state: State, bet: Bet | None, call: BetCommand) -> Round | None:
    """The round that a call is about, if it is finished or the call finishes it."""
    if not state.rounds:
        return None
    round_id = round_of(bet, call)
    if round_id is None:
        return None
    key = (call.account_id, call.provider_id, round_id)
    return state.rounds[key] if call.round_finished else state.rounds.get(key)


def advance(state: State, command: Command, decision: Decision) -> Outcome:
    """Apply a decision to the state, and return the answer.

    After this point the command must succeed.
    """
    account = state.accounts.get(command.account_id)
    if account is None:
        return Outcome(decision.code, reason=decision.reason)
    if isinstance(command, CashCommand):
        return _move_cash(state, account, command, decision)
    session = state.sessions.get(command.session_id)
    if session is None:
        return Outcome(decision.code, reason=decision.reason)
    bet = state.bets.get((command.provider_id, command.bet_id))
    if decision.records is not None:
        bet = _record(state, bet, command, decision)
    for kind, amount in decision.moves:
        state.move(kind, account, session.house_account_id, amount, bet=bet)
    if decision.finishes or decision.closes:
        _close_others(state, account, session.house_account_id, decision)
        of_round = _round(state, bet, command)
        if of_round is not None and decision.finishes:
            of_round.finish(next(state.ids), account.seq)
    ids = tuple([bet.ids[kind] for kind in decision.answers]) if bet is not None else ()
    return Outcome(decision.code, account.balance, ids, decision.reason)


def _move_cash(state: State, account: Account, command: CashCommand, decision: Decision) -> Outcome:
    for kind, amount in decision.moves:
        cash = state.cash_accounts[account.id]
        transfer = state.move(kind, account, cash, amount, reference=command.reference)
        booked = Booked(transfer.id, account.id, kind, amount)
        state.booked[command.reference] = booked
    if decision.code == Code.INSUFFICIENT_FUNDS and command.order_id:
        state.refuse(command.order_id)
    ids = (state.booked[command.reference].id,) if decision.answers else ()
    return Outcome(decision.code, account.balance, ids)


def _record(state: State, bet: Bet | None, call: BetCommand, decision: Decision) -> Bet:
    """The bet after the decision: a new one, or the recorded one changed."""
    assert decision.records is not None  # noqa: S101 - the caller has checked it
    if bet is None:
        is_rejected = decision.records is BetState.REJECTED
        bet = Bet(
            id=next(state.ids),
            provider_id=call.provider_id,
            bet_id=call.bet_id,
            account_id=call.account_id,
            session_id=call.session_id,
            round_id=call.round_id,
            opened_by=OPENED_BY[type(call)],
            state=decision.records,
            stake=call.stake,
            win=call.win,
            odd=call.odd,
            game=call.game,
            refused_with=decision.code if is_rejected else None,
            reason=decision.reason if is_rejected else None,
        )
        state.bets[call.provider_id, call.bet_id] = bet
        if bet.state is BetState.REJECTED:
            state.rejected.append(bet)
        of_round = _round(state, None, call)
        if of_round is not None and bet.state is BetState.OPEN:
            of_round.bets[bet.bet_id] = bet  # a later command of the batch may close it
        return bet
    bet.state = decision.records
    bet.changed = True
    if call.win is not None:
        bet.win = call.win
        bet.odd = call.odd
    return bet


def _close_others(state: State, account: Account, house_id: int, decision: Decision) -> None:
    """Settle the other bets that a call closes with a win of 0."""
    for other in decision.closes:
        other.state, other.win, other.changed = BetState.SETTLED, ZERO, True
        state.move(Kind.WIN, account, house_id, ZERO, bet=other)


def _repeat(state: State, command: Command) -> Outcome | None:
    """The outcome of a command about something recorded, if it would write nothing."""
    if isinstance(command, BetCommand):
        known = (command.provider_id, command.bet_id) in state.bets
    else:
        known = command.reference in state.booked
    if not known:
        return None
    decision = _decide(state, command)
    sayable = decision.is_repeatable and decision.code != Code.SESSION_CLOSED
    return advance(state, command, decision) if sayable else None
