"""Every setting with its default and its meaning.

`DATABASE_URL` and `REDIS_URL` keep their common names. The variable of every other setting is
`BETCORE_` and its name in capitals, such as `BETCORE_BATCH_JOBS_MAX=64`. The text under a setting
is its meaning, which docs/SETTINGS.md and `betcore settings` show too.
"""

import ipaddress
import math
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "BETCORE_"  # of every variable but a few
# Kubernetes, and Docker's old links, set these for each Service, such as `betcore-gateway`.
_OF_A_SERVICE = re.compile(
    r"BETCORE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_PORT_OF_A_SERVICE = re.compile(r"(tcp|udp|sctp)://\S+:\d+")  # the value of BETCORE_…_PORT
_MAY_BE_0 = {  # every other number must be above 0
    *("nonce_margin_seconds", "directory_max_age_seconds", "retry_after_seconds"),
    *("gateway_port", "dashboard_port", "portal_port", "metrics_port", "log_successes"),
    *("connections_max", "requests_in_flight_max", "bets_of_session_max", "queue_jobs_max"),
    *("games_sync_minutes", "demo_balance"),
}


class Settings(BaseSettings):
    """The settings of one process, frozen. `repr=False` marks a secret, which is never shown."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[Any, ...]:
        """The sources for pydantic: arguments, then the environment without that of Kubernetes."""

        def of_ours() -> dict[str, Any]:
            found = env_settings().items()
            return {name: value for name, value in found if not is_of_a_service(name, value)}

        return init_settings, of_ours

    @field_validator("*")
    @classmethod
    def _is_possible(cls, value: Any, field: ValidationInfo) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise ValueError("Input should be a finite number")
            if value < 0 or (value == 0 and field.field_name not in _MAY_BE_0):
                at_least = "0 or more" if field.field_name in _MAY_BE_0 else "greater than 0"
                raise ValueError(f"Input should be {at_least}")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for network in filter(None, map(str.strip, value.split(","))):
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"Input should be networks, such as 10.0.0.0/8: {error}") from None
        return value

    @field_validator("traces_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("Input should be a URL, such as http://collector:4318/v1/traces")
        return value

    # Addresses of the servers.
    database_url: str = Field("", validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    """PostgreSQL. Empty: the embedded server of `betcore up`."""
    redis_url: str = Field("", validation_alias=AliasChoices("REDIS_URL", "redis_url"))
    """Redis or Valkey. Empty: the embedded server of `betcore up`."""
    database_read_url: str = Field(
        "", validation_alias=AliasChoices("DATABASE_READ_URL", "database_read_url")
    )
    """A replica that may answer balances. Empty: the primary answers them."""

    # Authentication (PROTOCOL.md, "Every request").
    timestamp_tolerance_seconds: float = 30
    """A request stamped further back or ahead is refused."""
    nonce_margin_seconds: float = 30
    """A nonce is kept longer by this, because the clocks of gateways and Redis differ."""
    directory_max_age_seconds: float = 2
    """A revocation or suspension takes effect within this."""
    directory_refresh_seconds: float = 0.5
    """How often a gateway reloads providers and secrets."""

    # One request (PROTOCOL.md, rule 5).
    answer_within_seconds: float = 5
    """From arrival to answer. Clients give up after 7 s."""
    ask_primary_within_seconds: float = 0.5
    """The last part of the time to answer, reserved to ask PostgreSQL."""
    apply_within_seconds: float = 4
    """From admission to commit. A later bet is not applied."""
    body_bytes_max: int = 16 * 1024
    """A longer body is refused with 413."""
    connections_max: int = 16_384
    """Per gateway. Above it a new connection is refused."""
    request_arrives_within_seconds: float = 10
    """The whole request. Otherwise the connection closes."""
    requests_in_flight_max: int = 2_000
    """Per gateway. Above it 503 with code 99."""
    bets_of_session_max: int = 128
    """In flight per session; one eighth under load, with those that wait. Above it code 99."""
    retry_after_seconds: int = 1
    """The `Retry-After` of a 503."""

    # Who calls.
    trusted_proxies: str = ""
    """Reverse proxies, such as `10.0.0.0/8`: only their `X-Forwarded-` headers are believed."""
    rate_gateways: int = 1
    """How many gateway processes share a provider's limit of requests per second."""

    # Redis, from a gateway.
    redis_connect_within_seconds: float = 2
    """The longest wait for a new connection to Redis."""
    redis_patience_seconds: float = 2
    """If a script is unanswered for longer, the connection is dropped."""
    reply_block_seconds: float = 5
    """One wait for replies. Then the gateway asks again."""

    # Gateway process.
    gateway_host: str = "127.0.0.1"
    """The address at which a gateway listens."""
    gateway_port: int = Field(8000, le=65_535)
    """The port at which a gateway listens. 0: any free one."""
    admissions_per_script_max: int = Field(32, ge=1, le=300)  # workers read no larger jobs
    """Requests per script, and let in per turn of the loop. Those of one script become one job."""
    loop_lag_max_seconds: float = Field(0.5, gt=0)
    """At this lag of the loop or of the intake every bet gets 99; from half of it, a share."""
    sessions_cached_max: int = 200_000
    """Sessions that a gateway remembers, of about 300 bytes each."""

    # Queue and worker.
    queue_name: str = "bets"
    """The name of the queue in RQ."""
    batch_jobs_max: int = Field(48, ge=1, le=300)
    """Commands per transaction, such as bets, if so many wait. A larger job is not split."""
    lease_seconds: float = 2
    """A worker that does not renew within this loses its batch."""
    lease_renewals_per_lease: int = 4
    """How often a worker renews within one lease."""
    sweep_seconds: float = 0.5
    """How often each worker looks for jobs that stand still."""
    queue_wait_max_seconds: float = Field(0.6, ge=0.01)
    """When the first job has waited so long, every bet gets 99; from a quarter of it, a share."""
    queue_jobs_max: int = 20_000  # `bets_of_session_max` limits commands that wait for a player
    """Jobs on the queue, each with one command or many. Above it 503 with code 99."""
    result_ttl_seconds: int = 10
    """How long RQ keeps a finished or expired job."""
    failure_ttl_seconds: int = 24 * 3600
    """How long RQ keeps a job that failed otherwise."""
    reply_stream_messages_max: int = 1_000
    """Replies kept per gateway. Only a reconnect needs older ones."""
    reply_stream_ttl_seconds: int = 60
    """How long replies are kept after the last one to a gateway that is gone."""

    # PostgreSQL.
    connect_timeout_seconds: int = 2
    """The longest wait for a new connection to PostgreSQL."""
    statement_wait_seconds: float = 6
    """A worker's longest wait for one answer of PostgreSQL."""

    # Keys (docs/adr/0010, 0017): at least 32 bytes in hex or base64.
    journal_key: str = Field("", repr=False)
    """For workers: vouches for transfers. Empty: the key of `betcore up`, otherwise none."""
    journal_keys_old: str = Field("", repr=False)
    """Replaced journal keys, between commas. They still verify older data."""
    operator_key: str = Field("", repr=False)
    """For workers and operators' commands. Empty: as for the journal key."""
    operator_keys_old: str = Field("", repr=False)
    """Replaced operator keys, between commas. They still verify older data."""
    secrets_key: str = Field("", repr=False)
    """For gateways and operators' commands: encrypts secrets. Empty: as for the journal key."""
    secrets_keys_old: str = Field("", repr=False)
    """Replaced secrets keys, between commas. They still decrypt older data."""

    # The command line.
    data_dir: Path = Path(".betcore")
    """The data folder of the embedded servers. The option `--data-dir` replaces it."""
    actor: str = ""
    """Who runs commands, as the audit log names it. Empty: user and host."""

    # Portal: the operator API, the console, and the reference for providers.
    portal_host: str = "127.0.0.1"
    """The address at which the portal listens."""
    portal_port: int = Field(8090, le=65_535)
    """The port at which the portal listens; 0: any free one."""
    portal_rooms: str = "operator,console,reference"
    """What the portal serves, by name; commas separate several."""
    portal_cash_within_seconds: float = 5
    """How long the portal waits for a deposit or withdrawal; later the answer is 202."""
    portal_upload_bytes_max: int = 64 * 1024 * 1024
    """A longer list to reconcile is refused with 413."""
    operator_requests_per_second: float = 50
    """Per key or sandbox token, and portal; twice as many may come at once. Above it: 429."""
    operator_key_failures_per_minute: int = 20
    """Wrong keys per address, and wrong logins per address and name, per portal. Above it: 429."""

    # Calls to providers: games and launch (docs/adr/0032).
    outbound_http_allowed: bool = False
    """Whether a provider's URL and its games may be HTTP without TLS. Only for trials."""
    outbound_private_addresses_allowed: bool = False
    """Whether a provider may have a private or loopback address. Only for trials."""
    outbound_connect_within_seconds: float = 2
    """The longest wait for a connection to one address of a provider."""
    outbound_failures_max: int = 5
    """After so many failed calls in a row, calls to the provider pause. Per process."""
    outbound_pause_seconds: float = 30
    """How long such a pause lasts. Then one call is tried."""
    outbound_waiting_max: int = 32
    """How many calls to one provider may wait for an answer. Per process."""
    launch_within_seconds: float = 10
    """A provider's whole answer to a launch. Otherwise the session is closed."""
    launch_bytes_max: int = 64 * 1024
    """A longer answer to a launch is refused."""
    catalogue_within_seconds: float = 30
    """A provider's whole list of games."""
    catalogue_bytes_max: int = 8 * 1024 * 1024
    """A longer list of games is refused."""
    catalogue_games_max: int = 20_000
    """A list of more games is refused."""
    games_sync_minutes: float = 60
    """How often the portal asks each provider with a URL for its games. 0: never."""
    demo_balance: int = Field(1_000, le=10**9)
    """Play money that a player has at the start of a demo, in whole units of the currency."""

    # Sandbox (docs/SANDBOX.md).
    sandbox: bool = False
    """Whether this is a sandbox: play money, providers help themselves, a 401 says why."""
    sandbox_url: str = ""
    """The portal's address for providers, where gateways send `/sandbox/`. Empty: nowhere."""
    sandbox_wallet_url: str = ""
    """The wallet's address, as the sandbox tells it. Empty: that of a gateway on this host."""
    sandbox_providers_max: int = 5_000
    """How many providers a sandbox makes."""
    sandbox_providers_per_hour: int = 240
    """How many providers a sandbox makes per address, on average. Above it: 429."""

    # Metrics and logs.
    metrics_host: str = "127.0.0.1"
    """The address at which gateway, worker and portal serve their metrics."""
    metrics_port: int = Field(0, le=65_535)
    """The port at which this process serves its metrics to Prometheus. 0: it serves none."""
    traces_url: str = ""
    """Where traces go: OTLP by HTTP, such as `http://collector:4318/v1/traces`. Empty: nowhere."""
    log_format: Literal["auto", "text", "json"] = "auto"
    """The form of log lines: text or json. auto: text on a terminal, otherwise json."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important log lines that are written. debug: one line per batch, too."""
    log_successes: int = Field(0, le=1000)
    """How many of a thousand successful answers a gateway logs."""

    dashboard_host: str = "127.0.0.1"
    """The address at which the dashboard listens."""
    dashboard_port: int = Field(9181, le=65_535)
    """The port at which the dashboard listens. 0: any free one."""
    dashboard_user: str = "operator"
    """The name for the dashboard's login."""
    dashboard_url: str = ""
    """The dashboard's address for a browser, to which the console links. Empty: no link."""
    dashboard_password: str = Field("", repr=False)
    """The password for the dashboard's login. Empty: the first `betcore up` makes one."""


def variable(field: str) -> str:
    """The environment variable of a field. A name in capitals is already a variable."""
    named = Settings.model_fields[field].validation_alias if field.islower() else field
    if isinstance(named, AliasChoices):
        return str(named.choices[0])
    return str(named or f"{PREFIX}{field.upper()}")


def is_of_a_service(name: str, value: Any) -> bool:
    """Whether a variable is one that Kubernetes or Docker sets for a Service of such a name."""
    port = name.upper().endswith("PORT") and _PORT_OF_A_SERVICE.fullmatch(str(value))
    return bool(port or _OF_A_SERVICE.fullmatch(name.upper()))
