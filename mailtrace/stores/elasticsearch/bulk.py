"""Bulk requests to an Elasticsearch server: several on their way at once, each with patience for a server that is busy.

While the caller makes further documents, earlier ones are sent and indexed. How many wait is bounded.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final, NamedTuple

import orjson

from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.errors import BUSY, AnswerError, BusyError, LostError, reason_in

_BLOCKED: Final = "cluster_block_exception"
_BYTES: Final = 5_000_000
_OPERATIONS: Final = 125
"""Of one request: four times as many are 4 % faster, and take a third more memory."""
_ON_THE_WAY: Final = 3
"""How many bulk requests wait for an answer at once."""


class Answer(NamedTuple):
    """What became of one operation of a bulk request."""

    status: int
    """As in HTTP."""
    kind: str = ""
    """Elasticsearch's name of what is wrong; empty where nothing is."""
    reason: str = ""
    error: BusyError | LostError | None = None
    """Why the whole request is to be sent again."""


class Operation(NamedTuple):
    """One operation of a bulk request."""

    action: dict[str, Any]
    source: bytes = b""
    """The document; none to delete one."""

    @property
    def place(self) -> str:
        """The index that it is for."""
        (place,) = self.action.values()
        return str(place["_index"])


class Bulk:
    """Sends operations to a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pool = ThreadPoolExecutor(_ON_THE_WAY, "bulk")

    def close(self) -> None:
        """Let go of the threads; what is on its way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def send(self, operations: Iterable[Operation]) -> list[Answer]:
        """Return what became of each operation: done, or refused for good; whoever is busy was asked again.

        Raises:
            StoreError: as `Server.ask`; what was not answered may have been done.
        """
        answers: list[Answer] = []
        sent: deque[Future[list[Answer]]] = deque()
        try:
            for chunk in _chunks(operations):
                if len(sent) == _ON_THE_WAY:
                    answers += sent.popleft().result()
                sent.append(self._pool.submit(self._insist, chunk))
            for request in sent:
                answers += request.result()
        except Exception:
            wait(sent)
            raise
        return answers

    def _insist(self, operations: Sequence[Operation]) -> list[Answer]:
        with self._server.outage.given_up():
            return self._settled(operations)

    def _settled(self, operations: Sequence[Operation]) -> list[Answer]:
        answers = self._attempt(operations)
        for tries in range(len(self._server.pauses)):
            busy = [i for i, answer in enumerate(answers) if answer.status in BUSY]
            if not busy or not self._server.pause(tries, self._error(answers[busy[0]])):
                break
            for i, answer in zip(busy, self._attempt([operations[i] for i in busy]), strict=True):
                answers[i] = answer
        for operation, answer in zip(operations, answers, strict=True):
            if answer.status in BUSY:
                return [self._given_up(operation, answer, len(operations))]
        return answers

    def _given_up(self, operation: Operation, answer: Answer, number: int) -> Answer:
        """A lone big document may be too much for a server that is idle: nothing will help (`indexing_pressure`)."""
        if answer.kind == _BLOCKED:
            return Answer(403, answer.kind, answer.reason)
        if answer.status == 429 and number == 1 and len(operation.source) > _BYTES:
            return Answer(413, answer.kind, answer.reason)
        raise self._error(answer)

    def _error(self, answer: Answer) -> BusyError | LostError:
        """What is wrong where a server is busy or away."""
        what = "cannot do it now" if answer.kind == _BLOCKED else "has too much to do"
        return answer.error or BusyError(f"{self._server.name} {what} ({answer.reason})", answer.status)

    def _attempt(self, operations: Sequence[Operation]) -> list[Answer]:
        lines = [line for action, source in operations for line in (orjson.dumps(action), source) if line]
        client = self._server.client
        try:
            found = self._server.attempt(
                client.bulk, operations=lines, filter_path="errors,items.*.status,items.*.error"
            )
        except (BusyError, LostError) as error:
            return [Answer(error.status, error=error)] * len(operations)
        except AnswerError as error:
            if error.status != 413:
                raise
            if len(operations) == 1:
                return [Answer(413, error.kind, error.reason)]
            half = len(operations) // 2
            return self._attempt(operations[:half]) + self._attempt(operations[half:])
        return [_answer(item) for item in found["items"]]


def _chunks(operations: Iterable[Operation]) -> Iterator[list[Operation]]:
    chunk: list[Operation] = []
    size = 0
    for operation in operations:
        if chunk and (len(chunk) == _OPERATIONS or size + len(operation.source) > _BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(operation)
        size += len(operation.source)
    if chunk:
        yield chunk


def _answer(item: dict[str, dict[str, Any]]) -> Answer:
    (found,) = item.values()
    if "error" not in found:
        return Answer(found["status"])
    error = found["error"]
    kind = error.get("type", "") if isinstance(error, dict) else ""
    return Answer(found["status"], kind, reason_in(found))
