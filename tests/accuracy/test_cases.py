"""Difficult cases: a few lines each, in shapes from public sources, with the expected documents."""

import pytest
import yaml

from helpers.accuracy.case_faults import case_faults
from helpers.accuracy.corpus import CORPORA
from helpers.accuracy.fault import Fault
from helpers.commands import documents, index

CASES = yaml.safe_load((CORPORA / "cases.yaml").read_text(encoding="utf-8"))
NO_MAIL_LINES = 4


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_case_comes_to_what_it_must(case, tmp_path, scored):
    log, store = tmp_path / "mail.log", f"sqlite:{tmp_path}/store.db"
    log.write_bytes(b"".join(_bytes(line) + b"\n" for line in case["lines"]))
    options = ["-y", str(case["year"])] if "year" in case else []
    indexed = index(store, [log], "--tz", case.get("tz", "UTC"), *options)
    faults = [*_end(case, indexed), *case_faults(case, documents(store))]
    assert [] == scored("cases", 1, [fault._replace(where=case["id"]) for fault in faults]), case["why"]


def _bytes(line):
    return line if isinstance(line, bytes) else line.encode()


def _end(case, indexed):
    """Check the exit status of the indexer and the number of lines it did not use."""
    expect = case["expect"]
    may_be_empty = not (expect.get("transactions") or expect.get("rejects"))
    if indexed.status not in ((0, NO_MAIL_LINES) if may_be_empty else (0,)):
        yield Fault(case["id"], "status", 0, (indexed.status, indexed.summary))
    unused = sum(indexed.counts[2:])
    if "ignored_lines" in expect and _says_all(case) and unused != expect["ignored_lines"]:
        yield Fault(case["id"], "ignored_lines", expect["ignored_lines"], unused)


def _says_all(case):
    """Return whether unused lines can be counted: sendmail's lines of aborted sessions count as used."""
    return case["mta"] != "sendmail" or case["expect"].get("transactions")
