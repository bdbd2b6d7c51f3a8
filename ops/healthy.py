"""Is this container healthy: `python -m ops.healthy gateway|worker|dashboard`, exit 0 or 1.

For container platforms, whose images have no curl.
"""

import socket
import sys
from http.client import HTTPConnection, HTTPException

from redis import Redis
from redis.exceptions import RedisError
from rq import Worker

from settings import Settings, settings

_WITHIN_SECONDS = 2


def healthy(role: str, configured: Settings) -> bool:
    """Whether the process of this role on this host does its work.

    A gateway is ready, a worker is registered with RQ, a dashboard answers.
    """
    match role:
        case "gateway":
            return _answers(configured.gateway_port, "/readyz")
        case "worker":
            return _registered(configured.redis_url)
        case "dashboard":
            return _answers(configured.dashboard_port, "/healthz")
        case _:
            return False


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=_WITHIN_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _registered(redis_url: str) -> bool:
    try:
        with Redis.from_url(redis_url, socket_timeout=_WITHIN_SECONDS) as redis:
            here = socket.gethostname()
            return any(worker.hostname == here for worker in Worker.all(redis, serializer="json"))
    except RedisError:
        return False


if __name__ == "__main__":
    sys.exit(not healthy(sys.argv[1] if len(sys.argv) > 1 else "", settings()))
