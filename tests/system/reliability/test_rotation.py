"""However a log is rotated between and during runs, every transaction is stored exactly once."""

import os
import shutil
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.reliability.rotated_log import RotatedLog, documents, generated, index, undisturbed
from mailtrace.errors import LogError

LINES = generated(150, seed=3)

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 120)),
        st.tuples(st.just("append_torn"), st.integers(1, 300)),
        st.tuples(st.just("rename"), st.none()),
        st.tuples(st.just("copy_and_truncate"), st.none()),
        st.tuples(st.just("compress"), st.none()),
        st.tuples(st.just("index"), st.none()),
        st.tuples(st.just("index_all"), st.none()),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Return a function with the documents of the first N lines after one undisturbed run, cached for each N."""
    folder = tmp_path_factory.mktemp("whole")
    return lru_cache(lambda written: undisturbed(LINES[:written], folder / str(written)))


def play(log: RotatedLog, store: str, actions: list[tuple[str, int | None]]) -> None:
    """Apply actions to the log, and index it in between and at the end."""
    log.append(1)
    index(store, log.path)
    for name, value in actions:
        if name == "index":
            index(store, log.path)
        elif name == "index_all":
            index(store, *sorted(log.path.parent.glob("mail.log*")))
        else:
            if name != "compress":
                log.mend()
            getattr(log, name)(*(() if value is None else (value,)))
    log.mend()
    log.append(1)
    index(store, log.path)


ROUTINES = {
    "logrotate": ["append", "rename", "append", "index", "rename", "append", "compress", "index"],
    "two rotations between runs": ["append", "index", "append", "rename", "append", "rename", "append", "compress"],
    "copytruncate": ["append", "index", "append", "copy_and_truncate", "append", "index_all", "append", "compress"],
}


@pytest.mark.parametrize("routine", ROUTINES)
def test_common_rotation_routines(store_name, tmp_path, routine):
    """These give the same result in every store."""
    log = RotatedLog(tmp_path, LINES)
    play(log, store_name, [(name, 100 if name == "append" else None) for name in ROUTINES[routine]])
    assert undisturbed(LINES[: log.written], tmp_path / "whole") == documents(store_name)


@settings(max_examples=int(os.environ.get("MAILTRACE_ROTATIONS", "40")), deadline=None)
@given(ACTIONS)
def test_the_store_is_as_after_one_undisturbed_run(expected, actions):
    folder = Path(mkdtemp())
    try:
        log = RotatedLog(folder, LINES)
        play(log, f"{folder}/s.db", actions)
        assert expected(log.written) == documents(f"{folder}/s.db")
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("is_named", [True, False])
def test_a_damaged_log_keeps_no_other_from_being_read(tmp_path, is_named):
    """Such as one that logrotate compressed onto a full disk."""
    log, store = RotatedLog(tmp_path, LINES), f"{tmp_path}/s.db"
    log.append(100)
    index(store, log.path)
    damaged = tmp_path / "mail.log.2.gz"
    damaged.write_bytes(b"\x1f\x8b\x08 cut")
    log.append(100)
    with pytest.raises(LogError, match=r"mail\.log\.2\.gz is damaged"):
        index(store, *([damaged, log.path] if is_named else [log.path]))
    assert undisturbed(LINES[: log.written], tmp_path / "whole") == documents(store)
