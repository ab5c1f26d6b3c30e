"""Skip tests whose requirements the machine does not meet."""

import os

import pytest


def lacking(reason: str) -> None:
    """Skip the test; in an environment where everything must be tested, fail instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def need_root() -> None:
    """Skip a test that only root can run, since it makes files of other users or becomes one."""
    if os.geteuid():
        lacking("only root can become another user")
