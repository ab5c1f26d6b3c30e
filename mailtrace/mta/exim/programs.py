"""Which programs are Exim."""

import re
from functools import lru_cache

_is_program = re.compile(r"exim4?(?:[-_.][\w.-]{1,64})?").fullmatch


@lru_cache(maxsize=4096)
def is_exim(program: str) -> bool:
    """Return whether a program is Exim: `exim`, `exim4`, or one of several with a name of its own (`exim-out`)."""
    return _is_program(program) is not None
