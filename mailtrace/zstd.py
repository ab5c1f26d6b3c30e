"""Text of a log that is compressed with zstd, on Pythons that cannot read it themselves (before 3.14)."""

import io
from typing import Final

import zstandard

_CHUNK: Final = 1 << 17


class ZstdText(io.RawIOBase):
    """The uncompressed text of one frame after the other.

    The library's own reader takes a file cut short for one that ends.
    """

    def __init__(self, raw: io.BufferedIOBase) -> None:
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
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
                self._frame, self._is_inside = zstandard.ZstdDecompressor().decompressobj(), False
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
            return self._frame.decompress(packed)
        except zstandard.ZstdError as error:
            raise OSError(str(error)) from error
