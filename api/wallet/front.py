"""The wallet's answers without its app, for requests refused before they cost anything."""

from collections.abc import Iterable
from typing import Final

from api.wallet.answer_counts import CALLS
from api.wallet.answer_log import log_answer
from api.wallet.answers import JSON, error_body
from api.wallet.calls import well_formed_nonce
from api.wallet.errors import OVERLOADED, ApiError, invalid, try_later
from api.wallet.load_shedding import LoadShedder
from metrics.measured import ACCEPT, SHED
from models.codes import Code
from server.front import Refusal, has_body, response
from server.http_head import Head
from server.peer import Peer

_NONCE: Final = b"0" * 32
_OVERLOADED: Final = try_later(OVERLOADED)
#: Statuses that mean: nothing was done, and the client may repeat the request later.
_LATER: Final = (429, 503)


class WalletFront:
    """What the wallet tells the server. See `server.front.Front`."""

    def __init__(self, load_shedder: LoadShedder, retry_after_seconds: int) -> None:
        """`retry_after_seconds`: told with code 99."""
        self._load_shedder = load_shedder
        self._retry_after = f"retry-after: {retry_after_seconds}"
        #: The answer to a bet that is shed, made once because refusing must be cheap. Keys: whether
        #: the bet has a nonce, and whether the connection is kept.
        self._shed = {
            (has_nonce, keep): self._whole(
                _OVERLOADED, [(b"x-request-id", _NONCE)] if has_nonce else [], keep=keep
            )
            for has_nonce in (True, False)
            for keep in (True, False)
        }

    def refuse_early(self, head: Head, peer: Peer, now: float) -> bytes | None:
        """Return the answer to a bet that is shed, or None for any other request."""
        if head.path.startswith(CALLS):
            ACCEPT.observe(head.arrived_at - head.begun_at)
        # Every POST of the wallet is a bet.
        if head.method != "POST" or not self._load_shedder.decide_to_shed(
            head.fields, head.path, peer, now
        ):
            return None
        SHED.count += 1
        log_answer(_OVERLOADED, head.fields, head.path)
        nonce = well_formed_nonce(head.fields)
        made = self._shed[nonce is not None, head.keep_alive]
        return made if nonce is None else made.replace(_NONCE, nonce.encode())

    def refuse(self, refusal: Refusal, head: Head | None) -> bytes:
        """Return the answer to an invalid or late request, or to one that finds no room."""
        status, message = refusal
        later = status in _LATER
        error = ApiError(status, Code.TRY_LATER, message) if later else invalid(message, status)
        fields, path = (head.fields, head.path) if head else ([], b"")
        log_answer(error, fields, path)
        return self._whole(error, fields, keep=False, with_body=has_body(head))

    def _whole(
        self,
        error: ApiError,
        headers: Iterable[tuple[bytes, bytes]],
        *,
        keep: bool,
        with_body: bool = True,
    ) -> bytes:
        """The whole response to a request with these headers."""
        more = []
        if error.code == Code.TRY_LATER:
            more.append(self._retry_after)
        if error.status == 405:
            more.append("allow: GET, HEAD, POST")
        body = error_body(error, headers).encode()
        return response(error.status, body, JSON, more, keep=keep, with_body=with_body)
