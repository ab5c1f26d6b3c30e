"""What the tests here share: their helpers, and a store of each kind by its name."""

import pytest


@pytest.fixture(params=["sqlite", "elasticsearch"])
def store_name(request, tmp_path):
    """A store of this test's own, as `tests/helpers/reliability/run_indexer.py` takes it."""
    if request.param == "sqlite":
        return f"{tmp_path}/s.db"
    url = request.getfixturevalue("elasticsearch_url")
    return f"{url} {request.getfixturevalue('elasticsearch_prefix')}"
