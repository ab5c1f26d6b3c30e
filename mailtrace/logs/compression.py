"""Read logs that are compressed with bzip2, xz or zstd, and find their damage.

Python's own readers hide it: those of bzip2, xz and zstd ignore everything after a stream that does not begin another
one, even if more streams follow; that of `zstandard` treats a truncated file as complete.
"""

import bz2
import io
import lzma
import sys
from collections.abc import Callable
from typing import Any, Final

_CHUNK: Final = 1 << 17
"""Bytes that are read, and the most that are unpacked, at a time."""


def bzip2_text(raw: io.BufferedIOBase) -> io.BufferedReader:
    """Return the text of a file that is compressed with bzip2."""
    return io.BufferedReader(_Text(raw, bz2.BZ2Decompressor, OSError))


def xz_text(raw: io.BufferedIOBase) -> io.BufferedReader:
    """Return the text of a file that is compressed with xz, whose streams may have zeros between them."""
    return io.BufferedReader(_Text(raw, lzma.LZMADecompressor, lzma.LZMAError, padding=b"\0"))


def zstd_text(raw: io.BufferedIOBase) -> io.BufferedReader:
    """Return the text of a file that is compressed with zstd."""
    # Imported here, because only a log compressed with zstd needs it.
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdDecompressor, ZstdError  # noqa: PLC0415

        return io.BufferedReader(_Text(raw, ZstdDecompressor, ZstdError))
    from zstandard import ZstdError  # noqa: PLC0415

    return io.BufferedReader(_Text(raw, _ZstdStream, ZstdError))


class _ZstdStream:
    """A stream of `zstandard` with the methods of the decompressors in Python's library."""

    needs_input = True

    def __init__(self) -> None:
        from zstandard import ZstdDecompressor  # noqa: PLC0415 # as above

        self._stream = ZstdDecompressor().decompressobj()

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        """What comes after it."""
        return self._stream.unused_data

    def decompress(self, packed: bytes, _: int) -> bytes:
        """Return the text of these bytes, however long it is."""
        return self._stream.decompress(packed)


class _Text(io.RawIOBase):
    """The uncompressed text of all streams of a file."""

    def __init__(
        self, raw: io.BufferedIOBase, new_stream: Callable[[], Any], error: type[Exception], padding: bytes = b""
    ) -> None:
        """Begin at the start of `raw`; `padding` may be between its streams."""
        self._raw, self._new_stream, self._error, self._padding = raw, new_stream, error, padding
        self._stream = new_stream()
        self._is_inside = False
        self._text = b""

    def readable(self) -> bool:
        """Return true: this can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read some text.

        Raises:
            EOFError: the file is truncated.
            OSError: it is damaged.
        """
        while not self._text and (packed := self._packed()) is not None:
            self._unpack(packed)
        length = min(len(buffer), len(self._text))
        buffer[:length], self._text = self._text[:length], self._text[length:]
        return length

    def _packed(self) -> bytes | None:
        """Return what to unpack next: nothing if the stream still has text of what it was given, None at the end."""
        if self._stream.eof:
            rest = self._stream.unused_data
            self._stream, self._is_inside = self._new_stream(), False
            if rest:
                return bytes(rest)
        if self._is_inside and not self._stream.needs_input:
            return b""
        packed = self._raw.read(_CHUNK)
        if not packed and self._is_inside:
            raise EOFError("Compressed file ended before the end-of-stream marker was reached")
        return packed or None

    def _unpack(self, packed: bytes) -> None:
        if not self._is_inside:
            packed = packed.lstrip(self._padding)
            if not packed:
                return
        self._is_inside = True
        try:
            self._text = bytes(self._stream.decompress(packed, _CHUNK))
        except self._error as error:
            raise OSError(str(error)) from error
