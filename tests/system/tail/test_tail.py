"""End to end: mail through a real Postfix, its log through a real rsyslog, and found with its outcome."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.requirements import lacking

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--mount-proc"]
MESSAGES = 30


@pytest.fixture
def _namespaces():
    """Skip unless this machine can run the test: it needs programs and the permission to make namespaces."""
    for program in ("unshare", "ip", "postfix", "postconf", "rsyslogd"):
        if shutil.which(program, path=PATH) is None:
            lacking(f"{program} is not on this machine")
    if os.geteuid():
        lacking("only root can make a namespace with a Postfix of its own")
    if subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode:
        lacking("this machine allows no namespaces")


@pytest.mark.usefixtures("_namespaces")
def test_every_message_is_found_with_its_outcome_within_seconds(tmp_path):
    command = [*NAMESPACES, sys.executable, Path(__file__).parent / "inside.py", tmp_path, str(MESSAGES)]
    done = subprocess.run(
        command, env={**os.environ, "PATH": PATH}, capture_output=True, text=True, timeout=180, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert MESSAGES == len(told["expected"])
    assert {"sent", "bounced", "deferred", "discarded", "rejected"} == set(told["expected"].values())
    assert told["expected"] == {sender: outcome for sender, to in told["found"].items() for outcome in to.values()}
    assert told["explained"].endswith(" 0 unrecognised")
    assert told["seconds"] < 30
