"""A time in which an Elasticsearch server does not do its work: told once when it lasts, and once at its end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from mailtrace.errors import StoreUnavailableError
from mailtrace.stores.elasticsearch.errors import BusyError, LostError

_SHORT: Final = 3
"""New tries of one request without a word: about two seconds."""
_SELDOM: Final = 600
"""Seconds in which a server that is busy again and again is told of once."""


class Outage:
    """Knows whether the server is away, and whether the admin knows; many threads may meet it at once."""

    def __init__(self, name: str, tell: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._name, self._tell, self._now = name, tell, now
        self._lock = Lock()
        self._is_known = False
        self._is_told = False
        self._quiet_until = 0.0

    def failed(self, error: BusyError | LostError, tries: int) -> None:
        """Take note that a request was in vain, and was so `tries` times before: tell it once, if it lasts."""
        if tries < _SHORT:
            return
        with self._lock:
            if self._is_known or (isinstance(error, BusyError) and self._now() < self._quiet_until):
                return
            self._is_known = self._is_told = True
            self._quiet_until = self._now() + _SELDOM
            self._tell(f"{error.what}: trying again for a minute at least; nothing is lost")

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """What is raised here, of a server that does not do its work, is the admin's to know: nothing more is told."""
        try:
            yield
        except StoreUnavailableError as error:
            with self._lock:
                error.is_reported = self._is_told
                self._is_known = True
            raise

    def recovered(self) -> None:
        """Take note that all is written: tell it where the outage was told."""
        with self._lock:
            if self._is_told:
                self._tell(f"{self._name} answers again, and has all that was read")
            self._is_known = self._is_told = False
