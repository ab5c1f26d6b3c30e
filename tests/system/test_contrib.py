"""The files of contrib/ are valid for the programs that read them, and their commands are correct."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from helpers.requirements import lacking
from mailtrace.cli import index

ROOT = Path(__file__).parents[2]
CONTRIB = ROOT / "contrib"
BIN = Path(sys.executable).parent
SERVICES = ["mailtrace.service", "mailtrace-index.service"]


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", **environment}
    if shutil.which(str(command[0]), path=environment["PATH"]) is None:
        lacking(f"{command[0]} is not on this machine")
    return subprocess.run(
        [str(word) for word in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture
def units(tmp_path):
    """Return a folder with the units, changed to use the commands of this environment, and a manual page."""
    for path in (CONTRIB / "systemd").iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace("/usr/local/bin", str(BIN)))
    (tmp_path / "man" / "man1").mkdir(parents=True)
    shutil.copy(ROOT / "man" / "mailtrace-index.1", tmp_path / "man" / "man1")
    return tmp_path


@pytest.mark.parametrize("unit", [*SERVICES, "mailtrace-index.timer"])
def test_systemd_finds_nothing_wrong_with_the_units(units, unit):
    done = run("systemd-analyze", "verify", units / unit, MANPATH=str(units / "man"))
    assert (0, "") == (done.returncode, done.stdout)


@pytest.mark.parametrize("unit", SERVICES)
def test_the_units_expose_little(units, unit):
    """The exposure level is at most 2.0 of 10."""
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=20", units / unit)
    assert 0 == done.returncode, done.stdout[-200:]


def test_systemd_understands_the_user():
    done = run("systemd-sysusers", "--dry-run", CONTRIB / "systemd" / "mailtrace.sysusers")
    assert 0 == done.returncode, done.stdout
    assert "mailtrace" in done.stdout
    settings = (CONTRIB / "systemd" / "mailtrace.sysusers").read_text()
    assert "\nm mailtrace adm\n" in settings, "cron has no Group=: the user itself must be a member"


@pytest.mark.parametrize("name", ["mailtrace.conf", "collector.conf"])
def test_rsyslog_understands_its_settings(name):
    done = run("rsyslogd", "-N1", "-f", CONTRIB / "rsyslog" / name)
    assert 0 == done.returncode, done.stdout


class Rsyslog:
    """A real rsyslogd with settings of its own, in a folder."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.folder = folder
        (folder / "rsyslog.conf").write_text(settings)
        self.pid = folder / "rsyslogd.pid"
        self.process = subprocess.Popen(
            [_program("rsyslogd"), "-n", "-f", folder / "rsyslog.conf", "-i", self.pid], stderr=subprocess.PIPE
        )

    def __enter__(self) -> "Rsyslog":
        until(self.pid.exists)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)


def _program(name: str) -> str:
    if os.geteuid():
        lacking("only root can give files to another group")
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        lacking(f"{name} is not on this machine")
    return str(found)


def until(is_done: Callable[[], object]) -> None:
    limit = time.monotonic() + 20
    while not is_done():
        assert time.monotonic() < limit
        time.sleep(0.05)


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


OLD_RULES = """\
*.*;auth,authpriv.none\t\t-/var/log/syslog
mail.*\t\t\t\t-/var/log/mail.log
mail.err   /var/log/mail.err
mail.*  @@loghost.example.net
#mail.warn\t-/var/log/mail.warn
user.*\t\t\t\t-/var/log/user.log
"""


@pytest.mark.parametrize("name", ["rsyslog/mailtrace.conf", "../docs/deployment.md"])
def test_the_rules_for_the_mail_log_are_commented_out_and_no_others(tmp_path, name):
    script = re.search(r"sed -i\.bak ('.*') /etc", (CONTRIB / name).read_text())[1]
    (tmp_path / "rsyslog.conf").write_text(OLD_RULES)
    shutil.copy(CONTRIB / "rsyslog" / "mailtrace.conf", tmp_path)
    before = (tmp_path / "mailtrace.conf").read_text()
    for _ in range(2):
        subprocess.run(["bash", "-c", f"sed -i.bak {script} *.conf"], cwd=tmp_path, check=True)
    expected = OLD_RULES.replace("mail.*\t", "#mail.*\t").replace("mail.err", "#mail.err", 1)
    assert expected == (tmp_path / "rsyslog.conf").read_text()
    assert before == (tmp_path / "mailtrace.conf").read_text()


