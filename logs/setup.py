"""The form of our logs: on stderr, one line per message, in UTC, without colours."""

import json
import logging
import sys
import time

from logs.fields import ATTRIBUTE

_FORMAT = "%(asctime)s.%(msecs)03dZ {who} %(levelname)s %(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S"
FORMS = ("auto", "text", "json")
LEVELS = ("debug", "info", "warning", "error")


def log_as(who: str, form: str = "text", level: str = "info") -> None:
    """Send the log of this process to stderr under the name `who`, such as `worker-1`.

    `form` is `text`, `json`, or `auto`: text on a terminal, otherwise JSON. `level` is for our own
    messages. Other libraries never log below INFO, because their texts may hold secrets.
    """
    handler = logging.StreamHandler(sys.stderr)
    if form == "json" or (form == "auto" and not sys.stderr.isatty()):
        handler.setFormatter(_Json(who))
    else:
        handler.setFormatter(_OneLine(_FORMAT.format(who=who), _TIME))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("betcore").setLevel(level.upper())
    # At INFO these libraries report each start and stop. Our own messages report them once.
    for chatty in ("uvicorn", "rq", "alembic", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _OneLine(logging.Formatter):
    """Keeps a traceback on the line of its message, so that lines can be sorted and searched."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return _joined(super().format(record))


class _Json(logging.Formatter):
    """One JSON object per line: time, level, process, logger, message, and what the line is about.

    It has only ASCII, so that no text from outside can move a cursor or begin a line.
    """

    converter = staticmethod(time.gmtime)

    def __init__(self, who: str) -> None:
        super().__init__(datefmt=_TIME)
        self._who = who

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": f"{self.formatTime(record, _TIME)}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "process": self._who,
            "logger": record.name,
            "message": _joined(record.getMessage()),
        }
        said |= getattr(record, ATTRIBUTE, {})
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


def _joined(text: str) -> str:
    return " | ".join(line.strip() for line in text.splitlines() if line.strip())
