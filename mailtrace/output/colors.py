"""Colours of a terminal (ECMA-48, SGR)."""

from typing import Final

_OF_OUTCOMES: Final = {
    **dict.fromkeys(("sent",), "32"),
    **dict.fromkeys(("deferred", "queued", "held"), "33"),
    **dict.fromkeys(("bounced", "expired", "rejected"), "31"),
    **dict.fromkeys(("discarded", "deleted", "unknown"), "35"),
    "probe": "36",
}
BOLD: Final = "1"
WARNING: Final = "33"


def colored(text: str, codes: str) -> str:
    """Return a text with these codes, which must be safe on a terminal."""
    return f"\x1b[{codes}m{text}\x1b[0m"


def colored_outcome(outcome: str, text: str, *, last: bool = True) -> str:
    """Return a text in the colour of an outcome; results that are not final are faint."""
    return colored(text, f"{'1' if last else '2'};{_OF_OUTCOMES.get(outcome, '35')}")
