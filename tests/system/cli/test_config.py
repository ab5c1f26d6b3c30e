"""Settings: flags precede the environment, the files and the defaults; each error names its source."""

import io
import sys
from pathlib import Path

import pytest

from mailtrace.cli import config
from mailtrace.cli.config import Value, configured, load_toml
from mailtrace.cli.settings import SETTINGS


def shown(done) -> dict[str, str]:
    """Where each value was set, by its line."""
    assert 0 == done.returncode, done.stderr
    return dict(line.rsplit(" # ", 1) for line in done.stdout.splitlines() if not line.startswith("#"))


def complaint(done) -> str:
    assert 2 == done.returncode
    assert (1, "") == (done.stderr.count("\n"), done.stdout), done.stderr
    return done.stderr


def test_flags_precede_the_environment_the_file_and_the_defaults(commands):
    file = commands.folder / "mailtrace.toml"
    file.write_text('store = "sqlite:/of/the/file"\ntz = "Europe/Madrid"\nretention = 30\n')
    assert shown(commands.index("--show-config", "--tz", "UTC")) == {
        f'store = "{commands.store}"': "MAILTRACE_STORE",
        'tz = "UTC"': "--tz",
        'host = ""': "default",
        "retention = 30": str(file),
        "wait = false": "default",
    }
    found = shown(commands.index("--show-config", MAILTRACE_STORE="", MAILTRACE_RETENTION="7"))
    assert str(file) == found['store = "sqlite:/of/the/file"']
    assert "MAILTRACE_RETENTION" == found["retention = 7"]


def test_what_is_shown_is_a_configuration(commands):
    done = commands.index("--show-config", "--store", 'sqlite:/a "b"\\c\'\u00e9#', "--wait")
    again = commands.folder / "again.toml"
    again.write_text(done.stdout)
    assert {"store": 'sqlite:/a "b"\\c\'\u00e9#', "tz": "", "host": "", "wait": True} == load_toml(
        io.BytesIO(done.stdout.encode())
    )
    assert shown(done).keys() == shown(commands.index("--show-config", "--config", again, MAILTRACE_STORE="")).keys()


def test_what_is_configured_is_used(commands):
    (commands.folder / "mailtrace.toml").write_text(f'store = "sqlite:{commands.folder}/own.db"\nformat = "json"\n')
    samples = Path(__file__).parents[3] / "sample_logs"
    assert 0 == commands.index("-q", "-y", 2011, samples / "sendmail.log", MAILTRACE_STORE="").returncode
    assert (commands.folder / "own.db").exists()
    assert commands.search("-r", 1, MAILTRACE_STORE="").stdout.startswith('{"transaction":')
    assert commands.search("-r", 1, MAILTRACE_STORE="", MAILTRACE_FORMAT="text").stdout.startswith("transaction:")
    assert commands.search("-r", 1, "--format", "text", MAILTRACE_STORE="").stdout.startswith("transaction:")


def test_a_flag_switches_off_what_a_file_switches_on(commands):
    (commands.folder / "mailtrace.toml").write_text("wait = true\n")
    assert str(commands.folder / "mailtrace.toml") == shown(commands.index("--show-config"))["wait = true"]
    assert "--wait" == shown(commands.index("--show-config", "--no-wait"))["wait = false"]
    assert "MAILTRACE_WAIT" == shown(commands.index("--show-config", MAILTRACE_WAIT="no"))["wait = false"]


@pytest.mark.parametrize(
    "text, words",
    [
        ("retentoin = 30", "retentoin: unknown setting; did you mean retention?"),
        ("STORE = 'elasticsearch'", "STORE: unknown setting; did you mean store?"),
        ("xyzzy = 1", "xyzzy: unknown setting; the settings are store, tz, "),
        ("[store]", 'store: wrong type of value: write text in quotes, such as store = "sqlite:/var/lib'),
        ("color = true", 'color: wrong type of value: write text in quotes, such as color = "auto"\n'),
        ('wait = "yes"', "wait: wrong type of value: write true or false, without quotes, such as wait = true\n"),
        ("retention = '30'", "retention: wrong type of value: write a whole number without quotes"),
        ("retention = true", "retention: wrong type of value: write a whole number without quotes"),
        ("retention = 0", "retention: '0' is not a number of days"),
        ("wait = 1", "wait: wrong type of value: write true or false"),
        ("tz = 'Mars/Base'", "tz: Mars/Base: no such time zone"),
        ("tz = ", "is not valid TOML: "),
        ("tz = '\xff'", "is not valid TOML: "),
        ("tz = 'a\x1bb'", "is not valid TOML: "),
        ('"\\u001b[31m" = 1', "\\x1b[31m: unknown setting"),
    ],
)
def test_errors_in_a_file_name_the_file_and_the_key(commands, text, words):
    file = commands.folder / "mailtrace.toml"
    file.write_bytes(text.encode("latin-1"))
    said = complaint(commands.index("--show-config"))
    assert said.startswith(f"mailtrace-index: {file}")
    assert words in said
    assert "\x1b" not in said


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_line_that_an_error_suggests_is_right(commands, setting):
    file = commands.folder / "mailtrace.toml"
    file.write_text(f"{setting.name} = [1]\n")
    said = complaint(commands.search("--show-config"))
    file.write_text(said.rpartition(", such as ")[2])
    file.chmod(0o600)
    assert 0 == commands.search("--show-config").returncode
    assert 0 == commands.index("--show-config").returncode


