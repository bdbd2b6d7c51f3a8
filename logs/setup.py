"""The format of our logs: on stderr, one line per message, in UTC, without colours."""

import logging
import sys
import time

_FORMAT = "%(asctime)s.%(msecs)03dZ {who} %(levelname)s %(message)s"


def log_as(who: str) -> None:
    """Send the log of this process to stderr under the name `who`, such as `worker-1`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(_FORMAT.format(who=who), "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # At INFO these libraries report each start and stop. Our own messages report them once.
    for chatty in ("uvicorn", "rq", "alembic", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _OneLine(logging.Formatter):
    """Keeps a traceback on the line of its message, so that lines can be sorted and searched."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return " | ".join(
            line.strip() for line in super().format(record).splitlines() if line.strip()
        )
