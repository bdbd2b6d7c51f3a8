"""The embedded servers of `betcore up`: started if they have no URL, and restarted after a loss."""

import logging
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from embedded import Urls, embedded_servers
from embedded.locks import is_held
from ops.logins import login_url, make_logins
from settings import Settings

_LOG = logging.getLogger("betcore.servers")
# Each server holds the lock of its folder until its last process has ended.
_FOLDERS = {"PostgreSQL": "postgres", "Valkey": "redis"}


class Servers:
    """As a context, runs each server that `configured` has no URL for, on its data folder.

    URLs stay the same after a restart.
    """

    def __init__(self, configured: Settings) -> None:
        self._configured = configured
        self._folder = configured.data_dir
        self._urls = Urls("", "")
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
        """Restart all servers if one has ended. Raises EmbeddedError if that fails."""
        lost = [kind for kind in self._kinds if not is_held(self._folder / _FOLDERS[kind])]
        if lost:
            _LOG.warning("%s ended and is started again", " and ".join(lost))
            self._running.close()
            self._start()

    def settings_for(self, login: str) -> Settings:
        """Return the settings with the URLs of all servers. That of our PostgreSQL is for `login`.

        A server that is not ours is reached with the user in its URL.
        """
        return self._configured.model_copy(
            update={
                "database_url": login_url(self._urls.database, login)
                or self._configured.database_url,
                "redis_url": self._urls.redis or self._configured.redis_url,
            }
        )

    def _start(self) -> None:
        if not self._kinds:
            return
        _LOG.info("starting %s in %s", " and ".join(self._kinds), self._folder)
        with ExitStack() as starting:
            self._urls = starting.enter_context(
                embedded_servers(
                    self._folder,
                    postgres="PostgreSQL" in self._kinds,
                    redis="Valkey" in self._kinds,
                )
            )
            if self._urls.database:
                make_logins(self._urls.database)
            self._running = starting.pop_all()
