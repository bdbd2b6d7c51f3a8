"""One call of the operator API: what every handler gets, and how it answers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from api.shared.answers import Answer
from api.shared.bodies import Upload
from api.shared.problems import Problem
from api.shared.work import Work
from models.database.failures import unavailable
from models.database.transactions import Transaction
from models.directory.idempotency import Answered, Claim, find_answer, keep_answer
from models.directory.operator_keys import ShownKey
from models.exact_csv import csv_lines

CREATED = 201


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it becomes a response. `body` is a model, or JSON that was kept."""

    body: BaseModel | str
    status: int = 200
    headers: Mapping[str, str] | None = None

    @property
    def json(self) -> str:
        """The body as JSON."""
        if isinstance(self.body, str):
            return self.body
        return self.body.model_dump_json(by_alias=True)


@dataclass(frozen=True, slots=True)
class Call(Work):
    """A request that may enter. `path` has the decoded parameters of the path."""

    key: ShownKey
    base: str  # the path under which the room is served
    path: Mapping[str, str]
    claim: Claim | None  # of the `Idempotency-Key`
    upload: Upload | None  # the body of a route that takes one

    def create(self, note: str | None, make: Callable[[Transaction], Answer]) -> Reply:
        """Make something once per `Idempotency-Key`. A repeat gets the first answer.

        Raises Reused and InProgress, besides what `make` raises.
        """
        with self.changing(note) as database:
            before = None if self.claim is None else find_answer(database, self.claim)
            if before is not None and before.status is not None:
                return Reply(before.answer or "", before.status)
            reply = Reply(make(database), CREATED)
            if self.claim is not None:
                keep_answer(database, self.claim, Answered(CREATED, reply.json))
        return reply

    def row_id(self, name: str, what: str, end: int = 2**63) -> int:
        """The id in the path, a number below `end`. Raises Problem: there is no such `what`."""
        text = self.path[name]
        if text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) < end:
            return int(text)
        raise Problem(404, "not_found", f"There is no {what} {text!r}.")


def csv_response(model: type[Answer], rows: Iterable[object], name: str) -> Response:
    """The rows as CSV, sent as they are read. The titles are the names in the JSON."""
    titles = tuple(field.serialization_alias or "" for field in model.model_fields.values())

    def cells() -> Iterator[Sequence[object]]:
        for row in rows:
            read = model.model_validate(row)
            yield tuple(getattr(read, field) for field in model.model_fields)

    # The first line is read before the headers are sent, so that a failure has a status of its own.
    with unavailable():
        coming = csv_lines(titles, cells())
        first = list(islice(coming, 2))
    lines = (f"{line}\r\n" for line in chain(first, coming))
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(lines, headers=headers, media_type="text/csv; charset=utf-8")
