"""Players: show, list, block, unblock. Accounts, their statements and currencies."""

from starlette.responses import Response

from api.operator import answers, forms
from api.operator.call import Call, Reply, csv_response
from models.database.failures import unavailable
from models.database.transactions import Transaction
from models.directory import currencies
from models.directory.accounts import (
    PlayerStatus,
    find_account,
    set_player_status,
    use_accounts,
)
from models.reports import parties
from models.reports.parties import list_players, show_player
from models.reports.statement import Period, read_statement, statement_page


def show(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """Show a player with its accounts."""
    with call.reading() as database:
        return Reply(_shown(database, call.path["player"]))


def list_(call: Call, form: forms.ListPlayers) -> Reply:
    """List players, the oldest first."""
    listing = list_players(call.database_url, form.status)
    found = call.page(listing, form.limit, form.cursor)
    items = [answers.ListedPlayer.model_validate(one) for one in found.items]
    return Reply(answers.PlayerPage(items=items, next=call.cursor(found.next)))


def block(call: Call, form: forms.Change) -> Reply:
    """Refuse new bets of a player."""
    return _set_status(call, form, "blocked")


def unblock(call: Call, form: forms.Change) -> Reply:
    """Accept bets of a blocked player again."""
    return _set_status(call, form, "active")


def list_accounts(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """List the accounts of a player."""
    with call.reading() as database:
        return Reply(answers.AccountList(items=_shown(database, call.path["player"]).accounts))


def open_account(call: Call, form: forms.OpenAccount) -> Reply:
    """Open an account. One that exists already is answered as it is."""

    def make(database: Transaction) -> answers.Account:
        (account,) = use_accounts(database, [call.path["player"]], form.currency)
        return answers.Account(
            account_id=account.account_id, currency=form.currency, balance=account.balance
        )

    return call.create(form.note, make)


def statement(call: Call, form: forms.Statement) -> Reply | Response:
    """Show the transfers of an account, the oldest first, as pages or as one CSV file."""
    with call.reading() as database:
        account_id = find_account(database, call.path["player"], form.currency).account_id
    return _statement(call, form, account_id)


def show_account(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """Show an account of a player or a provider, or a cash account."""
    with call.reading() as database:
        found = parties.show_account(database, _account_id(call))
    return Reply(answers.ShownAccount.model_validate(found))


def account_statement(call: Call, form: forms.AccountStatement) -> Reply | Response:
    """Show the transfers of any account, the oldest first. Only a player's has pages."""
    return _statement(call, form, _account_id(call))


def list_currencies(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """List the currencies that were used or added so far."""
    with call.reading() as database:
        found = currencies.list_currencies(database)
    return Reply(answers.CurrencyList(items=[answers.Currency.model_validate(c) for c in found]))


def add_currency(call: Call, form: forms.AddCurrency) -> Reply:
    """Add a currency that ISO 4217 does not have. One that exists already is answered as it is."""

    def make(database: Transaction) -> answers.Currency:
        added = currencies.add_currency(database, form.code, form.decimals)
        return answers.Currency.model_validate(added)

    return call.create(form.note, make)


def _account_id(call: Call) -> int:
    """The account in the path. Raises Problem."""
    return call.row_id("accountId", "account")


def _statement(
    call: Call, form: forms.Statement | forms.AccountStatement, account_id: int
) -> Reply | Response:
    period = Period(form.since, form.until)
    if form.format == "csv":
        with unavailable():
            found = read_statement(call.database_url, account_id, period)
        return csv_response(answers.StatementLine, found.lines, "statement")
    with unavailable():
        page = statement_page(
            *(call.database_url, account_id, period),
            *(form.limit, call.position(form.cursor)),
        )
    return Reply(
        answers.Statement(
            account_id=page.account_id,
            currency=page.currency,
            opening_balance=page.opening_balance,
            closing_balance=page.closing_balance,
            items=[answers.StatementLine.model_validate(line) for line in page.items],
            next=call.cursor(page.next),
        )
    )


def _set_status(call: Call, form: forms.Change, status: PlayerStatus) -> Reply:
    with call.changing(form.note) as database:
        set_player_status(database, call.path["player"], status)
        database.flush()
        return Reply(_shown(database, call.path["player"]))


def _shown(database: Transaction, player: str) -> answers.Player:
    found = show_player(database, player)
    return answers.Player(
        player=found.player.player,
        status=found.player.status,
        created_at=found.player.created_at,
        accounts=[answers.Account.model_validate(account) for account in found.accounts],
    )
