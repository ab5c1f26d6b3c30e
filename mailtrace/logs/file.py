"""Log files: decompressed, read in blocks of whole lines, and identified by their content.

A log keeps its name for a day only: logrotate renames it, compresses it, or copies and truncates it. So a log is
identified by the first whole lines of its uncompressed text, and an offset in it by the bytes before that.
"""

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final, cast

from mailtrace.errors import LogError, LogMovedError
from mailtrace.logs.compression import bzip2_text, xz_text, zstd_text
from mailtrace.logs.identity import Identity, identity_of, names_of
from mailtrace.syslog.text import decoded

MAX_LINE: Final = 65536
"""Bytes of the longest line that is read; longer ones are only counted."""
MARK: Final = 4096
"""Bytes, at most, of the first lines that identify a log."""
TAIL: Final = 256
"""Bytes before an offset that identify it."""
_BLOCK: Final = 1 << 20
_HEAD: Final = 1 << 16

_DAMAGE: Final = (OSError, EOFError, zlib.error)


class Block:
    """Some whole lines of a log."""

    def __init__(self, text: bytes, end: int, left_out: int = 0) -> None:
        """Take the text of the lines, the offset after them, and how many were left out."""
        self.text = text
        self.end = end
        """In bytes of uncompressed text."""
        self.left_out = left_out
        """The number of lines before the text that were left out."""

    @cached_property
    def lines(self) -> list[str]:
        r"""The lines without newlines; bytes that are not UTF-8 as `\xNN`."""
        lines = _lines(self.text)
        is_short = len(max(lines, key=len, default="")) <= MAX_LINE
        return lines if is_short else [line for line in lines if len(line) <= MAX_LINE]

    @property
    def too_long(self) -> int:
        """The number of lines that were left out because they are longer than `MAX_LINE`."""
        return self.left_out + self.text.count(b"\n") + (self.text[-1:] not in (b"", b"\n")) - len(self.lines)


@dataclass(slots=True)
class LogFile:
    """One log to read: a file, a pipe, or `-` for standard input."""

    path: str
    _head: bytes | None = None
    _is_stream: bool | None = None
    _identity: Identity | None = None

    @property
    def is_stream(self) -> bool:
        """Whether this can be read only once and has no checkpoint: standard input, a pipe."""
        if self._is_stream is None:
            self._is_stream = self.path == "-" or not Path(self.path).is_file()
        return self._is_stream

    @property
    def size(self) -> int:
        """Bytes on disk; 0 if this is a stream."""
        return 0 if self.is_stream else self._stat().st_size

    @property
    def modified(self) -> float:
        """When the file was last written, in seconds since 1970."""
        return self._stat().st_mtime

    def _stat(self) -> os.stat_result:
        with suppress(OSError):
            found = Path(self.path).stat()
            if self._identity is None or (found.st_dev, found.st_ino) == self._identity[:2]:
                return found
        with self._raw() as raw:
            return os.fstat(raw.fileno())

    def check(self) -> None:
        """Check that the file can be read, and read its head.

        Raises:
            LogError: it is missing, a folder, not readable by this user, or damaged from the start.
        """
        if self.path == "-":
            # Python has None for a stream that the shell closed (`<&-`).
            if getattr(sys, "stdin", None) is None:
                raise LogError("-: standard input is closed: name a log file, or read from a pipe")
            return
        if not self.path:  # as of a shell variable that is not set
            raise LogError("'' is no name of a file: name a log file, or - for standard input")
        with _explained_errors(self.path):
            kind = Path(self.path).stat().st_mode
        if stat.S_ISDIR(kind):
            name = self.path.rstrip("/")
            raise LogError(f"{self.path} is a folder: name the log files in it, such as {name}/mail.log*")
        if stat.S_ISREG(kind):
            _ = self.head

    @property
    def head(self) -> bytes:
        """The first bytes of the uncompressed text, up to 64 KiB: they identify the log and show when it begins.

        Read once and kept.

        Raises:
            LogError: the file cannot be read.
        """
        if self._head is None:
            with self.open() as reader:
                self._head = reader.peek(_HEAD)
        return self._head

    def open(self) -> "Reader":
        """Open the log at its beginning, decompressed if its content is compressed, whatever its name is.

        Raises:
            LogError: the file cannot be read.
            LogMovedError: log rotation has removed or replaced the file that was opened before.
        """
        if self.path == "-":
            return Reader(self.path, _unpacked(cast("io.BufferedReader", sys.stdin.buffer)), None, is_packed=True)
        raw = self._raw()
        with _explained_errors(self.path):
            unpacked = _unpacked(raw)
        return Reader(self.path, unpacked, raw, is_packed=unpacked is not raw or self.is_stream)

    def _raw(self) -> io.BufferedReader:
        """Open the file that was opened first, by its new name if log rotation has renamed it since."""
        for path in names_of(self.path, self._identity):
            try:
                raw = Path(path).open("rb")  # noqa: SIM115 # the reader closes it
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(path, error) from error
            if self._identity is None or self._identity.is_of(raw):
                self.path, self._identity = path, identity_of(raw)
                return raw
            raw.close()
        raise LogMovedError(
            f"{self.path} was rotated before it was read: run again and name the rotated logs too, such as mail.log*"
        )


