"""A difference between a document and the truth: where, in which field, expected and actual value."""

from typing import Any, NamedTuple


class Fault(NamedTuple):
    where: str
    field: str
    want: Any
    got: Any

    def __str__(self):
        return f"{self.where}: {self.field}: want {self.want!r}, got {self.got!r}"
