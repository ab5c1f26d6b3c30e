"""Which process holds a lock."""

import os
from pathlib import Path


def holder_of(handle: int) -> int | None:
    """Return the process that holds the lock (flock(2)) of an open file; None if the system does not say (proc(5))."""
    inode = os.fstat(handle).st_ino
    try:
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    for lock in locks:
        # 1: FLOCK  ADVISORY  WRITE 708 fe:01:13546 0 EOF; waiting processes have -> after the number.
        fields = lock.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
            return int(fields[4])
    return None
