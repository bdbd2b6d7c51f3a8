"""The conditions that Redis must meet to be safe for money, judged by its INFO.

Only INFO is used: managed services forbid CONFIG, and our processes need no access to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from models.errors import BetcoreError

_OLDEST = (7, 0)
_MEGABYTE = 1024 * 1024
#: `NOPERM` as redis-py shows it and as Redis sends it; of scripts (two versions); renamed commands.
_FORBIDDEN = (
    *("no permissions to", "NOPERM", "ACL failure", "The user executing the script"),
    *("unknown command", "Unknown Redis command"),
)


class UnfitRedis(BetcoreError):  # noqa: N818
    """This Redis cannot be used. The text is one line that names the cause and the cure."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What INFO says about a server that can be used."""

    run_id: str
    evicted_keys: int  # since it started
    warnings: tuple[str, ...]  # what to change, one line each; nothing is wrong yet


def judge(info: Mapping[str, object]) -> Conditions:
    """Judge the fields of INFO. Raises UnfitRedis."""
    said = {name: str(value) for name, value in info.items()}
    _require_server(said)
    policy, limit = said.get("maxmemory_policy"), said.get("maxmemory")
    if policy is None or limit is None:
        raise UnfitRedis(
            "Redis does not tell its maxmemory and maxmemory_policy in INFO, so nobody knows "
            "whether it evicts keys: use a Redis that tells them."
        )
    warnings = []
    if policy != "noeviction":
        if int(limit):
            raise UnfitRedis(
                f"Redis may evict keys (maxmemory-policy {policy}, maxmemory "
                f"{int(limit) / _MEGABYTE:.4g} MB): without its nonce a request can be sent twice. "
                "Set maxmemory-policy to noeviction."
            )
        warnings.append(
            f"Redis has maxmemory-policy {policy} and will evict keys as soon as maxmemory is set: "
            "set maxmemory-policy to noeviction."
        )
    if said.get("aof_enabled") == "0":
        warnings.append(
            "Redis keeps no append-only file: a restart loses the bets that are in flight, which "
            "are then answered with 0. Set appendonly to yes."
        )
    evicted = int(said.get("evicted_keys", "0"))
    return Conditions(said.get("run_id", ""), evicted, tuple(warnings))


def parse_info(text: str) -> dict[str, str]:
    """The fields of INFO as Redis sends them."""
    lines = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, colon, value in lines if colon}


def is_forbidden(error: Exception) -> bool:
    """Whether Redis said that this user may not run a command, or that no such command exists."""
    return any(sign in str(error) for sign in _FORBIDDEN)


def refused(error: Exception) -> UnfitRedis:
    """The error for a Redis that does not let this user read INFO, or run our scripts."""
    return UnfitRedis(
        f"Redis refuses what betcore needs: {' '.join(str(error).split())}. Give the user of "
        "REDIS_URL the rights that docs/OPERATIONS.md lists."
    )


def _require_server(said: Mapping[str, str]) -> None:
    version = said.get("redis_version", "")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        raise UnfitRedis(
            f"Redis is of version {version or 'unknown'}, which is too old: use Valkey 8, Redis 7 "
            "or newer."
        )
    if said.get("cluster_enabled") == "1" or said.get("redis_mode") == "cluster":
        raise UnfitRedis(
            "Redis runs in cluster mode, which RQ cannot use: use one without (cluster-enabled no)."
        )
    if said.get("role") not in (None, "master"):
        raise UnfitRedis("Redis is a replica and takes no writes: REDIS_URL must name the primary.")
