"""Which recipient results of a document are shown."""

from collections.abc import Callable
from typing import Final, TypeAlias

from mailtrace.message.document import Document
from mailtrace.message.recipients import RecipientResult

Select: TypeAlias = Callable[[Document], list[RecipientResult]]
"""Returns the results to show, out of those of the document."""
ALL_RECIPIENTS: Final = "--all-recipients"
"""The flag that shows all results."""


def every_result(document: Document) -> list[RecipientResult]:
    """Return all results of a document."""
    found: list[RecipientResult] = document["to"]
    return found


def others(number: int) -> str:
    """Return how many results are left out, and the flag that shows them."""
    return f"{number} other recipient result{'' if number == 1 else 's'}: {ALL_RECIPIENTS} shows them"
