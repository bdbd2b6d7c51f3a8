"""A network that loses answers on purpose: the request arrives, and its answer does not."""

import random

import httpx


class LosingTransport(httpx.AsyncBaseTransport):
    """Passes requests on. A share of the answers to POSTs is thrown away."""

    def __init__(self, inner: httpx.AsyncBaseTransport, share: float, rng: random.Random) -> None:
        self._inner = inner
        self._share = share
        self._rng = rng
        self.lost = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx. Raises ReadError for an answer that is lost."""
        response = await self._inner.handle_async_request(request)
        if request.method == "POST" and self._rng.random() < self._share:
            await response.aread()
            await response.aclose()
            self.lost += 1
            raise httpx.ReadError("this answer was lost on purpose", request=request)
        return response

    async def aclose(self) -> None:
        """Called by httpx."""
        await self._inner.aclose()
