"""Reasons why a web process cannot serve. Each message says what to do about it."""


class ServerError(Exception):
    """A web process cannot serve as asked."""


class CannotListen(ServerError):  # noqa: N818 - named for the fact
    """The address is in use, or does not belong to this machine."""
