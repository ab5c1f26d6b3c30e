"""The lines of a transaction as a store keeps them: compressed with a dictionary of what mail logs usually say."""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from operator import itemgetter
from pathlib import Path
from threading import local
from typing import Any, Final, TypeAlias

import orjson

from mailtrace.message.dates import iso_time
from mailtrace.message.document import Document
from mailtrace.mta import kept_facts
from mailtrace.syslog.records import Record

_Convert: TypeAlias = Callable[[bytes], bytes]

_LEVEL: Final = 3
DICTIONARY: Final = Path(__file__).with_name("lines.dict")
"""Trained by tools/dictionary.py on lines of every MTA. What was compressed with it needs it."""
DICTIONARY_ID: Final = 28_020
"""Written into what is compressed, so that another dictionary can be told from this one."""


Line: TypeAlias = tuple[int, str, str, str]
"""Time, program, process ID and text of a line; all lines of a transaction have one host."""


def packed(lines: Iterable[Line], document: Document | None = None) -> bytes:
    """Return lines, and perhaps their document, as JSON compressed with zstd.

    A document repeats what its lines say, so it adds little to them, and a search need not parse the lines.
    """
    return _codec.functions[0](values_of(lines, document))


def values_of(lines: Iterable[Line], document: Document | None) -> bytes:
    """Return what is compressed: the document or null, and the lines."""
    return orjson.dumps([document, *lines])


def unpacked(host: str, data: bytes) -> list[Record]:
    """Return the lines of a host from what `packed` returned.

    Raises:
        ValueError: this is damaged.
    """
    return [Record(time, host, *rest) for time, *rest in orjson.loads(_codec.functions[1](data))[1:]]


def document_in(data: bytes, *, with_lines: bool = False) -> Document | None:
    """Return the document from what `packed` returned, if wanted with the member `lines` (`shown`).

    Raises:
        ValueError: this is damaged.
    """
    found: Document | None
    found, *lines = orjson.loads(_codec.functions[1](data))
    if found is not None and with_lines:
        found["lines"] = shown(Record(time, found["host"], *rest) for time, *rest in lines)
    return found


def shown(lines: Iterable[Record]) -> list[dict[str, str]]:
    """Return lines as a document shows them: in the order of their times, which are in UTC, without the host."""
    made = (
        {"date": iso_time(time), "program": program, "pid": pid, "text": text}
        for time, _, program, pid, text in map(_without_fact, sorted(lines, key=itemgetter(0)))
    )
    return [dict(line) for line in dict.fromkeys(tuple(line.items()) for line in made)]


def _without_fact(line: Record) -> Record:
    """Return a line that says in words what a kept fact is; of a refusal, the line itself was kept."""
    if line.program != kept_facts.PROGRAM:
        return line
    pid, _, text = line.pid.partition(" ")
    return line._replace(pid=pid, text=text or kept_facts.shown(line.text))


def kept_line(host: str, time: int, values: Sequence[Any], line: str = "") -> Record:
    """Return the line for a fact of a store of version 0.1, which kept time and values (`kept_facts.py`).

    `line` is what tells a refusal without a queue ID from others.
    """
    return Record(time, host, kept_facts.PROGRAM, line, kept_facts.text_of(values))


class _Codec(local):
    """What compresses and decompresses, made at the first use: many searches need neither.

    Each thread has its own: an object of Zstandard must not be used by two at a time.
    """

    @cached_property
    def functions(self) -> tuple[_Convert, _Convert]:
        """The functions that compress and decompress."""
        data = DICTIONARY.read_bytes()
        if sys.version_info >= (3, 14):
            from compression.zstd import ZstdDict, ZstdError, compress, decompress  # noqa: PLC0415

            known = ZstdDict(data)
            packing = partial(compress, level=_LEVEL, zstd_dict=known.as_digested_dict)
            return packing, _raising_value_errors(partial(decompress, zstd_dict=known), ZstdError)
        from zstandard import (  # noqa: PLC0415
            ZstdCompressionDict,
            ZstdCompressor,
            ZstdDecompressor,
            ZstdError,
        )

        dictionary = ZstdCompressionDict(data)
        dictionary.precompute_compress(level=_LEVEL)
        unpacking = _raising_value_errors(ZstdDecompressor(dictionary).decompress, ZstdError)
        return ZstdCompressor(_LEVEL, dictionary).compress, unpacking


def _raising_value_errors(decompress: _Convert, error_class: type[Exception]) -> _Convert:
    """Return a function whose error is the same with each version of Python, and that of JSON."""

    def unpacking(data: bytes) -> bytes:
        try:
            return decompress(data)
        except error_class as error:
            raise ValueError(str(error)) from error

    return unpacking


_codec: Final = _Codec()