def test_the_rule_takes_nothing_away_from_other_rules(tmp_path):
    """The mail log, /var/log/syslog and a host to forward to all get the line; the mail log has its year and zone."""
    rule = (CONTRIB / "rsyslog" / "mailtrace.conf").read_text().replace("/var/log/", f"{tmp_path}/")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(20)
        settings = (
            f'module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="{tmp_path}/log")\n{rule}\n'
            f"*.*;auth,authpriv.none -{tmp_path}/syslog\nmail.* @127.0.0.1:{other.getsockname()[1]}\n"
        )
        with Rsyslog(tmp_path, settings):
            until((tmp_path / "log").exists)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as program:
                program.connect(str(tmp_path / "log"))
                program.send(b"<22>Dec 15 15:27:19 postfix/qmgr[1]: 4A00000001: removed")
                program.send(b"<14>Dec 15 15:27:19 other[1]: not mail")
            until(lambda: len(lines_of(tmp_path / "syslog")) == 2 and lines_of(tmp_path / "mail.log"))
            assert b"4A00000001: removed" in other.recv(1000)
    (line,) = lines_of(tmp_path / "mail.log")
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d .*postfix/qmgr\[1\]: 4A00000001: removed", line)
    assert 0o640 == (tmp_path / "mail.log").stat().st_mode & 0o777


def test_logs_of_a_collector_are_rotated_and_all_lines_are_found(tmp_path):
    port = free_port(socket.SOCK_STREAM)
    moved = {'port="514"': f'port="{port}"', "/var/log/mail/": f"{tmp_path}/mail/"}
    settings = (CONTRIB / "rsyslog" / "collector.conf").read_text()
    rotation = (CONTRIB / "logrotate" / "mailtrace-collector").read_text().replace("/run/", f"{tmp_path}/")
    for old, new in moved.items():
        settings, rotation = settings.replace(old, new), rotation.replace(old, new)
    (tmp_path / "rotation").write_text(rotation)
    (tmp_path / "rotation").chmod(0o644)
    log, store = tmp_path / "mail" / "mx1.log", f"sqlite:{tmp_path}/store/mailtrace.db"
    with Rsyslog(tmp_path, settings) as rsyslog:
        for number in range(3):
            _send(port, number)
            until(lambda: lines_of(log))
            done = run(_program("logrotate"), "--force", "--state", tmp_path / "state", tmp_path / "rotation")
            assert (0, "") == (done.returncode, done.stdout)
            assert rsyslog.process.poll() is None
        _send(port, 3)
        until(lambda: lines_of(log))
    assert {"mx1.log", "mx1.log.1", "mx1.log.2.gz", "mx1.log.3.gz"} == {path.name for path in log.parent.iterdir()}
    found = log.stat()
    assert (0o640, "adm") == (found.st_mode & 0o777, log.group())
    logs = sorted(log.parent.iterdir())
    assert 0 == run(BIN / "mailtrace-index", "-q", "--store", store, *logs).returncode
    assert "4\n" == run(BIN / "mailtrace-search", "--store", store, "--count").stdout


def _send(port: int, number: int) -> None:
    """Send a line as another host does."""

    def connected() -> bool:
        with suppress(ConnectionRefusedError):
            connections.append(socket.create_connection(("127.0.0.1", port)))
        return bool(connections)

    connections: list[socket.socket] = []
    until(connected)
    with connections[0] as connection:
        line = f"postfix/qmgr[1]: 4A0000000{number}: from=<a@foo.test>, size=1, nrcpt=1 (queue active)"
        connection.sendall(f"<22>2026-11-20T10:00:0{number}+00:00 mx1 {line}\n".encode())


def test_syslog_ng_understands_its_settings(tmp_path):
    version = re.search(r"^syslog-ng \d+ \((\d+\.\d+)|^syslog-ng (\d+\.\d+)", run("syslog-ng", "--version").stdout)
    settings = tmp_path / "syslog-ng.conf"
    settings.write_text(
        f"@version: {version[1] or version[2]}\n"
        f'source s_src {{ unix-dgram("{tmp_path}/log"); }};\n'
        f'@include "{CONTRIB}/syslog-ng/mailtrace.conf"\n'
    )
    done = run("syslog-ng", "--syntax-only", "-f", settings)
    assert 0 == done.returncode, done.stdout


def test_both_services_are_the_same_but_for_how_they_run():
    rest = []
    for name in SERVICES:
        text = (CONTRIB / "systemd" / name).read_text()
        rest.append(text[text.index("# Reads the log as a member") :].partition("\n[Install]")[0].strip())
    assert rest[0] == rest[1]


def commands() -> list[str]:
    """Return the command lines in the units and in the cron line."""
    found = [(CONTRIB / "cron" / "mailtrace").read_text()]
    for name in SERVICES:
        text = (CONTRIB / "systemd" / name).read_text()
        logs = re.search(r"^Environment=MAILTRACE_LOGS=(.*)", text, re.MULTILINE)
        found.append(text.replace("$MAILTRACE_LOGS", logs[1]))
    return [line for text in found for line in re.findall(r"/usr/local/bin/mailtrace-index.*", text)]


def test_their_commands_are_commands():
    assert 3 == len(commands())
    for command in commands():
        arguments = index._parser().parse_args(shlex.split(command)[1:])
        assert ["/var/log/mail.log"] == arguments.files
        assert arguments.quiet
