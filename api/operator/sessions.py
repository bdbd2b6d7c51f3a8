"""Sessions: open, show, list, extend, close."""

from datetime import timedelta

from api.operator import answers, forms
from api.operator.call import Call, Reply
from models.database.failures import unavailable
from models.database.transactions import Transaction
from models.directory.sessions import close_session, extend_session
from models.reports.parties import list_sessions, show_session


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
