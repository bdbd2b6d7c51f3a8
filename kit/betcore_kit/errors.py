"""The one error that the kit raises for a wrong input. Its message is one line for a person."""


class KitError(Exception):
    """An input that cannot be used. The message names the cause and the cure."""


def told(error: Exception) -> str:
    """Return what an error says, or its name: those of a network often say nothing."""
    return str(error) or type(error).__name__
