"""The log of one server in several frames: traditional, RFC 5424 from rsyslog, and two formats of the journal."""

import pytest

from helpers.accuracy.corpus import CORPORA, YEAR
from helpers.accuracy.spelling import seconds
from helpers.commands import documents, index

CORPUS = CORPORA / "postfix-3.12"
ZONE = "Australia/Adelaide"
DATES = ("date", "last_date")


def _documents(log, tmp_path):
    store = f"sqlite:{tmp_path}/{log.name}.db"
    indexed = index(store, [log], "--tz", ZONE, "-y", YEAR)
    assert indexed.status == 0, indexed.summary
    return sorted(documents(store), key=lambda document: repr(_without_dates(document)))


def _without_dates(document):
    """Return a document without times and the order that depends on them: traditional stamps have whole seconds."""
    kept = {name: value for name, value in document.items() if name not in DATES}
    return kept | ({"to": sorted(map(_without_dates, document["to"]), key=repr)} if "to" in document else {})


@pytest.mark.parametrize("frame", ["rfc5424", "journal-json", "journal-short"])
def test_a_log_comes_to_the_same_documents_in_every_frame(frame, tmp_path):
    expected = _documents(CORPUS / "mx1.mail.log.gz", tmp_path)
    found = _documents(CORPUS / "frames" / f"{frame}.log.gz", tmp_path)
    assert len(expected) > 200
    assert list(map(_without_dates, found)) == list(map(_without_dates, expected))
    # Each writer of a log takes the time for itself, some milliseconds apart.
    differences = [seconds(ours["date"]) - seconds(its["date"]) for ours, its in zip(found, expected, strict=True)]
    assert all(-1.1 < difference < 1.1 for difference in differences)
