"""Reads an answer's body within a limit, also when it is compressed."""

import zlib

import httpx

from outbound.errors import ProviderAnsweredBadly

#: What we ask for. Whatever else is sent is refused: each unpacks without a limit in some library.
ENCODINGS = "gzip"
_AS_GZIP = 16 + zlib.MAX_WBITS


async def read_bounded(response: httpx.Response, bytes_max: int) -> bytes:
    """The body, unpacked. Reading ends at once when it is longer than `bytes_max`.

    Raises ProviderAnsweredBadly, and errors of httpx.
    """
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise ProviderAnsweredBadly("The provider's answer has an encoding that we did not accept.")
    unpacked = bytearray()
    unpack = zlib.decompressobj(_AS_GZIP) if "gzip" in coding else None
    async for part in response.aiter_raw():
        room = bytes_max + 1 - len(unpacked)
        try:
            unpacked += part[:room] if unpack is None else unpack.decompress(part, room)
        except zlib.error:
            raise ProviderAnsweredBadly("The provider's answer is no valid gzip.") from None
        if len(unpacked) > bytes_max:
            raise ProviderAnsweredBadly(f"The provider's answer is longer than {bytes_max} bytes.")
        if unpack is not None and unpack.eof:
            break  # what follows would be kept in memory
    if unpack is not None and not unpack.eof:
        raise ProviderAnsweredBadly("The provider's answer ends in the middle of its gzip.")
    return bytes(unpacked)
