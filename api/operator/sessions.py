"""Sessions: open, show, list, extend, close."""

from datetime import timedelta
from decimal import Decimal

from api.operator import answers, forms
from api.operator.call import Call, Reply
from models.database.failures import unavailable
from models.database.transactions import Transaction
from models.directory.sessions import Opening, close_session, extend_session, open_sessions
from models.money import read_amount
from models.reports.parties import list_sessions, show_session


def open_session(call: Call, form: forms.OpenSession) -> Reply:
    """Open a session. A player or account that does not exist yet is made."""
    opening = Opening(
        counterparty_id=form.provider_id,
        currency=form.currency,
        min_bet=_limit(form.min_bet, "minBet"),
        max_bet=_limit(form.max_bet, "maxBet"),
        lasts=timedelta(minutes=form.ttl_minutes),
        game=form.game,
        language=form.language,
        mode=form.mode,
        replace=form.replace,
    )

    def make(database: Transaction) -> answers.OpenedSession:
        (opened,) = open_sessions(database, opening, [form.player])
        return answers.OpenedSession(
            session_id=opened.session_id,
            player=form.player,
            account_id=opened.account_id,
            expires_at=opened.expires_at,
            balance=opened.balance,
        )

    return call.create(form.note, make)


def show(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """Show a session."""
    with call.reading() as database:
        return _shown(database, call.path["sessionId"])


def list_(call: Call, form: forms.ListSessions) -> Reply:
    """List sessions, the newest first."""
    with unavailable():
        listing = list_sessions(
            call.database_url,
            player=form.player,
            counterparty_id=form.provider_id,
            open_only=form.state == "open",
        )
    found = call.page(listing, form.limit, form.cursor)
    items = [answers.Session.model_validate(one) for one in found.items]
    return Reply(answers.SessionPage(items=items, next=call.cursor(found.next)))


def extend(call: Call, form: forms.ExtendSession) -> Reply:
    """Let an open session last for so long from now."""
    with call.changing(form.note) as database:
        extend_session(database, call.path["sessionId"], timedelta(minutes=form.ttl_minutes))
        return _shown(database, call.path["sessionId"])


def close(call: Call, form: forms.Change) -> Reply:
    """Close a session."""
    with call.changing(form.note) as database:
        close_session(database, call.path["sessionId"])
        return _shown(database, call.path["sessionId"])


def _shown(database: Transaction, session_id: str) -> Reply:
    database.flush()
    return Reply(answers.Session.model_validate(show_session(database, session_id)))


def _limit(amount: str | None, name: str) -> Decimal | None:
    return None if amount is None else read_amount(amount, name)