@contextmanager
def _explained_errors(path: str) -> Iterator[None]:
    """Raise errors of the file system as a `LogError` that says what to do."""
    try:
        yield
    except FileNotFoundError:
        raise LogError(f"{path}: no such file: check its name") from None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> LogError:
    if isinstance(error, PermissionError):
        return LogError(f"{path} cannot be read by this user: run as root or as a member of the file's group")
    return LogError(f"{path} cannot be read: {error.strerror}")


def _unpacked(raw: io.BufferedReader) -> io.BufferedIOBase:
    """Return the text of a stream that may be compressed, which its first bytes show."""
    magic = raw.peek(6)[:6]
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if magic.startswith(b"BZh"):
        return bzip2_text(raw)
    if magic.startswith(b"\xfd7zXZ"):
        return xz_text(raw)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return zstd_text(raw)
    return raw


class Reader:
    """Reads an open log block by block, and keeps the offset."""

    def __init__(self, path: str, text: io.BufferedIOBase, raw: io.BufferedReader | None, *, is_packed: bool) -> None:
        """Begin at the start of `text`, the decompressed text of `raw`, which is None for standard input."""
        self.path = path
        self.is_stream = raw is None or not raw.seekable()
        """Whether this cannot be read again, so that it has no checkpoint."""
        self.is_packed = is_packed
        """Whether nothing will be appended later: compressed, or standard input."""
        self.offset = 0
        """Bytes of uncompressed text in the blocks that have been returned."""
        self.tail = b""
        """The last bytes before the offset."""
        self.partial_line = b""
        """The beginning of a line after the offset, whose end is still missing."""
        self.is_skipping = False
        """Whether the offset is inside a line that is too long, and is left out."""
        self._text, self._raw = text, raw
        self._head = b""
        self._damage: BaseException | None = None

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def position(self) -> int:
        """Bytes on disk that have been read, to show progress."""
        return self._raw.tell() if self._raw is not None and self._raw.seekable() else self.offset

    def blocks(self, can_skip: Callable[[bytes], bool] = lambda _: False) -> Iterator[Block]:
        """Read whole lines up to the present end of the file; when called again, those appended since.

        Whole lines for which `can_skip` returns true are left out.

        Raises:
            LogError: the file is damaged or truncated; everything before the damage has been returned.
        """
        while data := self._read(_BLOCK):
            block = self._cut(data, can_skip)
            if block.text or block.left_out:
                yield block

    def _read(self, length: int) -> bytes:
        """Return text of at most this length; from a damaged file, first everything before the damage."""
        pieces, missing = [], length
        while missing > 0 and self._damage is None:
            try:
                piece = self._text.read1(missing)
            except _DAMAGE as error:
                self._damage = error
                break
            pieces.append(piece)
            missing -= len(piece)
            # Decompressors return little at a time. A pipe returns what is there, and must not be waited for.
            if not piece or isinstance(self._text, io.BufferedReader):
                break
        if self._damage is not None and not any(pieces):
            message = f"{self.path} is damaged or truncated: {self._damage}; everything before the damage has been read"
            raise LogError(message) from self._damage
        return b"".join(pieces)

    def _cut(self, data: bytes, can_skip: Callable[[bytes], bool]) -> Block:
        """Cut data into whole lines, and keep the partial line at its end."""
        left_out = 0
        if self.is_skipping:
            end = data.find(b"\n") + 1
            self._advance(data[:end] if end else data)
            if not end:
                return Block(b"", self.offset)
            self.is_skipping, left_out, data = False, 1, data[end:]
        data = self.partial_line + data if self.partial_line else data
        end = data.rfind(b"\n") + 1
        whole, self.partial_line = data[:end], data[end:]
        self._advance(whole)
        if len(self.partial_line) > MAX_LINE:
            self._advance(self.partial_line)
            self.partial_line, self.is_skipping = b"", True
        return Block(b"" if can_skip(whole) else whole, self.offset, left_out)

    def last_line(self) -> Block | None:
        """Return the text after the last newline as a line, if nothing more will come; None if there is none."""
        if not self.partial_line:
            return Block(b"", self.offset, 1) if self.is_skipping else None
        line, self.partial_line = self.partial_line, b""
        self._advance(line)
        return Block(line, self.offset)

    def _advance(self, data: bytes) -> None:
        """Move the offset behind this data."""
        self.offset += len(data)
        if len(self._head) < MARK:
            self._head += data[: MARK - len(self._head)]
        self.tail = (self.tail + data[-TAIL:])[-TAIL:]

    @property
    def mark(self) -> bytes:
        """The first whole lines, which identify the log, as far as they are before the offset."""
        return mark_of(self._head)

    def skip_to(self, offset: int) -> bool:
        """Go forward to an offset; return whether the text is that long."""
        if not self.is_packed and offset > MARK + TAIL:
            self._advance(self._text.read(MARK))
            self.offset = self._text.seek(offset - TAIL)
        while self.offset < offset:
            if not (data := self._read(min(_BLOCK, offset - self.offset))):
                return False
            self._advance(data)
        return True

    @contextmanager
    def ahead(self) -> Iterator["Reader"]:
        """Return a reader of the text from this offset on; this reader continues at the same offset afterwards.

        Both read one open file, even if logrotate gives its name to another one meanwhile. Not for streams.
        """
        assert self._raw is not None
        reader = Reader(self.path, self._text, self._raw, is_packed=self.is_packed)
        reader.offset, reader.is_skipping = self.offset, self.is_skipping
        try:
            yield reader
        finally:
            self._go_back(self._raw)

    def _go_back(self, raw: io.BufferedReader) -> None:
        """Go back to the offset after another reader has used the file."""
        if self._text is raw:
            raw.seek(self.offset)
            return
        raw.seek(0)
        self._text = _unpacked(raw)
        left = self.offset
        while left > 0 and (data := self._read(min(_BLOCK, left))):
            left -= len(data)

    def peek(self, length: int) -> bytes:
        """Return up to that many bytes of text; the reader cannot return them as blocks afterwards."""
        found = b""
        while len(found) < length and (data := self._read(length - len(found))):
            found += data
        return found

    def close(self) -> None:
        """Close the file."""
        if self._raw is not None:
            self._text.close()
            self._raw.close()


def mark_of(head: bytes) -> bytes:
    """Return the bytes that identify a log which begins with `head`: whole lines of the first `MARK` bytes."""
    head = head[:MARK]
    return head[: head.rfind(b"\n") + 1] or (head if len(head) == MARK else b"")


def _lines(text: bytes) -> list[str]:
    lines = decoded(text).split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def digest(data: bytes) -> str:
    """Return a digest of a mark or a tail."""
    return blake2b(data, digest_size=12).hexdigest()
