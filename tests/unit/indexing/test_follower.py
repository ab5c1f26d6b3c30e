"""Following of logs: stopping at any moment."""

import sys

import pytest

from mailtrace.errors import StoreUnavailableError
from mailtrace.indexing.follower import Follower
from mailtrace.indexing.indexer import Indexer
from mailtrace.logs.rotation import Calendar
from mailtrace.stores import open_store
from mailtrace.syslog.timezones import zone_of


@pytest.mark.timeout(60, method="signal")
def test_a_signal_between_any_two_steps_of_a_pause_stops_it(tmp_path):
    """Its handler runs in the thread that waits, whatever lock that holds just then."""
    step, is_reached, stopped = 0, True, []
    while is_reached:
        step += 1
        follower, seen = Follower([], lambda _: None), 0
        indexer = Indexer(open_store(f"sqlite:{tmp_path}/s.db"), Calendar(zone_of("UTC"), "UTC"))

        def handle(*_: object, step=step, follower=follower, indexer=indexer) -> None:
            nonlocal seen
            seen += 1
            if seen == step:
                follower.stop(indexer)

        sys.setprofile(handle)
        try:
            goes_on = follower.wait_to_retry(StoreUnavailableError("away"), 0)
        finally:
            sys.setprofile(None)
        is_reached = seen >= step
        stopped.append(not goes_on)
    assert stopped[:3] == [True] * 3
