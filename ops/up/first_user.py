"""Makes the console's first user, so that `betcore up` can say how to log in."""

from models.database.failures import database_failures
from models.directory.console_users import add_first_user
from ops.author import author_of
from ops.terminal.typed import to_type
from settings import Settings

_NAME = "admin"


def first_user(configured: Settings) -> str:
    """Make an administrator, unless there was a user before. Says how to log in."""
    author = author_of(configured, None)
    with database_failures():
        made = add_first_user(configured.database_url, author, _NAME)
    if made is None:
        return f"a new password: {to_type('console user password NAME', configured.data_dir)}"
    return f"user: {_NAME}  password: {made}"
