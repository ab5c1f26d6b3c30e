"""The name of a store of each kind, as a fixture."""

import pytest


@pytest.fixture(params=["sqlite", "elasticsearch"])
def store_name(request, tmp_path):
    """Return the name of a new store, as an argument of `tests/helpers/reliability/run_indexer.py`."""
    if request.param == "sqlite":
        return f"{tmp_path}/s.db"
    url = request.getfixturevalue("elasticsearch_url")
    return f"{url} {request.getfixturevalue('elasticsearch_prefix')}"
