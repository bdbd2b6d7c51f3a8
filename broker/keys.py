"""The names of our keys in Redis, and of RQ's that we write ourselves."""

from rq.defaults import RQ_KEY_PREFIX

#: Every key of ours begins with this; RQ's begin with `RQ_KEY_PREFIX`.
OURS = "betcore"
RQ = RQ_KEY_PREFIX
#: Every stream of replies begins with this.
REPLIES = f"{OURS}:replies:"


def nonce_key(provider_id: int, nonce: str) -> str:
    """Where a provider's nonce is kept; upper and lower case are the same nonce."""
    return f"{OURS}:nonce:{provider_id}:{nonce.lower()}"


def reply_stream(gateway_id: str) -> str:
    """The stream on which one gateway process receives its results."""
    return f"{REPLIES}{gateway_id}"


def flight_key(provider_id: int, bet_id: str) -> str:
    """Where the jobs about one bet are noted that may still be applied, by their deadlines."""
    return f"{OURS}:flight:{provider_id}:{bet_id}"


def job_id(account_id: int, token: str) -> str:
    """The id of the job that a request with this token becomes (`admit.lua`)."""
    return f"{account_id}-{token}"


def account_of(job_id: str) -> int:
    """The account in whose lane a job of ours is."""
    return int(job_id.partition("-")[0])


def token_of(job_id: str) -> str:
    """The token of the request that became this job: ids are `account-token`."""
    return job_id.rpartition("-")[2]
