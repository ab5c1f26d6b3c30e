"""The server that all processes of a test run share: it starts beside the first tests, and is stopped at the end."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from helpers.elasticsearch_server import (
    SERVERS,
    SHORT_LIVED,
    NoServerError,
    data_folder,
    free_port,
    run_script,
    start_options,
)

_VARIABLE = "MAILTRACE_TEST_SERVER_FOLDER"
"""Tells the processes of a test run where its server keeps its data, and they their locks."""
_START = 'bash "$@" >"$0/output" 2>&1; echo $? >"$0/ended"; mv "$0/ended" "$0/status"'
_LONGEST_START = 590
"""In seconds; the first start downloads the server."""


class SharedServer:
    """The server of a test run."""

    def __init__(self) -> None:
        self._folder = Path(os.environ[_VARIABLE])

    @classmethod
    def prepared(cls) -> "SharedServer":
        """Return the server of a new test run; nothing is started yet."""
        os.environ[_VARIABLE] = str(data_folder())
        return cls()

    def begin(self) -> None:
        """Start the server, unless a process has done so; do not wait until it answers."""
        try:
            port = (self._folder / "port").open("x")
        except FileExistsError:
            return
        with port:
            port.write(str(free_port()))
        try:
            options = [
                "--port",
                self._port(),
                "--data",
                str(self._folder / "data"),
                *start_options("--ilm", *SHORT_LIVED),
            ]
        except NoServerError as error:
            (self._folder / "output").write_text(str(error))
            (self._folder / "status").write_text("1")
            return
        command = ["bash", "-c", f"({_START}) &", str(self._folder), str(SERVERS / "start.sh"), *options]
        nothing = subprocess.DEVNULL
        subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, check=True)

    def _port(self) -> str:
        return (self._folder / "port").read_text()

    def url(self) -> str:
        """Return the URL of the server, started now if need be, as soon as it answers.

        Raises:
            NoServerError: it does not start.
        """
        self.begin()
        if self._status() != "0":
            raise NoServerError((self._folder / "output").read_text().strip())
        return f"http://127.0.0.1:{self._port()}"

    def _status(self) -> str:
        """Wait until start.sh has ended; return its exit status, or nothing if it takes too long."""
        for _ in range(_LONGEST_START * 10):
            with suppress(FileNotFoundError):
                return (self._folder / "status").read_text().strip()
            time.sleep(0.1)
        return ""

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Use the server: alone, or beside other processes. Who waits to be alone has precedence."""
        with (self._folder / "queue").open("a") as queue, (self._folder / "users").open("a") as users:
            fcntl.flock(queue, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(queue, fcntl.LOCK_UN)
            yield

    def end(self) -> None:
        """Stop the server, if it was started, and delete its data."""
        if (self._folder / "port").exists():
            self._status()
            run_script("stop.sh", "--port", self._port())
        shutil.rmtree(self._folder)
