"""A log that is rotated while a run is reading: nothing is left out in silence."""

from datetime import timezone
from pathlib import Path

import pytest

from helpers.reliability.rotated_log import RotatedLog, documents, generated, index, undisturbed
from helpers.reliability.run_indexer import open_store
from mailtrace.errors import LogError
from mailtrace.indexing.indexer import Indexer
from mailtrace.logs.rotation import Calendar

LINES = generated(150, seed=12)


def three_logs(folder: Path) -> RotatedLog:
    log = RotatedLog(folder, LINES)
    for _ in range(2):
        log.append(200)
        log.rename()
    log.append(200)
    return log


def index_while(log: RotatedLog, store_name: str, *actions) -> None:
    """Index the log and what was rotated from it; do something to them while the oldest is being read."""
    left = list(actions)

    def progress(_path: str, _position: int, _lines: int) -> None:
        while left:
            left.pop(0)()

    store = open_store(store_name)
    try:
        paths = [f"{log.path}.2", f"{log.path}.1", str(log.path)]
        Indexer(store, Calendar(timezone.utc, "UTC"), progress=progress).index(paths)
    finally:
        store.close()


def test_logs_that_are_renamed_are_read_under_their_new_names(tmp_path):
    log, store = three_logs(tmp_path), f"{tmp_path}/s.db"
    index_while(log, store, log.rename, lambda: log.append(200))
    index(store, log.path)
    assert undisturbed(LINES[: log.written], tmp_path / "whole") == documents(store)


@pytest.mark.parametrize("action", ["compress", "copy_and_truncate"])
def test_a_log_that_became_another_file_is_reported_and_nothing_newer_is_read(tmp_path, action):
    log, store = three_logs(tmp_path), f"{tmp_path}/s.db"
    with pytest.raises(LogError, match=r"mail\.log(\.1)? was rotated before it was read: .* mail\.log\*"):
        index_while(log, store, getattr(log, action), lambda: log.append(200))
    index(store, *tmp_path.glob("mail.log*"))
    assert undisturbed(LINES[: log.written], tmp_path / "whole") == documents(store)
