"""Logins of an embedded PostgreSQL: one per role, none of them a superuser.

Their passwords are derived from the superuser's, one way: a login's password reveals no other. So
there is one secret to keep, and a login has the same URL after a restart.
"""

import hmac
from urllib.parse import unquote, urlsplit

from psycopg import sql

from models.database.postgres import connect
from models.database.preconditions import Use
from models.database.roles import GATEWAY, OPERATOR, OWNER, READER, WORKER, make_role

#: The logins, and the role whose rights each has.
LOGINS = {
    "migrator": OWNER,
    "gateway": GATEWAY,
    "worker": WORKER,
    "operator": OPERATOR,
    "reader": READER,
}


def login_url(superuser_url: str, login: str) -> str:
    """Return the URL of a login to the superuser's database, or "" if `superuser_url` is ""."""
    if not superuser_url:
        return ""
    parts = urlsplit(superuser_url)
    _, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}:{_password(superuser_url, login)}@{place}").geturl()


def make_logins(superuser_url: str) -> None:
    """Make missing roles and logins. Give each login its password and its role.

    The owner's role gets the database, and whatever an older version made there as the superuser. A
    repeat changes nothing. Raises psycopg.Error, sqlalchemy.exc.DBAPIError, LedgerError.
    """
    # Imported here: every command reads this module, and only `betcore up` makes logins.
    from models.database.engine import engine
    from models.database.ownership import prepare

    with engine(superuser_url, Use.MIGRATE).connect() as connection:
        prepare(connection)
    with connect(superuser_url, Use.START, connect_seconds=10, wait_seconds=10) as connection:
        for login, role in LOGINS.items():
            # Only the verifier of the password leaves this process.
            verifier = connection.pgconn.encrypt_password(
                _password(superuser_url, login).encode(), login.encode(), b"scram-sha-256"
            ).decode()
            name = sql.Identifier(login)
            connection.execute(make_role(login))
            connection.execute(
                sql.SQL("alter role {} login password {}").format(name, sql.Literal(verifier))
            )
            connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), name))
        database = sql.Identifier(connection.info.dbname)
        owner = sql.Identifier(OWNER)
        connection.execute(sql.SQL("alter database {} owner to {}").format(database, owner))


def _password(superuser_url: str, login: str) -> str:
    secret = unquote(urlsplit(superuser_url).password or "")
    if not secret:
        raise ValueError("a superuser without a password")
    return hmac.digest(secret.encode(), f"betcore login {login}".encode(), "sha256").hex()
