"""A server that accepts connections and never answers: both commands say so after two seconds, and end soon after."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

LINE = b"2026-03-01T08:00:00Z mx postfix/smtp[5]: 40BC39868: removed\n"


@contextmanager
def hung_server() -> Iterator[str]:
    """Yield the URL of a server that never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def started(commands, name, *arguments) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [commands.bin / name, *arguments],
        cwd=commands.folder,
        env=commands.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(120)
def test_a_server_that_never_answers(commands):
    """What a person waits for, and what comes first in a run, has a short time-out. Then another node is asked."""
    (commands.folder / "mail.log").write_bytes(LINE)
    with hung_server() as hung, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{unused.getsockname()[1]}"
        late = "did not answer within 35 seconds"
        ends = {
            ("mailtrace-index", "--store", hung, "mail.log"): late,
            ("mailtrace-index", "--store", hung, "--check"): late,
            ("mailtrace-search", "--store", hung, "-f", "bob@example.com"): late,
            ("mailtrace-search", "--store", hung, "--overview"): late,
            ("mailtrace-search", "--store", f"{hung},{away}"): (
                "does not answer (connection refused): is Elasticsearch running there?"
            ),
        }
        began = time.monotonic()
        runs = {command: started(commands, *command) for command in ends}
        for (name, _, url, *_), run in runs.items():
            slow = "has not answered for 2 seconds: waiting up to 35 seconds"
            assert run.stderr.readline() == f"{name}: {url} {slow}\n"
            assert 2 <= time.monotonic() - began < 12, run.args
        for command, run in runs.items():
            name, _, url, *_ = command
            assert run.communicate() == ("", f"{name}: {url} {ends[command]}\n")
            assert run.returncode == 2
        assert time.monotonic() - began < 70
