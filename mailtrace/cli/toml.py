"""TOML, from the standard library where that reads it."""

import sys

if sys.version_info >= (3, 11):
    from tomllib import TOMLDecodeError, load
else:
    from tomli import TOMLDecodeError, load

__all__ = ["TOMLDecodeError", "load"]
