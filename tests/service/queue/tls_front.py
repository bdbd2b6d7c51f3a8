"""TLS before a server's Unix socket, with certificates of the test's own."""

import asyncio
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Self

import trustme

_CHUNK_BYTES = 1 << 16


class Certificates:
    """An authority, certificates of it for `localhost` and for another name, one for a client."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.authority = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(self.authority)
        client = self._authority.issue_cert("client@example.com")
        self.client, self.client_key = folder / "client.pem", folder / "client.key"
        client.cert_chain_pems[0].write_to_path(self.client)
        client.private_key_pem.write_to_path(self.client_key)

    def server(self, name: str = "localhost", asks_client: bool = False) -> ssl.SSLContext:
        """What a server of this name shows; it may ask for the client's certificate, too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(name).configure_cert(context)
        self._authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED if asks_client else ssl.CERT_NONE
        return context

    def folder_of_authorities(self) -> Path:
        """A folder as OpenSSL looks certificates up in: by the hash of their subject."""
        folder = self._folder / "authorities"
        folder.mkdir(exist_ok=True)
        command = ["openssl", "x509", "-hash", "-noout", "-in", str(self.authority)]
        hashed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        (folder / f"{hashed}.0").write_bytes(self.authority.read_bytes())
        return folder


class TlsFront:
    """Listens at `port` of 127.0.0.1 within its `with` block; hands everything on to the socket."""

    def __init__(self, server: Path, context: ssl.SSLContext) -> None:
        self._server = server
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self._listening = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.port: int = self._listening.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_unix_connection(self._server)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_hand_on(reader, there[1]))
                both.create_task(_hand_on(there[0], writer))
        except* OSError:
            pass
        finally:
            for one in (writer, there[1]):
                one.transport.abort()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError  # the other direction ends as well
