"""The one error that the kit raises for a wrong input. Its message is one line for a person."""


class KitError(Exception):
    """An input that cannot be used. The message names the cause and the cure."""
