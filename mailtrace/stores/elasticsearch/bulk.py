"""Send bulk requests to an Elasticsearch server, several at a time, and retry those that it is too busy for.

Requests run in threads while the caller makes the next documents. At most `_CONCURRENT` of them wait for an answer, so
memory stays bounded.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final, NamedTuple

import orjson

from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.errors import BUSY, AnswerError, BusyError, RetryableError, reason_in

_RETRIED: Final = BUSY | {500}
"""Statuses after which an operation is sent again: a shard fails with 500 if its disk is full, and another copy takes
over."""
_BLOCKED: Final = "cluster_block_exception"
_BYTES: Final = 1_000_000
"""Bytes of documents in one request, unless a single document is bigger."""
_OPERATIONS: Final = 1000
"""Operations in one request: deletions have no document."""
_BIG: Final = 5_000_000
"""Bytes of a document that even an idle server may refuse."""
_CONCURRENT: Final = 3
"""Requests that wait for an answer at the same time."""


class Answer(NamedTuple):
    """The server's answer to one operation of a bulk request."""

    status: int
    """HTTP status."""
    kind: str = ""
    """Elasticsearch's type of the error; empty without an error."""
    reason: str = ""
    error: RetryableError | None = None
    """The error of the whole request, which must be sent again."""


class Operation(NamedTuple):
    """One operation of a bulk request."""

    action: dict[str, Any]
    source: bytes = b""
    """The document as JSON; empty for a deletion."""

    @property
    def index_name(self) -> str:
        """The name of the index that it writes to."""
        (target,) = self.action.values()
        return str(target["_index"])


class Bulk:
    """Sends operations to a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pool = ThreadPoolExecutor(_CONCURRENT, "bulk")

    def close(self) -> None:
        """Stop the threads without waiting for requests that are still running."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def send(self, operations: Iterable[Operation]) -> list[Answer]:
        """Send operations and return the answer to each, in order; those that meet a busy server are retried.

        Raises:
            StoreError: as `Server.ask`; operations without an answer may have been done.
        """
        answers: list[Answer] = []
        sent: deque[Future[list[Answer]]] = deque()
        try:
            for chunk in _chunks(operations):
                if len(sent) == _CONCURRENT:
                    answers += sent.popleft().result()
                sent.append(self._pool.submit(self._send_chunk, chunk))
            for request in sent:
                answers += request.result()
        except Exception:
            wait(sent)
            raise
        return answers

    def _send_chunk(self, operations: Sequence[Operation]) -> list[Answer]:
        with self._server.outage.reported_with_error():
            return self._with_retries(operations)

    def _with_retries(self, operations: Sequence[Operation]) -> list[Answer]:
        began = time.monotonic()
        answers = self._attempt(operations)
        for tries in range(len(self._server.pauses)):
            busy = [i for i, answer in enumerate(answers) if answer.status in _RETRIED]
            if not busy or not self._server.pause(tries, self._error(answers[busy[0]]), began):
                break
            for i, answer in zip(busy, self._attempt([operations[i] for i in busy]), strict=True):
                answers[i] = answer
        for operation, answer in zip(operations, answers, strict=True):
            if answer.status in _RETRIED:
                return [self._final_answer(operation, answer, len(operations))]
        return answers

    def _final_answer(self, operation: Operation, answer: Answer, number: int) -> Answer:
        """Turn an answer that stayed busy into a refusal where retrying cannot help; otherwise raise its error.

        A single big document may exceed what even an idle server accepts (its setting `indexing_pressure`).
        """
        if answer.kind == _BLOCKED:
            return Answer(403, answer.kind, answer.reason)
        if answer.status == 429 and number == 1 and len(operation.source) > _BIG:
            return Answer(413, answer.kind, answer.reason)
        raise self._error(answer)

    def _error(self, answer: Answer) -> RetryableError:
        """Return the error for an answer with a busy status."""
        problem = "cannot write now" if answer.kind == _BLOCKED or answer.status == 500 else "is overloaded"
        return answer.error or BusyError(f"{self._server.name} {problem} ({answer.reason})", answer.status)

    def _attempt(self, operations: Sequence[Operation]) -> list[Answer]:
        """Send operations once, in halves if the request is too long for the server or a proxy."""
        lines = [line for action, source in operations for line in (orjson.dumps(action), source) if line]
        body = b"\n".join([*lines, b""])
        try:
            found = self._server.attempt("POST", "/_bulk", body, filter_path="errors,items.*.status,items.*.error")
        except RetryableError as error:
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
