"""Write access to the database alone makes no provider, and read access reveals no secret."""

import json
from collections.abc import Iterator
from dataclasses import replace

import httpx
import psycopg
import pytest

from models.audit.verify import Asked, verify
from models.database.engine import engine
from models.keys import NoKey
from models.migrate import migrate
from models.secret_cipher import Encrypted, SecretRow
from tests.service.support import keys
from tests.service.support.client import ProviderClient
from tests.service.support.databases import fresh_database
from tests.service.support.http import http_get
from tests.service.support.migrating import older
from tests.service.support.operator_cli import Operator
from tests.service.support.processes import GatewayProcess, until
from tests.service.support.world import PlayerSession, World, new_world

FRESH = "91" * 32
KNOWN = "a secret that the attacker knows"
ROTATED = {
    "BETCORE_SECRETS_KEY": FRESH,
    "BETCORE_SECRETS_KEYS_OLD": keys.ENVIRONMENT["BETCORE_SECRETS_KEY"],
}

#: What somebody does who can write in the database, and knows the secret of provider `own`.
TAMPERINGS = {
    "a row with a secret in plain text": """
        insert into provider_secret (provider_id, key, ciphertext)
        select %(victim)s, key, convert_to(%(known)s, 'UTF8') from provider_secret limit 1
    """,
    "a row with its own ciphertext": """
        insert into provider_secret (provider_id, key, ciphertext)
        select %(victim)s, key, ciphertext from provider_secret where provider_id = %(own)s
    """,
    "its own ciphertext in the victim's row": """
        update provider_secret set key = own.key, ciphertext = own.ciphertext
        from (select * from provider_secret where provider_id = %(own)s) own
        where provider_secret.provider_id = %(victim)s
    """,
    "its own row moved to the victim": """
        update provider_secret set provider_id = %(victim)s where provider_id = %(own)s
    """,
    "its own row with the victim's id": """
        delete from provider_secret where provider_id = %(victim)s returning id;
        update provider_secret set provider_id = %(victim)s, id = id + 1000000
        where provider_id = %(own)s
    """,
    "its own provider named as the victim": """
        update provider set counterparty_id = 'was ' || id where id = %(victim)s;
        update provider set counterparty_id = %(victims_name)s where id = %(own)s
    """,
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A gateway alone, on a database that these tests tamper with."""
    with new_world() as installation:
        installation.gateway()
        yield installation


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_who_writes_in_the_database_signs_for_nobody_else(world: World, tampering: str) -> None:
    own, victim = world.provider(), world.provider()
    player = world.open_session(victim)
    assert signed_as(victim, victim.secret, player) == 200
    values = {
        "own": world.provider_row(own),
        "victim": world.provider_row(victim),
        "victims_name": victim.counterparty_id,
        "known": KNOWN,
    }

    with psycopg.connect(world.urls.database) as connection:
        for statement in TAMPERINGS[tampering].split(";"):
            connection.execute(statement.encode(), values)

    for known in (own.secret, KNOWN):
        assert signed_as(victim, known, player) == 401


def test_a_copy_of_a_revoked_secret_in_another_row_is_not_accepted(world: World) -> None:
    provider = world.provider()
    player, row = world.open_session(provider), world.provider_row(provider)
    assert signed_as(provider, provider.secret, player) == 200

    world.execute(
        "with copied as (insert into provider_secret (provider_id, key, ciphertext)"
        " select provider_id, key, ciphertext from provider_secret where provider_id = %s)"
        " delete from provider_secret where provider_id = %s",
        row,
        row,
    )

    until(lambda: signed_as(provider, provider.secret, player) == 401)


def test_what_is_not_accepted_is_named_in_the_log(world: World) -> None:
    victim = world.provider()
    [(planted,)] = world.rows(
        "insert into provider_secret (provider_id, key, ciphertext)"
        " select %s, key, '\\x00' from provider_secret limit 1 returning id",
        world.provider_row(victim),
    )

    line = (
        f"secret {planted} of provider '{victim.counterparty_id}' is not accepted:"
        " it was not encrypted for this row: the row was inserted, moved or edited"
    )
    until(lambda: line in world.gateways[0].output, lambda: world.gateways[0].output)
    assert signed_as(victim, victim.secret, world.open_session(victim)) == 200


def test_a_provider_whose_secrets_have_a_key_that_is_not_given_is_named_with_the_cure(
    world: World,
) -> None:
    locked, other = world.provider(), world.provider()
    player = world.open_session(locked)
    world.execute(
        "update provider_secret set key = 'deadbeef' where provider_id = %s",
        world.provider_row(locked),
    )
    gateway = world.gateways[0]
    line = (
        f"Every request of these providers is answered with 401: {locked.counterparty_id!r}."
        " Their secrets are encrypted with the key 'deadbeef', which this gateway does not have."
        " Add the key to BETCORE_SECRETS_KEYS_OLD and restart the gateway,"
        " then run `betcore provider secret reencrypt`."
    )

    until(lambda: line in gateway.output, lambda: gateway.output)
    [public] = told(gateway.url)
    assert public.startswith("1 of the providers get 401 for every request")
    assert locked.counterparty_id not in public
    assert signed_as(locked, locked.secret, player) == 401
    assert signed_as(other, other.secret, world.open_session(other)) == 200

    Operator(world, "").documents("provider", "secret", "add", locked.counterparty_id)

    until(lambda: not told(gateway.url))


def test_a_revoked_secret_is_erased(world: World) -> None:
    operator = Operator(world, world.provider().counterparty_id)
    (listed,) = operator.documents("provider", "secret", "list", operator.provider)
    secret_id = listed["secrets"][0]["secretId"]

    operator.documents("provider", "secret", "revoke", operator.provider, "--secret-id", secret_id)

    left = "select key, ciphertext from provider_secret where id = %s"
    assert world.rows(left, secret_id) == [(None, None)]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("", "The secrets key is missing: set BETCORE_SECRETS_KEY, the same for all gateways"),
        (FRESH, "was encrypted with the key of BETCORE_SECRETS_KEY: set the one that"),
    ],
)
def test_a_gateway_without_the_key_is_not_ready_and_says_why(
    world: World, key: str, says: str
) -> None:
    world.provider()
    with GatewayProcess(world.urls, BETCORE_SECRETS_KEY=key) as gateway:
        until(lambda: says in asked(f"{gateway.url}/readyz"), lambda: gateway.output)

        refused = replace(world.provider(), url=gateway.url).balance("any")

        assert (refused.status, refused.code) == (503, 99)


@pytest.fixture
def database(ledger_world: World) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    with fresh_database(ledger_world) as url:
        yield url
        engine(url).dispose()


def test_secrets_are_encrypted_with_a_new_key_and_the_old_one_can_go(
    ledger_world: World, database: str
) -> None:
    migrate(database)
    operator = Operator(ledger_world, "")

    def run(*command: str, **env: str) -> tuple[int, dict[str, object]]:
        done = operator.run("provider", *command, "--json", DATABASE_URL=database, **env)
        assert done.exit_code in (0, 1), done.exception
        return done.exit_code, json.loads(done.stdout)

    added = [run("add", name)[1] for name in ("one", "two")]
    run("secret", "revoke", str(added[1]["counterpartyId"]), "--secret-id", "2")
    run("secret", "add", str(added[1]["counterpartyId"]))
    counts = {"unchanged": 0, "unreadable": 0}

    assert run("secret", "reencrypt", **ROTATED)[1].items() >= ({"reencrypted": 2} | counts).items()
    assert verify(database, asked=Asked(keys.JOURNAL, keys.OPERATOR)).ok  # the audit log knows
    again = run("secret", "reencrypt", BETCORE_SECRETS_KEY=FRESH)
    assert again[0] == 0
    assert again[1].items() >= (counts | {"reencrypted": 0, "unchanged": 2}).items()
    without = run("secret", "reencrypt")
    assert without[0] == 1
    assert without[1].items() >= (counts | {"reencrypted": 0, "unreadable": 2}).items()
    assert run("secret", "reencrypt", BETCORE_SECRETS_KEY=FRESH)[0] == 0


PLAIN = """
    insert into provider (counterparty_id, name, status)
    values ('first', 'First', 'active'), ('second', 'Second', 'suspended');
    insert into provider_secret (provider_id, secret) values (1, 'plain-1'), (2, 'plain-2');
    insert into provider_secret (provider_id, secret, revoked_at) values (2, 'plain-3', now());
    insert into provider_secret (id, provider_id, secret) values (1000, 2, 'Zürich');
    select setval('provider_secret_id_seq', 1000);
"""
TEXT_OF_ALL = "select string_agg(s::text, ' ') from provider_secret s"


def test_an_upgrade_encrypts_what_was_in_plain_text(database: str) -> None:
    older(database, "0003")
    with psycopg.connect(database) as connection:
        connection.execute(PLAIN)

    with pytest.raises(NoKey, match="in plain text, and this version encrypts them: set BETCORE_S"):
        migrate(database)
    with psycopg.connect(database) as connection:  # nothing was lost
        assert "plain-1" in connection.execute(TEXT_OF_ALL).fetchall()[0][0]
    migrate(database, keys.SECRETS)

    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "select s.id, p.id, counterparty_id, key, ciphertext, revoked_at is null"
            " from provider_secret s join provider p on p.id = s.provider_id order by s.id"
        ).fetchall()
        all_text = connection.execute(TEXT_OF_ALL).fetchall()[0][0]
        (new,) = connection.execute(
            "insert into provider_secret (provider_id, key, ciphertext) values (1, '', '')"
            " returning id"
        ).fetchall()
    secrets = [
        keys.CIPHER.decrypt(Encrypted(*row[3:5]), SecretRow(*row[:3])) if row[5] else None
        for row in rows
    ]
    assert [row[0] for row in rows] == [1, 2, 3, 1000]
    assert secrets == ["plain-1", "plain-2", None, "Zürich"]
    assert rows[2][3:5] == (None, None)
    assert "plain" not in all_text
    assert new == (1001,)


def test_an_upgrade_without_secrets_needs_no_key(database: str) -> None:
    older(database, "0003")

    assert migrate(database) > "0003"


def signed_as(provider: ProviderClient, secret: str, player: PlayerSession) -> int:
    """The status of the answer to a question that is signed for a provider with this secret."""
    return replace(provider, secret=secret).balance(player.session_id).status


def asked(url: str) -> str:
    """What is answered there; '' when nobody answers yet."""
    try:
        return http_get(url).text
    except httpx.TransportError:
        return ""


def told(url: str) -> list[str]:
    """What a gateway answers to any provider that cannot be authenticated."""
    warnings: list[str] = http_get(f"{url}/readyz").json().get("warnings", [])
    return [line for line in warnings if "401" in line]
