"""What groups and overviews are counted by on the server, and what the keys of its buckets mean."""

from typing import Any, Final

from mailtrace.search.groups import microseconds_of

QUARTER: Final = 900_000_000
"""Microseconds: in nearly every time zone, a quarter of an hour lies in one hour and one day."""
BY_QUARTER: Final = {"histogram": {"field": "search.date", "interval": QUARTER}}

DELAYS: Final = {"delay": "to.search.delay", "seconds": "to.delay"}
"""The fields with a recipient result's delay: in microseconds in indices of an earlier mailtrace, else in seconds."""


def by_values(fields: dict[str, str]) -> list[dict[str, Any]]:
    """Return sources that count by the values of fields, given by the names that these have in the keys of buckets."""
    return [{name: {"terms": {"field": field, "missing_bucket": True}}} for name, field in fields.items()]


def delay_of_bucket(key: dict[str, Any]) -> int | None:
    """Return the delay in microseconds of a bucket that was made by both fields of `DELAYS`."""
    if key["delay"] is None and key["seconds"] is not None:
        return microseconds_of(key["seconds"])
    found: int | None = key["delay"]
    return found
