"""Log files: opened whatever they are packed in, read in blocks of whole lines, known by their content.

A log keeps its name for a day only: logrotate renames it, compresses it, or copies and truncates it. So a log is known
by the first whole lines of its uncompressed text, and a place in it by the bytes just before.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple, cast

from mailtrace.errors import LogError, LogMovedError
from mailtrace.logs.identity import Identity, identity_of, names_of

MAX_LINE: Final = 65536
"""Bytes of the longest line that is read; of longer ones only the number is told."""
MARK: Final = 4096
"""Bytes, at most, of the first lines by which a log is known."""
TAIL: Final = 256
"""Bytes before a place by which it is known again."""
_BLOCK: Final = 1 << 20
_HEAD: Final = 1 << 16

_DAMAGE: Final = (OSError, EOFError, zlib.error, lzma.LZMAError)


class Block(NamedTuple):
    """Some whole lines of a log."""

    lines: list[str]
    """Without newlines; bytes that are not UTF-8 as `\\xNN`."""
    end: int
    """The place after them: bytes of uncompressed text."""
    too_long: int
    """How many lines were longer than `MAX_LINE` and left out."""


@dataclass(slots=True)
class LogFile:
    """One log to read: a file, a pipe, or `-` for standard input."""

    path: str
    _head: bytes | None = None
    _is_stream: bool | None = None
    _identity: Identity | None = None

    @property
    def is_stream(self) -> bool:
        """Whether this can be read once only and has no checkpoint: standard input, a pipe."""
        if self._is_stream is None:
            self._is_stream = self.path == "-" or not Path(self.path).is_file()
        return self._is_stream

    @property
    def size(self) -> int:
        """Bytes on the disk; 0 where that is not known."""
        return 0 if self.is_stream else self._stat().st_size

    @property
    def modified(self) -> float:
        """When the file was last written, in seconds since 1970."""
        return self._stat().st_mtime

    def _stat(self) -> os.stat_result:
        with self._raw() as raw:
            return os.fstat(raw.fileno())

    def check(self) -> None:
        """See that the file can be read.

        Raises:
            LogError: it is missing, a folder, or may not be read.
        """
        if self.path == "-":
            # Python's, where the shell closed it (`<&-`).
            if getattr(sys, "stdin", None) is None:
                raise LogError("-: standard input is closed: name a log file, or read from a pipe")
            return
        try:
            kind = Path(self.path).stat().st_mode
            if stat.S_ISDIR(kind):
                name = self.path.rstrip("/")
                raise LogError(f"{self.path} is a folder: name the log files in it, such as {name}/mail.log*")
            if stat.S_ISREG(kind):
                with Path(self.path).open("rb"):
                    pass
        except FileNotFoundError:
            raise LogError(f"{self.path}: there is no such file: check its name") from None
        except OSError as error:
            raise _unreadable(self.path, error) from error

    @property
    def head(self) -> bytes:
        """The first bytes of the text, uncompressed: enough to know the log by, and to see when it begins.

        Raises:
            LogError: it cannot be read.
        """
        if self._head is None:
            with self.open() as reader:
                self._head = reader.peek(_HEAD)
        return self._head

    def open(self) -> "Reader":
        """Open the log at its beginning, unpacked whatever its name says.

        Raises:
            LogError: it cannot be read.
            LogMovedError: a rotation has removed or replaced the file that was opened before.
        """
        if self.path == "-":
            return Reader(self.path, _unpacked(cast("io.BufferedReader", sys.stdin.buffer)), None, is_packed=True)
        raw = self._raw()
        unpacked = _unpacked(raw)
        return Reader(self.path, unpacked, raw, is_packed=unpacked is not raw or self.is_stream)

    def _raw(self) -> io.BufferedReader:
        """The file that was opened first; where a rotation has renamed it since, by its new name."""
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


def _unreadable(path: str, error: OSError) -> LogError:
    if isinstance(error, PermissionError):
        return LogError(f"{path} may not be read by this user: run as root or as a member of the file's group")
    return LogError(f"{path} cannot be read: {error.strerror}")


def _unpacked(raw: io.BufferedReader) -> io.BufferedIOBase:
    """The text of a stream that may be compressed: told by its first bytes, not by its name."""
    magic = raw.peek(6)[:6]
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if magic.startswith(b"\xfd7zXZ"):
        return lzma.LZMAFile(raw)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd(raw)
    return raw


def _zstd(raw: io.BufferedReader) -> io.BufferedIOBase:
    # Only a log that is packed so pays for this import.
    from mailtrace.logs.compression import ZstdText  # noqa: PLC0415

    return io.BufferedReader(ZstdText(raw))


class Reader:
    """Reads one opened log, block by block, and knows where it is."""

    def __init__(self, path: str, text: io.BufferedIOBase, raw: io.BufferedIOBase | None, *, is_packed: bool) -> None:
        self.path = path
        self.is_stream = raw is None or not raw.seekable()
        """Whether this cannot be read again, so that no place in it can be kept."""
        self.is_packed = is_packed
        """Whether all that is to come is there: compressed, or standard input."""
        self.offset = 0
        """Bytes of uncompressed text that have been given as blocks."""
        self.tail = b""
        """The last bytes before the offset."""
        self.rest = b""
        """What stands after the offset and is no whole line yet."""
        self.is_skipping = False
        """Whether the offset is inside a line that is too long, the rest of which is to be left out."""
        self._text, self._raw = text, raw
        self._head = b""
        self._damage: BaseException | None = None

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def position(self) -> int:
        """Bytes on the disk that have been read: for the progress."""
        return self._raw.tell() if self._raw is not None and self._raw.seekable() else self.offset

    def blocks(self, is_dull: Callable[[bytes], bool] = lambda _: False) -> Iterator[Block]:
        """Read whole lines up to the end of the file as it is now; called again, what has come since.

        Lines that `is_dull` says nobody needs are not given.

        Raises:
            LogError: the file is damaged or cut short; what came before has been given.
        """
        while data := self._read():
            block = self._take(data, is_dull)
            if block.lines or block.too_long:
                yield block

    def _read(self, length: int = _BLOCK) -> bytes:
        """Some text, up to that length; of a damaged file first all that stands before the damage."""
        pieces, missing = [], length
        while missing > 0 and self._damage is None:
            try:
                piece = self._text.read1(missing)
            except _DAMAGE as error:
                self._damage = error
                break
            pieces.append(piece)
            missing -= len(piece)
            # Unpackers give little at a time; a pipe gives what there is, and is not to be waited for.
            if not piece or isinstance(self._text, io.BufferedReader):
                break
        if self._damage is not None and not any(pieces):
            words = f"{self.path} is damaged or cut short: {self._damage}; what stands before has been read"
            raise LogError(words) from self._damage
        return b"".join(pieces)

    def _take(self, data: bytes, is_dull: Callable[[bytes], bool]) -> Block:
        """Cut data into whole lines, and keep what is left over."""
        too_long = 0
        if self.is_skipping:
            end = data.find(b"\n") + 1
            self._pass(data[:end] if end else data)
            if not end:
                return Block([], self.offset, 0)
            self.is_skipping, too_long, data = False, 1, data[end:]
        data = self.rest + data if self.rest else data
        end = data.rfind(b"\n") + 1
        whole, self.rest = data[:end], data[end:]
        self._pass(whole)
        lines = [] if is_dull(whole) else _lines(whole)
        short = lines
        if len(max(lines, key=len, default="")) > MAX_LINE:
            short = [line for line in lines if len(line) <= MAX_LINE]
        too_long += len(lines) - len(short)
        if len(self.rest) > MAX_LINE:
            self._pass(self.rest)
            self.rest, self.is_skipping = b"", True
        return Block(short, self.offset, too_long)

    def last_line(self) -> Block | None:
        """The text after the last newline, as a line, where no more is to come."""
        if not self.rest:
            return Block([], self.offset, 1) if self.is_skipping else None
        rest, self.rest = self.rest, b""
        self._pass(rest)
        return Block(_lines(rest), self.offset, 0)

    def _pass(self, data: bytes) -> None:
        self.offset += len(data)
        if len(self._head) < MARK:
            self._head += data[: MARK - len(self._head)]
        self.tail = (self.tail + data[-TAIL:])[-TAIL:]

    @property
    def mark(self) -> bytes:
        """What the log is known by: its first whole lines, as much of them as has been given."""
        return mark_of(self._head)

    def skip_to(self, offset: int) -> bool:
        """Go to a place; return whether there is so much text."""
        if not self.is_packed and offset > MARK + TAIL:
            self._pass(self._text.read(MARK))
            self.offset = self._text.seek(offset - TAIL)
        while self.offset < offset:
            if not (data := self._read(min(_BLOCK, offset - self.offset))):
                return False
            self._pass(data)
        return True

    def peek(self, length: int) -> bytes:
        """Return up to that many bytes of text, and go no further with this reader."""
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
    """Return what a log that begins so is known by: whole lines of the first `MARK` bytes."""
    head = head[:MARK]
    return head[: head.rfind(b"\n") + 1] or (head if len(head) == MARK else b"")


def _lines(text: bytes) -> list[str]:
    lines = decoded(text).split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def decoded(text: bytes) -> str:
    r"""Return text as it is read everywhere: UTF-8, other bytes as `\xNN`, so that different ones stay different."""
    return text.decode("utf-8", "backslashreplace")


def digest(data: bytes) -> str:
    """Return a digest of a mark or a tail."""
    return blake2b(data, digest_size=12).hexdigest()
