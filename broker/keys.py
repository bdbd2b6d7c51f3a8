"""The names of our keys in Redis, and of the keys of RQ that we write ourselves."""

from rq.defaults import RQ_KEY_PREFIX

#: The prefix of all our keys. RQ's keys begin with `RQ_KEY_PREFIX`.
OURS = "betcore"
RQ = RQ_KEY_PREFIX
#: The prefix of all reply streams.
REPLIES = f"{OURS}:replies:"


def nonce_key(provider_id: int, nonce: str) -> str:
    """The key of a provider's nonce. Upper and lower case are the same nonce."""
    return f"{OURS}:nonce:{provider_id}:{nonce.lower()}"


def reply_stream(link_id: str) -> str:
    """The stream on which one process receives its results: a gateway, or a command."""
    return f"{REPLIES}{link_id}"


def minute_key(minute: int) -> str:
    """The hash with what each gateway did in one minute, by its number since 1970."""
    return f"{OURS}:minute:{minute}"


def in_flight_field(provider_id: int, bet_id: str) -> str:
    """The field of `betcore:in_flight` that notes the commands about a bet."""
    return f"{provider_id}:{bet_id}"


def command_id(account_id: int | str, token: str) -> str:
    """The id of an admitted command. A job that carries only this command has the same id."""
    return f"{account_id}-{token}"


def account_of(command_id: str) -> int:
    """The account of an admitted command."""
    return int(command_id.partition("-")[0])


def token_of(command_id: str) -> str:
    """The token of the request that became this command. Ids are `account-token`."""
    return command_id.rpartition("-")[2]
