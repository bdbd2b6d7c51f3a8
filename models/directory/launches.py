"""What Launch tells a provider about a session (PROTOCOL.md, "Aggregator to provider")."""

from dataclasses import dataclass

from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.addresses import CallPolicy
from models.directory.provider_calls import CalledProvider, called_provider
from models.errors import Ended, InvalidRequest
from models.play_money import on_the_wire
from models.reports.parties import ShownSession, show_session
from models.secret_cipher import SecretCipher
from models.tables import Provider

#: For a session that was opened without one.
_LANGUAGE = "en"
#: No game can have these names: as parts of a path they lead elsewhere.
NO_PART = (".", "..")


@dataclass(frozen=True, slots=True)
class Launch:
    """A launch that is to be asked for."""

    provider: CalledProvider
    session_id: str
    game: str
    fields: dict[str, object]


def is_launched(database: DbSession, counterparty_id: str, game: str | None) -> bool:
    """Whether a session for this game is launched: the provider has a URL. Raises NotFound."""
    has_url = select(col(Provider.url).is_not(None)).where(
        Provider.counterparty_id == counterparty_id
    )
    return game is not None and bool(database.exec(has_url).first())


def require_open(database: DbSession, session_id: str) -> ShownSession:
    """The session. Raises NotFound; Ended if it accepts no bets."""
    session = show_session(database, session_id)
    if session.state != "open":
        raise Ended(f"The session {session_id!r} is {session.state}: open another one.")
    return session


def read_launch(
    database: DbSession, session_id: str, cipher: SecretCipher, policy: CallPolicy
) -> Launch:
    """How to launch a session. Raises NotFound or NotCallable; Ended if it accepts no bets.

    Raises InvalidRequest for a session without a game, and for a game that no path can name.
    """
    session = require_open(database, session_id)
    if session.game is None or session.game in NO_PART:
        raise InvalidRequest(f"The session {session_id!r} has no game that can be launched.")
    fields: dict[str, object] = {
        "userId": session.player,
        "sessionId": session_id,
        "currency": on_the_wire(session.currency),
        "language": session.language or _LANGUAGE,
        "minBet": session.min_bet,
        "maxBet": session.max_bet,
        "gameMode": session.mode,
    }
    provider = called_provider(database, session.provider, cipher, policy)
    return Launch(provider, session_id, session.game, fields)
