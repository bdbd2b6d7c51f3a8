"""Reads the body of a request, up to a limit: into memory, or a long one into a file."""

from collections.abc import Collection
from dataclasses import dataclass
from io import TextIOWrapper
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request

from api.shared.problems import Problem

_IN_MEMORY = 1024 * 1024


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The body. Raises Problem: 413 if it is longer than `bytes_max`."""
    _judge_announced(request, bytes_max)
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > bytes_max:
                raise _too_large(bytes_max)
    except ClientDisconnect:
        raise Problem(400, "body_ended_early", "The body ended early.") from None
    return bytes(body)


@dataclass(frozen=True, slots=True)
class Upload:
    """A long body, in a temporary file, and its media type."""

    file: BinaryIO
    media_type: str

    def text(self) -> TextIOWrapper:
        """The body as UTF-8, to be read once. Whoever reads it closes it."""
        return TextIOWrapper(self.file, encoding="utf-8-sig", newline="")


async def read_upload(request: Request, media_types: Collection[str], bytes_max: int) -> Upload:
    """The body in a temporary file. The memory that it takes does not grow with it.

    Raises Problem: 415 for another media type, 413 if it is longer than `bytes_max`.
    """
    kind = media_type_of(request)
    if kind not in media_types:
        raise Problem(
            415, "unsupported_media_type", f"Send the body as {' or '.join(media_types)}."
        )
    _judge_announced(request, bytes_max)
    spooled = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - `Upload.text` closes it
    upload, length = UploadFile(cast("BinaryIO", spooled)), 0
    try:
        async for part in request.stream():
            length += len(part)
            if length > bytes_max:
                raise _too_large(bytes_max)
            await upload.write(part)
        await upload.seek(0)
    except ClientDisconnect:
        await upload.close()
        raise Problem(400, "body_ended_early", "The body ended early.") from None
    except BaseException:
        await upload.close()
        raise
    return Upload(upload.file, kind)


def media_type_of(request: Request) -> str:
    """The media type of the body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _judge_announced(request: Request, bytes_max: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > bytes_max:
        raise _too_large(bytes_max)


def _too_large(bytes_max: int) -> Problem:
    return Problem(413, "body_too_large", f"The body is longer than {bytes_max} bytes.")
