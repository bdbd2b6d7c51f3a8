"""Reads the body of a request, up to a limit."""

from starlette.requests import ClientDisconnect, Request

from api.shared.problems import Problem


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The body. Raises Problem: 413 if it is longer than `bytes_max`."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > bytes_max:
        raise _too_large(bytes_max)
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > bytes_max:
                raise _too_large(bytes_max)
    except ClientDisconnect:
        raise Problem(400, "body_ended_early", "The body ended early.") from None
    return bytes(body)


def _too_large(bytes_max: int) -> Problem:
    return Problem(413, "body_too_large", f"The body is longer than {bytes_max} bytes.")