@pytest.mark.parametrize(
    "text, origin",
    [
        ("store = 'mysql:x'", "{file}: store: mysql:x: unknown kind of store"),
        ("client_key = 'x.pem'", "{file}: client_key: needs --client-cert as well"),
    ],
)
def test_an_error_names_the_source_of_a_setting(commands, text, origin):
    file = commands.folder / "mailtrace.toml"
    file.write_text(text + "\n")
    for said in (commands.search("-r", 1, MAILTRACE_STORE=""), commands.index("mail.log", MAILTRACE_STORE="")):
        assert origin.format(file=file) in complaint(said)
    file.unlink()
    assert "MAILTRACE_STORE: mysql:y: unknown kind" in complaint(commands.search("-r", 1, MAILTRACE_STORE="mysql:y"))
    assert "--store mysql:z: unknown kind" in complaint(commands.search("--store", "mysql:z"))


def test_an_invalid_choice_is_an_error_of_the_command_that_has_the_setting(commands):
    (commands.folder / "mailtrace.toml").write_text("format = 'xml'\n")
    assert "mailtrace.toml: format: invalid choice: 'xml'" in complaint(commands.search("-r", 1))
    assert 0 == commands.index("--show-config").returncode


@pytest.mark.parametrize(
    "variable, text, words",
    [
        (
            "MAILTRACE_RETENTION",
            "soon",
            "MAILTRACE_RETENTION: 'soon' is not a number of days: write a whole number, such as 90",
        ),
        ("MAILTRACE_WAIT", "perhaps", "MAILTRACE_WAIT: 'perhaps' is neither yes nor no: set it to yes or no"),
        ("MAILTRACE_TZ", "Mars/Base", "MAILTRACE_TZ: Mars/Base: no such time zone"),
    ],
)
def test_errors_in_the_environment_name_the_variable(commands, variable, text, words):
    assert words in complaint(commands.index("--show-config", **{variable: text}))


def test_a_chosen_file_is_the_only_one(commands):
    (commands.folder / "mailtrace.toml").write_text("retention = 30\n")
    (commands.folder / "other.toml").write_text("wait = true\n")
    done = commands.index("--show-config", "--config", "other.toml")
    assert {"wait = true": "other.toml"}.items() <= shown(done).items()
    assert "# other.toml: read\n" in done.stdout
    assert shown(commands.index("--show-config", MAILTRACE_CONFIG="other.toml")) == shown(done)
    assert "# retention is not set\n" in commands.index("--show-config", "--config", "/dev/null").stdout
    assert "missing.toml cannot be read (No such file or directory)" in complaint(
        commands.index("--config", "missing.toml")
    )


def test_an_unreadable_file_is_not_ignored(commands):
    file = commands.folder / "mailtrace.toml"
    file.write_text("retention = 30\n")
    file.chmod(0)
    done = commands.without_privileges("mailtrace-index", "--show-config")
    assert f"{file} cannot be read (Permission denied)" in complaint(done)


def test_a_closed_home_holds_no_settings(commands):
    """After runuser, HOME may still be root's."""
    home = commands.folder / "home"
    home.mkdir(mode=0)
    commands.environment["XDG_CONFIG_HOME"] = str(home)
    done = commands.without_privileges("mailtrace-index", "--show-config")
    assert f"# {home}/mailtrace.toml: does not exist\n" in done.stdout
    assert (0, "") == (done.returncode, done.stderr)
    home.chmod(0o700)


def test_an_unreadable_system_store_is_shown_as_such(commands):
    folder = commands.folder / "lib"
    folder.mkdir(mode=0)
    code = f"import mailtrace.stores as s; s.SYSTEM_FOLDER = {str(folder)!r}; import mailtrace.cli.index as c; c.main()"
    commands.environment["MAILTRACE_STORE"] = ""
    done = commands.without_privileges(sys.executable, "-c", code, "--show-config", "--tz", "UTC")
    assert f'store = "" # default; {folder}/mailtrace.db cannot be read by this user' in done.stdout
    assert 'tz = "UTC" # --tz\n' in done.stdout
    assert (0, "") == (done.returncode, done.stderr)
    folder.chmod(0o700)


