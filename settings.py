"""Every setting, one line each, with its unit; read from the environment.

`DATABASE_URL` and `REDIS_URL` keep their common names; every other one is `BETCORE_` and its name
in capitals, such as `BETCORE_BATCH_JOBS_MAX=64`.
"""

from functools import cache

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of one process; frozen, so that nothing changes behind its back."""

    model_config = SettingsConfigDict(env_prefix="BETCORE_", frozen=True, extra="ignore")

    # Where the servers are. Empty: the embedded ones of `betcore up`.
    database_url: str = Field("", validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    redis_url: str = Field("", validation_alias=AliasChoices("REDIS_URL", "redis_url"))
    database_read_url: str = Field(
        "", validation_alias=AliasChoices("DATABASE_READ_URL", "database_read_url")
    )  # a replica that may answer balances; empty: the primary does

    # Authentication (PROTOCOL.md, "Every request").
    timestamp_tolerance_seconds: float = 30  # older or further ahead is refused
    nonce_margin_seconds: float = 30  # kept on top: covers clocks of gateways and Redis apart
    directory_max_age_seconds: float = 2  # a revoked secret or suspended provider acts by then
    directory_refresh_seconds: float = 0.5  # how often a gateway reads providers and secrets anew

    # One request (PROTOCOL.md, rule 5).
    answer_within_seconds: float = 5  # from arrival to answer; clients give up at 7
    ask_primary_within_seconds: float = 0.5  # of the above, kept back to ask PostgreSQL at the end
    apply_within_seconds: float = 4  # from admission to commit; later the job is not applied
    body_bytes_max: int = 16 * 1024  # a longer body is 413
    connections_max: int = 16_384  # of one gateway; above it a new one is refused
    request_arrives_within_seconds: float = 10  # all of it, or the connection is closed
    requests_in_flight_max: int = 2_000  # in one gateway; above it 503 with code 99
    bets_of_session_max: int = 128  # of them, of one session; while crowded an eighth; above it 99
    retry_after_seconds: int = 1  # the `Retry-After` of a 503

    # Redis, from a gateway.
    redis_connect_within_seconds: float = 2
    redis_patience_seconds: float = 2  # a script unanswered for longer: the connection is dropped
    reply_block_seconds: float = 5  # one wait for replies, after which the gateway asks again

    # Gateway process.
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8000
    admissions_per_script_max: int = 32  # requests in one script, and let in at one turn
    loop_lag_max_seconds: float = Field(0.5, gt=0)  # loop or intake so late: 99; from half, a share
    sessions_cached_max: int = 200_000  # entries of some 300 bytes

    # Queue and worker.
    queue_name: str = "bets"
    batch_jobs_max: int = Field(48, ge=1, le=300)  # jobs in one transaction, if so many wait
    lease_seconds: float = 2  # a worker that does not renew within this loses its batch
    lease_renewals_per_lease: int = 4  # how often it renews in that time
    sweep_seconds: float = 0.5  # how often each worker looks for lanes that stand still
    queue_wait_max_seconds: float = Field(0.6, ge=0.01)  # of the first: 99; from a quarter, a share
    queue_jobs_max: int = 20_000  # waiting; above it 503 with code 99
    result_ttl_seconds: int = 10  # how long RQ keeps a finished or expired job: 2 KB each
    failure_ttl_seconds: int = 24 * 3600  # how long RQ keeps a job that failed otherwise
    reply_stream_messages_max: int = 1_000  # per gateway; older ones are only needed on reconnect
    reply_stream_ttl_seconds: int = 60  # after the last reply to a gateway that is gone

    # PostgreSQL.
    connect_timeout_seconds: int = 2
    statement_wait_seconds: float = 6  # longest wait for one answer of PostgreSQL in a worker

    # Keys (docs/adr/0010, 0017): at least 32 bytes in hex or base64. Empty: that of `betcore up`,
    # otherwise none. Replaced ones are separated by commas; what is older is still read by them.
    journal_key: str = Field("", repr=False)  # of workers: vouches for transfers
    journal_keys_old: str = Field("", repr=False)
    operator_key: str = Field("", repr=False)  # of workers and operators' commands
    operator_keys_old: str = Field("", repr=False)
    secrets_key: str = Field("", repr=False)  # of gateways and operators' commands
    secrets_keys_old: str = Field("", repr=False)

    # Operators' commands.
    actor: str = ""  # who runs them, as the audit log has it; empty: user and host

    # RQ dashboard.
    dashboard_host: str = "127.0.0.1"
    dashboard_port: int = 9181
    dashboard_user: str = "operator"
    dashboard_password: str = ""  # empty: one is made and printed at the first `betcore up`


@cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises pydantic.ValidationError, which names the variable, when one cannot be read.
    """
    return Settings()
