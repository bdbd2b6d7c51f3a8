"""The one error that the kit raises for a wrong input. Its message is one line for a person."""


class KitError(Exception):
    """An input that cannot be used. The message names the cause and the cure."""


def told(error: Exception) -> str:
    """Return what an error says, or its name: those of a network often say nothing."""
    return str(error) or type(error).__name__


def printable(text: str) -> str:
    """Return a text on one line, in which everything that is not printable is escaped."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
