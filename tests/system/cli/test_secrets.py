"""Secrets in files: only their owner may have access, and each file has one line."""

import shlex

import pytest

from mailtrace.cli.credentials import access_of
from mailtrace.errors import UsageError

SECRETS = {"MAILTRACE_PASSWORD_FILE": "password", "MAILTRACE_API_KEY_FILE": "api_key"}
OTHERS = [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o444, 0o777]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("variable", SECRETS)
@pytest.mark.parametrize("mode", OTHERS, ids=oct)
def test_a_secret_file_that_others_may_access_is_refused(file, variable, mode):
    file.chmod(mode)
    with pytest.raises(UsageError) as raised:
        access_of({variable: str(file)})
    assert f"{file} contains a secret, but other users may access it: run chmod 600 {file}" == str(raised.value)


def test_the_command_that_protects_a_secret_file_can_be_pasted_into_a_shell(file):
    file = file.rename(file.with_name("bob's secret"))
    file.chmod(0o644)
    with pytest.raises(UsageError) as raised:
        access_of({"MAILTRACE_PASSWORD_FILE": str(file)})
    assert ["chmod", "600", str(file)] == shlex.split(str(raised.value).partition(": run ")[2])


@pytest.mark.parametrize(("variable", "member"), SECRETS.items())
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700], ids=oct)
def test_a_private_secret_file_is_read(file, variable, member, mode):
    file.chmod(mode)
    access = access_of({variable: str(file)})
    assert "hunter2" == getattr(access, member)
    assert "hunter2" not in repr(access)


def test_the_target_of_a_link_must_be_private(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file)
    assert "hunter2" == access_of({"MAILTRACE_PASSWORD_FILE": str(link)}).password
    file.chmod(0o644)
    with pytest.raises(UsageError, match="other users may access it"):
        access_of({"MAILTRACE_PASSWORD_FILE": str(link)})


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\n", b"a\x1bb\n"])
def test_a_secret_must_be_one_line(file, content):
    file.write_bytes(content)
    with pytest.raises(UsageError, match="must contain one line"):
        access_of({"MAILTRACE_API_KEY_FILE": str(file)})


@pytest.mark.parametrize("command", ["mailtrace-index", "mailtrace-search"])
@pytest.mark.parametrize("said_by", ["environment", "file"])
def test_both_commands_refuse_it_before_they_connect(commands, file, command, said_by):
    file.chmod(0o640)
    environment = {"MAILTRACE_STORE": "http://127.0.0.1:9", "MAILTRACE_USER": "bob"}
    if said_by == "environment":
        environment["MAILTRACE_PASSWORD_FILE"] = str(file)
    else:
        (commands.folder / "mailtrace.toml").write_text(f'password_file = "{file}"\n')
    done = commands.run(command, *(["-"] if command == "mailtrace-index" else []), **environment)
    assert (2, "") == (done.returncode, done.stdout)
    assert f"{command}: {file} contains a secret, but other users may access it: run chmod 600 {file}\n" == done.stderr


@pytest.mark.parametrize("setting", ["password", "api_key"])
@pytest.mark.parametrize("mode", [0o644, 0o604], ids=oct)
def test_a_secret_in_settings_that_everyone_may_read_is_refused(commands, setting, mode):
    file = commands.folder / "mailtrace.toml"
    file.write_text(f'{setting} = "hunter2"\n')
    file.chmod(mode)
    done = commands.search("--show-config")
    assert (2, "") == (done.returncode, done.stdout)
    assert f"{setting} is a secret, but everyone may read this file: run chmod o= {file}" in done.stderr
    assert "hunter2" not in done.stderr
    file.chmod(0o640)
    done = commands.search("--show-config")
    assert f'{setting} = "***" # {file}\n' in done.stdout
    assert "hunter2" not in done.stdout


def test_an_unreadable_secret_file_is_an_error(commands, file):
    file.chmod(0)
    commands.environment |= {"MAILTRACE_STORE": "http://127.0.0.1:9", "MAILTRACE_PASSWORD_FILE": str(file)}
    done = commands.without_privileges("mailtrace-search")
    assert 2 == done.returncode
    assert f"mailtrace-search: {file} cannot be read: Permission denied\n" == done.stderr
