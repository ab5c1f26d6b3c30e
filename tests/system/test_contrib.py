"""The files of contrib/ are valid for the programs that read them, and their commands are correct."""

import os
import re
import shlex
import shutil
import subprocess
import sys
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
