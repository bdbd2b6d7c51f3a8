"""How many connections are accepted in a turn of the event loop."""

import asyncio
import socket

import uvloop

from ops.gateway import listen
from ops.service import acceptors

PENDING = 160


def test_many_connections_are_accepted_in_a_turn_of_the_loop() -> None:
    with listen("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        clients = [socket.create_connection(address) for _ in range(PENDING)]

        turns = uvloop.run(turns_until_accepted(acceptors(listener)))

    for client in clients:
        client.close()
    assert turns < PENDING / 4


async def turns_until_accepted(listeners: list[socket.socket]) -> int:
    """How many turns a loop takes until it has accepted all that were pending."""
    loop = asyncio.get_running_loop()
    accepted = list[asyncio.BaseTransport]()

    class Accepts(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    servers = [await loop.create_server(Accepts, sock=each) for each in listeners]
    turns = 0
    async with asyncio.timeout(10):
        while len(accepted) < PENDING:
            await asyncio.sleep(0)
            turns += 1
    for transport in accepted:
        transport.close()
    for server in servers:
        server.close()
    return turns
