"""Reports whether one of our processes works: `betcore healthy`, for container platforms.

Their images have no curl, and a process may listen at any address.
"""

import socket

from ops.process.probe import silence
from settings import Settings

_WITHIN_SECONDS = 2.0
_PATHS = {"gateway": "/readyz", "portal": "/readyz", "dashboard": "/healthz"}


def why_unhealthy(role: str, configured: Settings) -> str:
    """Return what is wrong with the process of this role, in one line. "": it works.

    A gateway or portal works if it is ready, a dashboard if it answers, at the address in
    `configured`.
    A worker works if RQ has a registered worker of this host.
    """
    if role == "worker":
        return _unregistered(configured.redis_url)
    if role not in _PATHS:
        return f"there is no role {role}"
    host, port = getattr(configured, f"{role}_host"), getattr(configured, f"{role}_port")
    why = silence(host, port, _PATHS[role])
    place = f"BETCORE_{role.upper()}_HOST and BETCORE_{role.upper()}_PORT say where it listens"
    return f"{why} ({place})" if why else ""


def _unregistered(redis_url: str) -> str:
    from redis.exceptions import RedisError
    from rq import Worker

    from broker.redis_url import connect_redis

    here = socket.gethostname()
    try:
        with connect_redis(redis_url, socket_timeout=_WITHIN_SECONDS) as redis:
            if any(worker.hostname == here for worker in Worker.all(redis, serializer="json")):
                return ""
    except RedisError as error:
        return f"Redis: {error}"
    return f"no worker of the host {here} is registered"
