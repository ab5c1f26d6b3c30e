"""The documentation is true: examples run, generated text is up to date, messages exist in the code."""

import ast
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.requirements import lacking
from mailtrace.cli.config import load_toml
from mailtrace.cli.settings import SETTINGS

ROOT = Path(__file__).parents[2]
BIN = Path(os.environ.get("MAILTRACE_TEST_COMMANDS") or Path(sys.executable).parent)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MANUALS = sorted((ROOT / "man").iterdir())


def examples(page: Path) -> list[tuple[str, str]]:
    """Return the commands of the console blocks with their output; a comment has none."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    return [
        (command, output)
        for block in blocks
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]


def name_of(path: Path) -> str:
    return path.name


@pytest.fixture
def machine(tmp_path):
    """Return a folder with the sample logs, and an environment that uses a store in it."""
    (tmp_path / "sample_logs").symlink_to(ROOT / "sample_logs")
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "TZ": "UTC", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    return tmp_path, {**environment, "MAILTRACE_STORE": f"sqlite:{tmp_path}/store/mailtrace.db"}


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=name_of)
def test_examples_print_what_is_shown(machine, page):
    """Compare standard output and error together. The exit status is 0, or 2 if an error message is shown."""
    folder, environment = machine
    for command, output in examples(page):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert output == done.stdout, command
        assert done.returncode == (2 if output.startswith("mailtrace-") else 0), command


def test_there_are_examples():
    assert {"README.md", "deployment.md", "document.md", "indexing.md"} <= {
        page.name for page in PAGES if examples(page)
    }


def test_the_first_screen_is_true(machine):
    """The log lines at the start of the README give the text that it shows."""
    folder, environment = machine
    found = re.search(
        r"These two log lines\n\n(.*?)\n\nbecome\n\n(.*?)\n\n## ", (ROOT / "README.md").read_text(), re.DOTALL
    )
    log, text = (re.sub(r"^    ", "", part, flags=re.MULTILINE) + "\n" for part in found.groups())
    (folder / "mail.log").write_text(log)
    for command in ("mailtrace-index -q -y 2011 --tz Europe/Madrid mail.log", "mailtrace-search --tz Europe/Madrid"):
        done = subprocess.run(command.split(), cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert text == done.stdout


def test_what_is_made_from_the_code_is_as_the_code():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stdout + done.stderr)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        other = page.parent / target if target else page
        if other.name == "elasticsearch.md" and not other.exists():
            continue
        assert other.exists(), target
        heads = re.findall(r"^#+ (.*)", other.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}, (
            anchor
        )


def test_the_files_that_contributors_are_sent_to_are_there():
    named = re.findall(r"`((?:[\w-]+/)+[\w-]+\.(?:py|md|yml))`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(set(named)) > 30
    assert [] == [name for name in named if not (ROOT / name).exists() and not (ROOT / "mailtrace" / name).exists()]


# Messages


def templates() -> list[re.Pattern[str]]:
    """Return a pattern for every long enough string in the code; values match anything."""
    found = []
    parts: list[str | None]
    for path in sorted((ROOT / "mailtrace").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                parts = [node.value]
            else:
                continue
            if sum(char.isalpha() for part in parts for char in part or "") >= 14:
                found.append(re.compile("".join(".+" if part is None else re.escape(part) for part in parts)))
    return found


def test_messages_in_the_troubleshooting_are_those_of_the_code():
    messages = re.findall(r"^### `(.*)`$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(messages) >= 25
    known = templates()
    assert [] == [message for message in messages if not any(one.fullmatch(message) for one in known)]


# Manual pages


@pytest.mark.parametrize("manual", MANUALS, ids=name_of)
def test_manual_pages_are_set_without_a_warning(manual):
    if shutil.which("groff") is None:
        lacking("groff is not on this machine")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", manual], capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)


def test_the_example_of_settings_can_be_read():
    page = (ROOT / "man" / "mailtrace.toml.5").read_text()
    example = load_toml(io.BytesIO(re.search(r"\.EX\n(.*?)\.EE", page, re.DOTALL)[1].encode()))
    assert set(example) <= {setting.name for setting in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_described(setting):
    page = (ROOT / "man" / "mailtrace.toml.5").read_text()
    about = re.search(rf"^\\fB{setting.name}\\fR \(.*\)\n(.*)", page, re.MULTILINE)[1]
    assert len(about.split()) > 3
    assert os.path.commonprefix([setting.environment, "MAILTRACE_"]) == "MAILTRACE_"
