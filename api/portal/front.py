"""The portal's answers without its app, to requests that are invalid, late, or find no room."""

import json

from api.shared.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, Problem
from server.front import Refusal, has_body, response
from server.http_head import Head
from server.peer import Peer

_LATER = (429, 503)


class PortalFront:
    """What the portal tells the server. See `server.front.Front`."""

    def refuse_early(self, head: Head, peer: Peer, now: float) -> bytes | None:  # noqa: ARG002
        """Refuse nothing."""
        return None

    def refuse(self, refusal: Refusal, head: Head | None) -> bytes:
        """Return the refusal as problem details."""
        status, message = refusal
        code = "unavailable" if status in _LATER else "refused"
        body = json.dumps(Problem(status, code, message).document).encode()
        more = [f"retry-after: {RETRY_AFTER_SECONDS}"] if status in _LATER else []
        if status == 405:
            more.append("allow: GET, HEAD, PATCH, POST, PUT")
        return response(status, body, MEDIA_TYPE, more, keep=False, with_body=has_body(head))
