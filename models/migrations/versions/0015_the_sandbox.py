"""The sandbox: the mark of a database of play money, and the tokens of its providers."""

from alembic import op

revision = "0015"
down_revision = "0012"

MARK = """
CREATE TABLE sandbox_mark (
    id SMALLINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT sandbox_mark_key PRIMARY KEY (id),
    CONSTRAINT sandbox_mark_once CHECK (id = 1)
)
"""

TOKEN = """
CREATE TABLE sandbox_token (
    provider_id INTEGER NOT NULL,
    hash BYTEA NOT NULL,
    players INTEGER DEFAULT 0 NOT NULL,
    sessions INTEGER DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT sandbox_token_key PRIMARY KEY (provider_id),
    CONSTRAINT sandbox_token_provider_id_exists FOREIGN KEY (provider_id) REFERENCES provider (id),
    CONSTRAINT sandbox_token_hash_is_sha256 CHECK (octet_length(hash) = 32)
)
"""

GRANTS = """
grant select on sandbox_mark to betcore_gateway, betcore_reader;
grant select, insert (id) on sandbox_mark to betcore_operator;
grant select, insert (provider_id, hash), update (players, sessions)
    on sandbox_token to betcore_operator;
grant select (provider_id, players, sessions, created_at) on sandbox_token to betcore_reader
"""


def upgrade() -> None:
    """Create two tables, which stay empty outside a sandbox. Nothing waits for it."""
    for statement in (MARK, TOKEN, *GRANTS.split(";\n")):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: a migration never deletes evidence. Raises RuntimeError."""
    raise RuntimeError("A migration does not take the mark of a sandbox away.")
