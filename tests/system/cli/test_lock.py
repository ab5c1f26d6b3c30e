"""The lock beside a store: one for all users and spellings of its path, and what a skipped run says."""

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from helpers.requirements import need_root
from mailtrace.indexing.lock import BusyError, lock_path, locked
from mailtrace.stores import open_store

LINE = "2019-12-30T08:00:00Z mx postfix/smtp[5]: 40BC39868: to=<r@example.net>, relay=none, delay=1, status=sent (ok)\n"
ALIVE_SECONDS = 120


@pytest.fixture
def log(commands) -> Path:
    path: Path = commands.folder / "mail.log"
    path.write_text(LINE)
    return path


@pytest.fixture
def store(commands) -> Path:
    """Return the path of a store."""
    path: Path = commands.folder / "store" / "mailtrace.db"
    path.parent.mkdir()
    path.touch(0o640)
    return path


def is_locked(name: object) -> bool:
    try:
        with locked(open_store(f"sqlite:{name}"), wait=False):
            return False
    except BusyError:
        return True


def test_all_spellings_of_a_path_share_the_lock(store, monkeypatch):
    link, folder = store.parent.parent / "link.db", store.parent.parent / "folder"
    link.symlink_to(store)
    folder.symlink_to(store.parent)
    monkeypatch.chdir(store.parent)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    for name in (store, "mailtrace.db", "../store/./mailtrace.db", link, folder / store.name):
        with locked(open_store(f"sqlite:{name}"), wait=False):
            monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
            assert all(map(is_locked, (store, "mailtrace.db", "../store/mailtrace.db", link, folder / store.name)))
        assert not is_locked(store)


@pytest.mark.parametrize("mode, expected", [(0o640, 0o600), (0o660, 0o660), (0o644, 0o600), (0o666, 0o660)])
def test_only_those_who_write_the_store_can_lock_it(store, mode, expected):
    """A member of the group that may read could keep mail from being indexed."""
    for each in (0o640, mode):
        store.chmod(each)
        assert not is_locked(store)
    assert expected == stat.S_IMODE(lock_path(store).stat().st_mode)


def test_a_lock_that_root_made_is_the_stores_owners(store):
    need_root()
    os.chown(store, 65534, 65533)
    assert not is_locked(store)
    found = lock_path(store).stat()
    assert (65534, 65533) == (found.st_uid, found.st_gid)


def test_the_lock_of_a_store_that_is_still_missing_is_its_folders_owners(store):
    need_root()
    store.unlink()
    os.chown(store.parent, 65534, 65533)
    assert not is_locked(store)
    assert 65534 == lock_path(store).stat().st_uid


def test_a_link_in_the_place_of_the_lock_is_not_followed(commands, log, store):
    lock_path(store).symlink_to(commands.folder / "victim")
    done = commands.index("-q", log)
    assert 2 == done.returncode
    assert f"{lock_path(store)} cannot be opened (Too many levels of symbolic links)" in done.stderr
    assert not (commands.folder / "victim").exists()


def test_a_lock_that_may_not_be_opened_is_said_with_advice(commands, log, store):
    lock_path(store).touch(0o000)
    lock_path(store).chmod(0)
    done = commands.without_privileges("mailtrace-index", "-q", log)
    if os.geteuid():  # its owner mends it
        return
    assert (
        2,
        f"mailtrace-index: {lock_path(store)} cannot be opened (Permission denied): give it the owner and the",
    ) == (
        done.returncode,
        done.stderr[: done.stderr.index(" group")],
    )


def test_a_folder_that_may_not_be_written_is_said_with_its_owner(commands, log):
    folder = commands.folder / "store"
    folder.mkdir(mode=0o555)
    folder.chmod(0o555)
    done = commands.without_privileges("mailtrace-index", "-q", log)
    assert 2 == done.returncode
    assert f"{folder}/mailtrace.db cannot be written by this user: {folder} belongs to root" in done.stderr


@pytest.fixture
def follower(commands, log):
    run = subprocess.Popen(
        [commands.bin / "mailtrace-index", "-q", "--follow", log], env=commands.environment, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 20
    while commands.search("--count").stdout != "1\n":
        assert time.monotonic() < until
        time.sleep(0.1)
    yield run
    run.kill()
    run.communicate()


@pytest.mark.usefixtures("follower")
def test_a_quiet_run_beside_a_follower_of_its_log_is_silent(commands, log):
    done = commands.index("-q", "mail.log")
    assert (75, "", "") == (done.returncode, done.stdout, done.stderr)
    assert "another mailtrace-index is running on" in commands.index(log).stderr


@pytest.mark.usefixtures("follower")
def test_a_quiet_run_beside_a_follower_of_other_logs_is_not_silent(commands, log):
    other = commands.folder / "other.log"
    other.write_text(LINE)
    done = commands.index("-q", log, other)
    assert 75 == done.returncode
    assert "another mailtrace-index is running on" in done.stderr


def test_a_quiet_run_beside_a_follower_that_hangs_is_not_silent(commands, log, follower):
    follower.send_signal(19)  # SIGSTOP
    time.sleep(0.2)
    path = lock_path(Path(commands.store.removeprefix("sqlite:")))
    os.utime(path, (time.time() - ALIVE_SECONDS - 1,) * 2)
    done = commands.index("-q", log)
    assert 75 == done.returncode
    assert "another mailtrace-index is running on" in done.stderr


def test_what_a_killed_follower_left_makes_no_other_run_silent(commands, log, follower):
    follower.kill()
    follower.wait()
    with locked(open_store(commands.store), wait=False):
        assert "another mailtrace-index is running on" in commands.index("-q", log).stderr


def test_indexers_of_one_machine_take_turns_at_a_server(tmp_path, monkeypatch):
    """Without a file beside the store, in a folder that does not depend on the session."""
    monkeypatch.setattr("mailtrace.stores.SYSTEM_FOLDER", str(tmp_path))
    server = open_store("http://localhost:1")
    with locked(server, wait=False), pytest.raises(BusyError), locked(open_store("http://LOCALHOST:1/"), wait=False):
        raise AssertionError
    monkeypatch.setattr("mailtrace.stores.SYSTEM_FOLDER", "/nowhere")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with locked(server, wait=False):
        assert 1 == len(list((tmp_path / "data" / "mailtrace").iterdir()))
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/nowhere")
    with locked(server, wait=False):
        pass
