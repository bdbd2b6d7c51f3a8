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


def flight_key(provider_id: int, bet_id: str) -> str:
    """The key that lists the jobs about one bet that may still be applied, by their deadlines."""
    return f"{OURS}:flight:{provider_id}:{bet_id}"


def job_id(account_id: int, token: str) -> str:
    """The id of the job that a request with this token becomes (`admit.lua`)."""
    return f"{account_id}-{token}"


def account_of(job_id: str) -> int:
    """The account whose lane contains this job of ours."""
    return int(job_id.partition("-")[0])


def token_of(job_id: str) -> str:
    """The token of the request that became this job. Ids are `account-token`."""
    return job_id.rpartition("-")[2]
