"""Authentication keeps its time limit, however many look-ups it needs."""

import asyncio
import time

import pytest

from api.wallet.auth import Authenticator
from api.wallet.calls import Call
from api.wallet.errors import ApiError
from models.deadline import Deadline
from models.keys import Purpose
from models.ledger.gateway_reads import Directory, GatewayReads
from settings import Settings
from tests.service.support import keys


class SlowReads(GatewayReads):
    """Reads that know no provider, and take a tenth of a second to say so."""

    def directory(self) -> Directory:
        """Return no secrets, late."""
        done = asyncio.Event()
        asyncio.run(_after(done))
        return Directory([], [])


async def test_a_second_look_up_gets_only_the_time_that_the_first_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads = SlowReads("", connect_seconds=1, answer_seconds=1)
    authenticator = Authenticator(Settings(secrets_key=keys.HEX[Purpose.SECRETS]), reads)
    ask, deadlines = authenticator._newest.get, []

    async def ask_and_note(key: None, deadline: Deadline) -> object:
        deadlines.append(deadline)
        return await ask(key, deadline)

    monkeypatch.setattr(authenticator._newest, "get", ask_and_note)
    stamp = str(int(time.time() * 1000)).encode()
    call = Call(b"nobody", stamp, b"0" * 32, b"0" * 64, b"")

    deadline = Deadline.within(4)
    with pytest.raises(ApiError) as refused:
        await authenticator.authenticate(call, deadline)
    await authenticator.stop()

    assert refused.value.status == 401
    assert deadlines == [deadline] * 2


async def _after(done: asyncio.Event) -> None:
    asyncio.get_running_loop().call_later(0.1, done.set)
    await done.wait()
