"""What the figures depend on: the machine, and the versions of what runs on it."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import psutil
from redis import Redis

from bench.servers import query
from embedded import Urls


def describe_machine(urls: Urls) -> dict[str, str]:
    """What the figures depend on: processor, memory, and versions."""
    with Redis.from_url(urls.redis) as redis:
        server = redis.info("server")
    [(postgres,)] = query(urls.database, "select split_part(version(), ' on ', 1)")
    valkey = server.get("valkey_version")
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "PostgreSQL": str(postgres).removeprefix("PostgreSQL "),
        "Redis": f"Valkey {valkey}" if valkey else f"Redis {server['redis_version']}",
        "RQ": version("rq"),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    told = information.read_text() if information.exists() else ""
    named = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    return named[1] if named else platform.processor()
