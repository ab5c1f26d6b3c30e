"""Rotation sets: the files that logrotate and its like have made of a log.

Known are numbers (`mail.log.1`), dates (`mail.log-20261124`, `mail.log.20261124-031500` as `postfix logrotate` writes
them, `mail-20261124.log`), each perhaps compressed.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

_SUFFIX: Final = r"[.-]\d[\d.T:-]*"
_PACKED: Final = r"(?:\.(?:gz|bz2|xz|zst))?"


def rotated_from(path: str) -> list[str]:
    """Return the files beside a log that were rotated from it, in no order of age."""
    log = Path(path)
    stem, extension = re.escape(log.stem), re.escape(log.suffix)
    pattern = rf"{re.escape(log.name)}(?:{_SUFFIX})?{_PACKED}"
    if log.suffix:
        pattern += rf"|{stem}{_SUFFIX}{extension}{_PACKED}"
    is_rotated = re.compile(pattern).fullmatch
    try:
        names = [entry.name for entry in log.parent.iterdir() if is_rotated(entry.name) and entry.is_file()]
    except OSError:
        return []
    prefix = path[: len(path) - len(log.name)]
    return sorted(prefix + name for name in names if name != log.name)


def rotation_set(path: str) -> dict[str, int]:
    """Return a log and the files beside it that were rotated from it, each with its inode."""
    found = {}
    for name in (path, *rotated_from(path)):
        with suppress(OSError):
            found[name] = Path(name).stat().st_ino
    return found
