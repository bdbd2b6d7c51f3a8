"""What a run costs: CPU and memory by process, Redis commands and bytes, WAL, stolen time."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
from redis import Redis

from bench.contender import Running
from bench.servers import connected, query
from embedded import Urls

# Commands of the meter itself.
_NOT_TRAFFIC = {"info", "config|set", "ping", "hello", "client|setinfo"}


@dataclass(frozen=True)
class Cost:
    """What a run took; per bet where it says so, a bet being one good answer."""

    cpu_us_per_bet: Mapping[str, float]  # by role: gateway, worker, redis, postgres
    memory_mb: Mapping[str, float]  # by role, at the end of the run; shared pages shared out
    redis_commands_per_bet: Mapping[str, float]  # by name; those of scripts are counted too
    redis_bytes_per_bet: float  # both ways
    redis_log_bytes_per_bet: float  # of the append-only file; NaN: unknown
    redis_memory_mb: float  # at the end of the run
    wal_bytes_per_bet: float
    machine_seconds: float  # of all cores
    steal: float  # share of the machine's time that another machine had
    idle: float  # share of the machine's time that nobody wanted, or that waited for a disk

    @property
    def cpu_us(self) -> float:
        """CPU microseconds a bet, all processes together."""
        return sum(self.cpu_us_per_bet.values())

    @property
    def redis_cpu_us(self) -> float:
        """CPU microseconds a bet of Redis."""
        return self.cpu_us_per_bet.get("redis", 0.0)

    @property
    def redis_commands(self) -> float:
        """Redis commands a bet, those of scripts too."""
        return sum(self.redis_commands_per_bet.values())


@dataclass(frozen=True)
class Reading:
    """All counters at one moment; two of them make a cost."""

    cpu: Mapping[str, float]  # seconds by role
    redis: Mapping[str, Any]
    commands: Mapping[str, int]
    wal_bytes: int
    machine: Mapping[str, float]  # seconds by what they were spent on


class Meter:
    """Reads the counters of a contender's processes and of the servers they use."""

    def __init__(self, urls: Urls, running: Running | None) -> None:
        """`running`: None where PostgreSQL works alone."""
        self._urls = urls
        roles = {role: list(pids) for role, pids in running.pids.items()} if running else {}
        with Redis.from_url(urls.redis) as redis:
            roles["redis"] = [int(_info(redis, "server")["process_id"])]
        self._roles = {role: [psutil.Process(pid) for pid in pids] for role, pids in roles.items()}
        self._roles["postgres"] = [_postmaster(urls.database)]

    def read(self) -> Reading:
        """The counters as they are now."""
        cpu = {role: sum(map(_cpu_seconds, of)) for role, of in self._roles.items()}
        with Redis.from_url(self._urls.redis) as redis:
            stats = _info(redis, "stats") | _info(redis, "persistence")
            commands = _info(redis, "commandstats")
        calls = {name.removeprefix("cmdstat_"): of["calls"] for name, of in commands.items()}
        [(wal,)] = query(self._urls.database, "select pg_current_wal_lsn() - '0/0'::pg_lsn")
        return Reading(cpu, stats, calls, int(wal), psutil.cpu_times()._asdict())

    def cost(self, before: Reading, after: Reading, bets: int) -> Cost:
        """What happened between two readings, by so many bets."""
        bets = max(1, bets)
        machine = {name: after.machine[name] - before.machine[name] for name in after.machine}
        # Guests are counted in `user` already.
        total = sum(machine.values()) - machine.get("guest", 0) - machine.get("guest_nice", 0)
        commands = {
            name: (count - before.commands.get(name, 0)) / bets
            for name, count in after.commands.items()
            if name not in _NOT_TRAFFIC and count > before.commands.get(name, 0)
        }
        traffic = ("total_net_input_bytes", "total_net_output_bytes")
        with Redis.from_url(self._urls.redis) as redis:
            redis_memory = _info(redis, "memory")["used_memory"]
        return Cost(
            {role: (after.cpu[role] - before.cpu[role]) * 1e6 / bets for role in after.cpu},
            {role: sum(map(_memory_mb, of)) for role, of in self._roles.items()},
            commands,
            sum(after.redis[name] - before.redis[name] for name in traffic) / bets,
            _log_bytes(before.redis, after.redis) / bets,
            redis_memory / 1e6,
            (after.wal_bytes - before.wal_bytes) / bets,
            total,
            machine.get("steal", 0.0) / total if total else 0.0,
            (machine["idle"] + machine.get("iowait", 0.0)) / total if total else 0.0,
        )


def _postmaster(database_url: str) -> psutil.Process:
    """The process of PostgreSQL whose children serve the connections.

    Raises ProcessLookupError when it is not on this machine.
    """
    with connected(database_url) as connection:
        parent = psutil.Process(connection.info.backend_pid).parent()
    if parent is None:
        raise ProcessLookupError("PostgreSQL runs elsewhere: its CPU time cannot be read.")
    return parent


def _log_bytes(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """What was added to the append-only file; NaN: it is off, or was rewritten meanwhile."""
    marks = ("aof_rewrites", "aof_base_size")  # of a rewriting that began, and that ended
    if "aof_base_size" not in after or any(after[mark] != before[mark] for mark in marks):
        return math.nan
    return float(after["aof_current_size"] - before["aof_current_size"])


def _info(redis: Redis, section: str) -> dict[str, Any]:
    return redis.info(section)


def _cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and of all its children, also of those that have ended."""
    # The kernel adds a child's time to `children_*` of its parent when that has waited for it.
    seconds = sum(process.cpu_times()[:4])
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            seconds += sum(child.cpu_times()[:4])
    return float(seconds)


def _memory_mb(process: psutil.Process) -> float:
    """Memory of a process and its children; pages they share are shared out where it is known."""
    bytes_used = 0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            full = one.memory_full_info()
            bytes_used += getattr(full, "pss", full.uss)
    return bytes_used / 1e6
