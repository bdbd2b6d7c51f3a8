"""Players: show, list, block, unblock, accounts, statements."""

from starlette.responses import Response

from api.operator import answers, forms
from api.operator.call import Call, Reply, csv_response
from models.database.failures import unavailable
from models.database.transactions import Transaction
from models.directory.accounts import (
    PlayerStatus,
    find_account,
    set_player_status,
    use_accounts,
)
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
    player, period = call.path["player"], Period(form.since, form.until)
    if form.format == "csv":
        with call.reading() as database:
            account_id = find_account(database, player, form.currency).account_id
        with unavailable():
            found = read_statement(call.database_url, account_id, period)
        return csv_response(answers.StatementLine, found.lines, "statement")
    with unavailable():
        page = statement_page(
            *(call.database_url, player, form.currency, period),
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
