"""Whatever is done to a log between and during runs, every transaction is stored exactly once."""

import shutil
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logs import RotatedLog, documents, generated, undisturbed

from mailtrace.index_cli import main as index

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
    """What one undisturbed run stores of the first lines; made once for each number of them."""
    known: dict[int, bytes] = {}

    def of(written: int, capsysbinary) -> bytes:
        if written not in known:
            folder = tmp_path_factory.mktemp("whole")
            known[written] = undisturbed(LINES[:written], folder / "log", f"sqlite:{folder}/s.db", capsysbinary)
        return known[written]

    return of


def play(log: RotatedLog, store: str, actions: list[tuple[str, int | None]]) -> None:
    """Do to the log what is said, and index it in between and at the end."""
    command = ["-q", "--tz", "UTC", "--store", store]
    log.append(1)
    index([*command, str(log.path)])
    for name, value in actions:
        if name == "index":
            index([*command, str(log.path)])
            continue
        if name == "index_all":
            index([*command, *map(str, sorted(log.path.parent.glob("mail.log*")))])
            continue
        if name != "compress":
            log.mend()
        getattr(log, name)(*(() if value is None else (value,)))
    log.mend()
    log.append(1)
    assert index([*command, str(log.path)]) == 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS)
def test_the_store_is_as_after_one_undisturbed_run(expected, capsysbinary, actions):
    folder = Path(mkdtemp())
    try:
        log = RotatedLog(folder, LINES)
        play(log, f"sqlite:{folder}/s.db", actions)
        assert expected(log.written, capsysbinary) == documents(f"sqlite:{folder}/s.db", capsysbinary)
    finally:
        shutil.rmtree(folder)
