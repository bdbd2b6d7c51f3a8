"""Reasons why a web process cannot serve. Each message says what to do about it."""


class ServerError(Exception):
    """A web process cannot serve as asked."""


class CannotListen(ServerError):  # noqa: N818 - named for the fact
    """The address is in use, or does not belong to this machine."""


class TooFewFiles(ServerError):  # noqa: N818 - named for what is missing
    """The system allows this process too few open files to serve."""
