"""One thing that is wrong: where, in which field, what was wanted and what was got."""

from typing import Any, NamedTuple


class Fault(NamedTuple):
    where: str
    field: str
    want: Any
    got: Any

    def __str__(self):
        return f"{self.where}: {self.field}: want {self.want!r}, got {self.got!r}"
