"""The text of a log's bytes."""

import re
from typing import Final

# What bytes that are not UTF-8 become, and the escape of a backslash itself.
_LIKE_ESCAPES: Final = re.compile(rb"\\(?=x(?:[89a-f][0-9a-f]|5c))")


def decoded(text: bytes) -> str:
    r"""Return text decoded from UTF-8, so that different bytes stay different.

    Bytes that are not UTF-8 become `\xNN`. Where a log has such characters itself, their backslash becomes `\x5c`; any
    other backslash stays as it is.
    """
    # One byte is found much faster than two, and is in few logs.
    if b"\\" in text:
        text = _LIKE_ESCAPES.sub(rb"\\x5c", text)
    return text.decode("utf-8", "backslashreplace")
