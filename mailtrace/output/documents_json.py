"""Documents as JSON lines."""

from datetime import tzinfo

import orjson

from mailtrace.message.document import Document
from mailtrace.output.times import iso_time


def document_json(document: Document, zone: tzinfo) -> bytes:
    """Return a document as one line of JSON, with its times in the zone and their UTC offset."""
    shown = {**document, "date": iso_time(document["date"], zone)}
    shown["to"] = [
        {**result, "date": iso_time(result["date"], zone), "last_date": iso_time(result["last_date"], zone)}
        for result in document["to"]
    ]
    if "lines" in document:
        shown["lines"] = [{**line, "date": iso_time(line["date"], zone)} for line in document["lines"]]
    return orjson.dumps(shown) + b"\n"
