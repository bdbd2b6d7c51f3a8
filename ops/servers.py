"""The embedded servers of `betcore up`: those without a URL of their own, started again on loss."""

import logging
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from ops.embedded import embedded_servers
from ops.embedded.locks import is_held
from settings import Settings

_LOG = logging.getLogger("betcore.servers")
# Each server holds the lock of its folder until its last process is gone.
_FOLDERS = {"PostgreSQL": "postgres", "Valkey": "redis"}


class Servers:
    """As a context: runs what `configured` names no URL for, on a data folder.

    `settings` are `configured` with the URLs of all servers; they stay the same after a restart.
    """

    def __init__(self, folder: Path, configured: Settings) -> None:
        self.settings = configured
        self._folder = folder
        missing = {"PostgreSQL": not configured.database_url, "Valkey": not configured.redis_url}
        self._kinds = [kind for kind, is_missing in missing.items() if is_missing]
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._kinds:
            _LOG.info("stopping %s", " and ".join(self._kinds))
        self._running.close()

    def restart_if_lost(self) -> None:
        """Start all again when one has ended. Raises EmbeddedError when that fails."""
        lost = [kind for kind in self._kinds if not is_held(self._folder / _FOLDERS[kind])]
        if lost:
            _LOG.warning("%s ended and is started again", " and ".join(lost))
            self._running.close()
            self._start()

    def _start(self) -> None:
        if not self._kinds:
            return
        _LOG.info("starting %s in %s", " and ".join(self._kinds), self._folder)
        urls = self._running.enter_context(
            embedded_servers(
                self._folder,
                postgres="PostgreSQL" in self._kinds,
                redis="Valkey" in self._kinds,
            )
        )
        self.settings = self.settings.model_copy(
            update={
                "database_url": urls.database or self.settings.database_url,
                "redis_url": urls.redis or self.settings.redis_url,
            }
        )
