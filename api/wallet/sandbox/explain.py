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
    word, sentence = mistake.word, mistake.sentence
    # A good signature is refused because of its nonce, or because of a rule of the provider.
    if word == "nonce_used" and (refused := authenticator.why_refused(received.named, scope)):
        word, sentence = "unknown", f"The signature is good, but {refused}."
    message = mistake.message.decode(errors="replace")
    told = {"mistake": word, "sentence": sentence, "message": message}
    body = json.loads(answer.body) | {"explain": told}
    return answer.with_body(json.dumps(body, ensure_ascii=False).encode(errors="replace"))


def _mistake(received: Received, authenticator: Authenticator) -> Mistake:
    counterparty_id = received.named
    secrets = authenticator.secrets_of(counterparty_id)
    others = islice(authenticator.keyed_of_others(counterparty_id), _OTHERS_MAX)
    return find_mistake(received, secrets, authenticator.tolerance_ms, others)
