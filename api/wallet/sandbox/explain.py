"""Adds to a 401 of the sandbox why the request was not authenticated. It never has a secret."""

import json
import time
from contextlib import suppress
from itertools import islice
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from api.wallet.auth import Authenticator
from api.wallet.errors import ApiError
from api.wallet.sandbox.answer import Answer
from api.wallet.sandbox.mistakes import Mistake, Received, find_mistake
from models.deadline import Deadline
from server.exchange import BODY

_OTHERS_MAX: Final = 1_000  # other providers whose secrets are tried


async def explained(
    answer: Answer, scope: Scope, authenticator: Authenticator, deadline: Deadline
) -> Answer:
    """The answer with `explain`. The look for the mistake runs in a thread."""
    with suppress(ApiError):  # a malformed header of a new provider was refused without a look-up
        await authenticator.refresh(deadline)
    received = Received(scope["headers"], scope.get(BODY) or b"", time.time() * 1000)
    mistake = await run_in_threadpool(_mistake, received, authenticator)
    told = {
        "mistake": mistake.word,
        "sentence": mistake.sentence,
        "message": mistake.message.decode(errors="replace"),
    }
    body = json.loads(answer.body) | {"explain": told}
    return answer.with_body(json.dumps(body, ensure_ascii=False).encode(errors="replace"))


def _mistake(received: Received, authenticator: Authenticator) -> Mistake:
    named = [value for name, value in received.headers if name == b"x-counterparty-id"]
    counterparty_id = named[0].decode("latin-1") if named else ""
    secrets = authenticator.secrets_of(counterparty_id)
    others = islice(authenticator.keyed_of_others(counterparty_id), _OTHERS_MAX)
    return find_mistake(received, secrets, authenticator.tolerance_ms, others)
