"""Tell the admin when a server is away, busy or slow, and when it answers again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import Final

from mailtrace.errors import StoreUnavailableError
from mailtrace.stores.elasticsearch.errors import BusyError, RetryableError

UNREPORTED_TRIES: Final = 3
"""Retries of one request before the outage is reported: about two seconds."""
_QUIET_SECONDS: Final = 600
"""A server that is busy or slow again and again is reported once in this time."""
_SLOW_SECONDS: Final = 2
"""A request that has no answer after this time is reported."""


class Outage:
    """Tracks whether the server fails, and whether the admin has been notified. Threads may share it.

    An outage that lasts is reported once when it begins and once when it ends.
    """

    def __init__(self, name: str, notify: Callable[[str], None]) -> None:
        self._name, self._notify = name, notify
        self._lock = Lock()
        self._is_known = False
        self._is_reported = False
        self._quiet_until = 0.0

    def failed(self, error: RetryableError, tries: int) -> None:
        """Record that a request failed after `tries` earlier attempts; report the outage once it lasts."""
        if tries < UNREPORTED_TRIES:
            return
        with self._lock:
            if self._is_known or (isinstance(error, BusyError) and time.monotonic() < self._quiet_until):
                return
            self._report(f"{error.problem}: retrying for at least a minute; nothing is lost")

    @contextmanager
    def reported_if_slow(self, seconds: float) -> Iterator[None]:
        """Report a request that is not answered soon; `seconds` is how long it waits."""
        timer = Timer(_SLOW_SECONDS, self._slow, (seconds,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _slow(self, seconds: float) -> None:
        with self._lock:
            if not self._is_known and time.monotonic() >= self._quiet_until:
                limit = f"waiting up to {seconds:.0f} seconds"
                self._report(f"{self._name} has not answered for {_SLOW_SECONDS} seconds: {limit}")

    def _report(self, problem: str) -> None:
        self._is_known = self._is_reported = True
        self._quiet_until = time.monotonic() + _QUIET_SECONDS
        self._notify(problem)

    @contextmanager
    def reported_with_error(self) -> Iterator[None]:
        """Mark the outage as known if a `StoreUnavailableError` leaves the block, since that error reports it."""
        try:
            yield
        except StoreUnavailableError as error:
            with self._lock:
                error.is_reported = self._is_reported
                self._is_known = True
            raise

    def recovered(self) -> None:
        """Record that everything is written; report the end of an outage whose beginning was reported."""
        with self._lock:
            if self._is_reported:
                self._notify(f"{self._name} answers again; everything read so far is stored")
            self._is_known = self._is_reported = False
