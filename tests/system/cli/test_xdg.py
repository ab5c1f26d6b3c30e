"""The places of a user's own settings and store (XDG Base Directory Specification)."""

import pytest

from mailtrace import stores
from mailtrace.cli.config import config_files, configured

RELATIVE = ["", ".", "relative", "./x", "../x", "~/x"]
"""The specification requires absolute paths, and that relative ones are ignored."""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(stores, "SYSTEM_FOLDER", "/nowhere/at/all/mailtrace")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.mark.parametrize("path", RELATIVE)
def test_a_relative_folder_of_settings_is_ignored(home, path):
    (home / ".config").mkdir(parents=True)
    (home / ".config" / "mailtrace.toml").write_text("retention = 30\n")
    assert config_files(None, {"XDG_CONFIG_HOME": path})[1] == home / ".config" / "mailtrace.toml"
    assert 30 == configured(None, {"XDG_CONFIG_HOME": path})["retention"].value


def test_an_absolute_folder_of_settings_is_used(home):
    assert config_files(None, {"XDG_CONFIG_HOME": str(home / "own")})[1] == home / "own" / "mailtrace.toml"


@pytest.mark.parametrize("path", RELATIVE)
def test_a_relative_folder_of_data_is_ignored(home, monkeypatch, path):
    monkeypatch.setenv("XDG_DATA_HOME", path)
    assert stores.default_path() == str(home / ".local" / "share" / "mailtrace" / "mailtrace.db")


def test_an_absolute_folder_of_data_is_used(home, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "own"))
    assert stores.default_path() == str(home / "own" / "mailtrace" / "mailtrace.db")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert stores.default_path() == str(home / ".local" / "share" / "mailtrace" / "mailtrace.db")
