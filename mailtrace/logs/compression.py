"""Read logs that are compressed with zstd: with Python's own module from 3.14 on, before with `zstandard`."""

import io
import sys
from typing import Any, Final

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError
else:
    from zstandard import ZstdDecompressor, ZstdError

_CHUNK: Final = 1 << 17


def _frame() -> Any:
    """Return a decompressor of one frame, which has the same methods in both libraries."""
    return ZstdDecompressor() if sys.version_info >= (3, 14) else ZstdDecompressor().decompressobj()


class ZstdText(io.RawIOBase):
    """The uncompressed text of all frames of a file.

    The libraries' own readers hide damage: that of `zstandard` treats a truncated file as complete, that of Python
    ignores anything after a frame that is not a frame.
    """

    def __init__(self, raw: io.BufferedIOBase) -> None:
        self._raw = raw
        self._frame = _frame()
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
        while not self._text:
            packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame, self._is_inside = _frame(), False
            packed = packed or self._raw.read(_CHUNK)
            if not packed:
                if self._is_inside:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
                return 0
            self._is_inside = True
            self._text = self._unpacked(packed)
        length = min(len(buffer), len(self._text))
        buffer[:length], self._text = self._text[:length], self._text[length:]
        return length

    def _unpacked(self, packed: bytes) -> bytes:
        try:
            return bytes(self._frame.decompress(packed))
        except ZstdError as error:
            raise OSError(str(error)) from error
