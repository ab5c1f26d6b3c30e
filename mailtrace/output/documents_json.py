"""Documents as JSON lines."""

from datetime import tzinfo

import orjson

from mailtrace.message.document import Document
from mailtrace.output.escape import safe_json
from mailtrace.output.selection import Select
from mailtrace.output.times import iso_time


def document_json(document: Document, zone: tzinfo, select: Select | None = None) -> bytes:
    """Return a document as one line of JSON, with its times in the zone and their UTC offset.

    With `select`, each recipient result has a member `matched`: whether it is one of the selected ones.
    """
    shown = {**document, "date": iso_time(document["date"], zone)}
    shown["to"] = [
        {**result, "date": iso_time(result["date"], zone), "last_date": iso_time(result["last_date"], zone)}
        for result in document["to"]
    ]
    if select is not None:
        selected = set(map(id, select(document)))
        for result, mark in zip(document["to"], shown["to"], strict=True):
            mark["matched"] = id(result) in selected
    return safe_json(orjson.dumps(shown)) + b"\n"
