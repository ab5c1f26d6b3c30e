"""mailtrace-index --rebuild, and what a newer version does with the store of an older one."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[3] / "sample_logs"


@pytest.fixture
def indexed(commands, index_once):
    done = index_once(commands, "-q", "-y", 2011, "--tz", "Europe/Madrid", SAMPLES / "sendmail.log")
    assert 0 == done.returncode, done.stderr
    return commands


def change(commands, statement: str) -> None:
    with closing(sqlite3.connect(commands.folder / "store" / "mailtrace.db")) as connection, connection:
        connection.execute(statement)


def everything(commands) -> str:
    return commands.search("--format", "json", "--lines").stdout


def test_a_rebuild_changes_no_document(indexed):
    before = everything(indexed)
    done = indexed.index("--rebuild")
    assert 0 == done.returncode
    number = len(before.splitlines())
    assert done.stderr.startswith(f"{number} transactions derived again in ")
    assert before == everything(indexed)
    assert (0, "") == (indexed.index("--rebuild", "-q").returncode, indexed.index("--rebuild", "-q").stderr)


def test_the_documents_of_an_older_version_are_derived_again_once(indexed):
    before = everything(indexed)
    change(indexed, "UPDATE meta SET value = 0 WHERE name = 'grammar'")
    update = f"mailtrace-index: {indexed.folder}/store/mailtrace.db was written by an older mailtrace: "
    for wanted in (f"{update}deriving its documents again\n", ""):
        done = indexed.index("-q", SAMPLES / "sendmail.log", "--tz", "Europe/Madrid")
        assert (0, wanted) == (done.returncode, done.stderr)
    assert before == everything(indexed)


@pytest.mark.parametrize(
    ("newer", "advice"),
    [
        ("UPDATE meta SET value = 99 WHERE name = 'grammar'", ": install that version here too"),
        ("PRAGMA user_version = 99", " (layout 99): update mailtrace, or choose another store with --store"),
    ],
)
def test_the_store_of_a_newer_version_is_refused_in_one_line(indexed, newer, advice):
    change(indexed, newer)
    path = f"{indexed.folder}/store/mailtrace.db"
    for done in (indexed.index(SAMPLES / "sendmail.log"), indexed.index("--rebuild"), indexed.search("--count")):
        name = Path(done.args[0]).name
        wanted = f"{name}: {path} was written by a newer mailtrace{advice}\n"
        assert (2, wanted) == (done.returncode, done.stderr)


def test_a_rebuild_takes_no_file(commands):
    done = commands.index("--rebuild", SAMPLES / "sendmail.log")
    assert (2, "mailtrace-index: --rebuild takes no FILE; for help: --help\n") == (done.returncode, done.stderr)
