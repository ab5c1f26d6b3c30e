"""What the tests here share: their helpers, and a store of each kind by its name."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]


@pytest.fixture(params=["sqlite", "elasticsearch"])
def store_name(request, tmp_path):
    """A store of this test's own, as `run_indexer.py` takes it."""
    if request.param == "sqlite":
        return f"{tmp_path}/s.db"
    url = request.getfixturevalue("elasticsearch_url")
    return f"{url} {request.getfixturevalue('elasticsearch_prefix')}"
