"""What a test needs of the machine, and cannot be had."""

import os

import pytest


def lacking(reason: str) -> None:
    """Skip on a developer's machine; where everything is to be tested, that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
