"""Replies of real servers: those that differ only in what varies have one reason."""

from pathlib import Path

import pytest

from helpers.documents import document, entry
from mailtrace.search.reasons import reason_in

SAMPLES = Path(__file__).parents[2] / "samples" / "reasons" / "replies.log"


def samples():
    reason = ""
    for line in SAMPLES.read_text().splitlines():
        if line.startswith("# "):
            reason = line.removeprefix("# ")
        elif line and not line.startswith("##"):
            yield pytest.param(line, reason, id=line[:60])


@pytest.mark.parametrize(("status", "reason"), [*samples()])
def test_replies_have_the_reason_above_them(status, reason):
    relay = status.partition("host ")[2].partition("[")[0] if " said: " in status else None
    result = entry("alice@bar.com", relay_host=relay, status=status)
    assert reason == reason_in(document(result, client="mail.example.org [1.34.36.134]"), result)
