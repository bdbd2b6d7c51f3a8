"""Why a web process cannot serve; each message says what to do about it."""


class ServerError(Exception):
    """A web process cannot serve as asked."""


class CannotListen(ServerError):  # noqa: N818 - named for the fact
    """The address is taken, or not one of this machine."""
