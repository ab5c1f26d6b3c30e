"""Text of a log that is compressed with zstd: Python itself unpacks it from 3.14 on, `zstandard` before."""

import io
import sys
from typing import Any, Final

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError
else:
    from zstandard import ZstdDecompressor, ZstdError

_CHUNK: Final = 1 << 17


def _frame() -> Any:
    """Return what unpacks one frame: both libraries give it the same methods."""
    return ZstdDecompressor() if sys.version_info >= (3, 14) else ZstdDecompressor().decompressobj()


class ZstdText(io.RawIOBase):
    """The uncompressed text of one frame after the other.

    The libraries' own readers hide damage: that of `zstandard` takes a file cut short for one that ends, that of Python
    ignores whatever follows a frame and is none.
    """

    def __init__(self, raw: io.BufferedIOBase) -> None:
        self._raw = raw
        self._frame = _frame()
        self._is_inside = False
        self._text = b""

    def readable(self) -> bool:
        """Return that this can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read some text.

        Raises:
            EOFError: the file is cut short.
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