def test_a_secret_in_a_file_that_everyone_may_read_is_refused(commands):
    file = commands.folder / "mailtrace.toml"
    file.write_text("store = 'https://indexer:hunter2@es.example.net:9200'\n")
    file.chmod(0o644)
    said = complaint(commands.index("--show-config", MAILTRACE_STORE=""))
    assert f"store is a secret, but everyone may read this file: run chmod o= {file}" in said
    file.chmod(0o640)
    done = commands.index("--show-config", MAILTRACE_STORE="")
    assert 'store = "https://indexer:***@es.example.net:9200"' in shown(done)
    assert "hunter2" not in done.stdout + done.stderr + said


def test_the_user_s_file_precedes_the_system_s(tmp_path, monkeypatch):
    system, home = tmp_path / "etc.toml", tmp_path / "home"
    home.mkdir()
    system.write_text("retention = 30\nwait = true\n")
    (home / "mailtrace.toml").write_text("retention = 60\n")
    monkeypatch.setattr(config, "SYSTEM_FILE", str(system))
    assert configured(None, {"XDG_CONFIG_HOME": str(home)}) == {
        "retention": Value(60, str(home / "mailtrace.toml")),
        "wait": Value(True, str(system)),
    }


def test_names_of_settings_are_unique():
    names = [setting.name for setting in SETTINGS]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalpha() and name == name.lower() for name in names)


@pytest.mark.parametrize(
    "url, expected",
    [
        ("http://bob:p@ss@host", "http://bob:***@host"),
        ("http://bob:p/s:s@host:9200/path", "http://bob:***@host:9200/path"),
        ("http://bob:p?s#s@host", "http://bob:***@host"),
        ("http://bob@example.net:pass@host", "http://bob@example.net:***@host"),
        ("http://:pass@host", "http://:***@host"),
        ("http://bob:@host", "http://bob:***@host"),
        ("https://bob:9200@host", "https://bob:***@host"),
        ("htp://bob:pass@host", "htp://bob:***@host"),
        ("http://bob@host:9200", "http://bob@host:9200"),
        ("http://host:9200/p@th", "http://host:9200/p@th"),
        ("http://[::1]:9200/p@th", "http://[::1]:9200/p@th"),
        ("sqlite:/srv/a:b@c.db", "sqlite:/srv/a:b@c.db"),
        ("sqlite:///srv/a:b@c.db", "sqlite:///srv/a:b@c.db"),
    ],
)
def test_a_password_is_hidden_whatever_it_contains(commands, url, expected):
    done = commands.search("--show-config", MAILTRACE_STORE=url)
    assert f'store = "{expected}"' in shown(done)
    if "***" in expected:
        said = commands.search("--store", url, "-r", 1).stderr + commands.search("-r", 1, MAILTRACE_STORE=url).stderr
        assert not any(secret in said for secret in ("pass@", "p@", "p/s", "p?s")), said


@pytest.mark.parametrize("by", ["flag", "environment", "file"])
def test_a_tilde_is_the_home_folder(commands, by):
    """A shell expands it neither after `sqlite:` nor in a file."""
    home, store = commands.folder / "home", "sqlite:~/x.db"
    home.mkdir()
    (commands.folder / "mailtrace.toml").write_text(f'store = "{store}"\n')
    (commands.folder / "mail.log").write_text("")
    flags = ["--store", store] if by == "flag" else []
    done = commands.index(
        "-q", *flags, "mail.log", HOME=str(home), MAILTRACE_STORE=store if by == "environment" else ""
    )
    assert 0 == done.returncode, done.stderr
    assert (home / "x.db").is_file()
    assert not (commands.folder / "~").exists()


def test_a_tilde_in_other_settings_is_the_home_folder(commands):
    home = commands.folder / "home"
    home.mkdir()
    (home / "own.toml").write_text('password_file = "~/secret"\nuser = "bob"\nca_certs = "~/ca.pem"\n')
    said = complaint(commands.search("--config=~/own.toml", "-r", 1, HOME=str(home), MAILTRACE_STORE="https://h"))
    assert f"{home}/secret cannot be read" in said
    (home / "secret").write_text("hunter2\n")
    (home / "secret").chmod(0o600)
    said = complaint(commands.search("--config=~/own.toml", "-r", 1, HOME=str(home), MAILTRACE_STORE="https://h"))
    assert f"{home}/ca.pem" in said


def test_the_home_of_an_unknown_user_is_an_error(commands):
    said = complaint(commands.search("--store", "sqlite:~nobody-at-all/x.db", "-r", 1))
    assert "~nobody-at-all/x.db: no home folder" in said
