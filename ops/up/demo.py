"""The demo of `betcore up`: a provider, a player with money, and one signed PayInOut."""

import json
import logging
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path

from sqlmodel import Session as DbSession
from sqlmodel import select

from broker.cash import book
from embedded.restore import RESTORED
from models.audit.log import operation
from models.commands import Deposit
from models.directory.accounts import request_cash
from models.directory.providers import Credentials, add_provider, find_provider
from models.directory.sessions import Opening, open_sessions
from models.errors import NotFound
from models.keys import Purpose, require_ring
from models.private_files import read_private, write_private
from models.secret_cipher import SecretCipher
from models.tables import Provider, Session
from models.wire_signature import signed_headers
from ops.author import author_of
from settings import Settings

_LOG = logging.getLogger("betcore.up")
FILE = "demo.json"
_NAME = "demo"  # the name of both provider and player
_CURRENCY = "EUR"
# With these the first answer has the balance of the provider's documentation: 1588.5.
_DEPOSIT = Decimal("1543.75")
_STAKE, _WIN = "10.5", "55.25"
_LASTS = timedelta(days=30)
_LEFT_AT_LEAST = timedelta(days=1)  # with less time left, a new session is opened
_ANSWER_WITHIN_SECONDS = 7.0  # how long a provider waits


@dataclass(frozen=True, slots=True)
class Demo:
    """The parties of the demo. The names are those of the file."""

    counterpartyId: str  # noqa: N815
    secret: str
    player: str
    sessionId: str  # noqa: N815
    accountId: int  # noqa: N815

    @property
    def path(self) -> str:
        """The path of its PayInOut."""
        return f"/v1/sessions/{self.sessionId}/bets/pay-in-out"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, as sent."""

    path: str
    headers: dict[str, str]
    body: str
    status: str  # such as "200 OK"
    answer: str


def wanted(data_dir: Path, wished: bool) -> bool:
    """Whether to play the demo. Never in a restored ledger, whose books are those of real bets."""
    restored = (data_dir / RESTORED).exists()
    if wished and restored:
        _LOG.info("no demo: the ledger in %s was restored from a backup", data_dir)
    return wished and not restored


def prepare(settings: Settings) -> Demo:
    """Return the demo that was made here before, otherwise a new one. Its player has one deposit.

    `settings` have the operator key and the secrets key. Raises CashError, and the errors of the
    database.
    """
    file = settings.data_dir / FILE
    cipher = SecretCipher(require_ring(settings, Purpose.SECRETS))
    before = _remembered(file)
    author = author_of(settings, "the demo of betcore up")
    with operation(settings.database_url, author) as database:
        demo = _opened(database, before, cipher)
        deposit = Deposit(demo.accountId, f"demo {demo.counterpartyId}", _DEPOSIT)
        if demo != before:
            request_cash(database, deposit)
    if demo != before:
        write_private(file, json.dumps(asdict(demo), indent=2) + "\n")
    book(settings, [deposit])
    return demo


def pay_in_out(demo: Demo, host: str, port: int) -> Exchange:
    """Send one signed PayInOut. Raises OSError or HTTPException if there is no answer."""
    nonce = secrets.token_hex(16)
    bet = {"betId": f"demo-{nonce}", "betAmount": _STAKE, "winAmount": _WIN}
    body = json.dumps(bet, separators=(",", ":"))
    signed = signed_headers(demo.secret, demo.counterpartyId, body.encode())
    headers = {"Content-Type": "application/json", **signed}
    connection = HTTPConnection(f"{host}:{port}", timeout=_ANSWER_WITHIN_SECONDS)
    try:
        connection.request("POST", demo.path, body, headers)
        response = connection.getresponse()
        status = f"{response.status} {response.reason}"
        return Exchange(demo.path, headers, body, status, response.read().decode())
    finally:
        connection.close()


def shown(exchange: Exchange) -> str:
    """Return the request and its answer as text for people."""
    headers = "\n".join(f"  {name}: {value}" for name, value in exchange.headers.items())
    return f"""\
This signed PayInOut was just sent as the demo provider:

  POST {exchange.path} HTTP/1.1
{headers}

  {exchange.body}

The answer:

  HTTP/1.1 {exchange.status}

  {exchange.answer}
"""


def snippet(demo: Demo, url: str) -> str:
    """Return bash commands that sign and send another PayInOut. Each run makes a new bet."""
    return f"""\
(
  provider='{demo.counterpartyId}'
  secret='{demo.secret}'
  timestamp=$(date +%s%3N)
  nonce=$(openssl rand -hex 16)
  body='{{"betId":"demo-'$nonce'","betAmount":"{_STAKE}","winAmount":"{_WIN}"}}'
  sign=$(printf '%s' "$body.$provider.$timestamp.$nonce" |
    openssl dgst -sha256 -mac HMAC -macopt "key:$secret" -r | cut -d ' ' -f 1)
  curl --silent --show-error --write-out '\\n' --data-raw "$body" \\
    --header 'Content-Type: application/json' \\
    --header "X-Counterparty-Id: $provider" \\
    --header "X-Timestamp: $timestamp" \\
    --header "X-Request-Id: $nonce" \\
    --header "X-Sign: $sign" \\
    '{url}{demo.path}'
)
"""


def _remembered(file: Path) -> Demo | None:
    """Return the demo of the file, or None if there is none that can be read."""
    try:
        return Demo(**json.loads(read_private(file) or "{}"))
    except (ValueError, TypeError):
        return None


def _opened(database: DbSession, before: Demo | None, cipher: SecretCipher) -> Demo:
    """Return the demo with a session that lasts: the old one if the database still knows it."""
    try:
        provider = before and find_provider(database, before.counterpartyId)
    except NotFound:
        provider = None
    if before is None or provider is None:
        name, credentials = _added(database, cipher)
    elif _is_open(database.get(Session, before.sessionId)):
        return before
    else:
        name, credentials = before.player, Credentials(before.counterpartyId, before.secret)
    opening = Opening(credentials.counterparty_id, _CURRENCY, None, None, _LASTS)
    (opened,) = open_sessions(database, opening, [name])
    return Demo(
        counterpartyId=credentials.counterparty_id,
        secret=credentials.secret,
        player=name,
        sessionId=opened.session_id,
        accountId=opened.account_id,
    )


def _is_open(session: Session | None) -> bool:
    left_until = datetime.now(UTC) + _LEFT_AT_LEAST
    return session is not None and session.closed_at is None and session.expires_at > left_until


def _added(database: DbSession, cipher: SecretCipher) -> tuple[str, Credentials]:
    """Add a provider, and return its name with its credentials.

    The name is `demo`, or one like it if a demo of another folder has that name.
    """
    taken = database.exec(select(Provider).where(Provider.name == _NAME)).first()
    name = f"{_NAME}-{secrets.token_hex(3)}" if taken else _NAME
    return name, add_provider(database, name, cipher)
