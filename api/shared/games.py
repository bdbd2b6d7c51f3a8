"""What several rooms answer about a provider's URL and its list of games."""

from api.shared.answers import Answer


class ProviderUrl(Answer):
    """Where we call a provider. Null: nowhere, so that its games are not launched."""

    url: str | None


class BadEntry(Answer):
    """An entry of a list of games that cannot be read. A game with its id stays as it was."""

    entry: int
    game_id: str | None
    why: str


class SyncedGames(Answer):
    """What a provider's list changed: the ids of games. `games` is how many it offers now."""

    games: int
    added: list[str]
    changed: list[str]
    gone: list[str]
    returned: list[str]
    bad: list[BadEntry]
