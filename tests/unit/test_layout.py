"""The shape of the code: which folder may import which, who may touch what, and how long things may be."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mailtrace"
FILES = sorted(PACKAGE.rglob("*.py"))

FOLDERS: dict[str, set[str]] = {
    "cli": {"output", "indexing", "tracing", "stores", "search", "message", "logs", "syslog", "mta.facts"},
    "output": {"tracing", "search", "message"},
    "indexing": {"stores", "message", "logs", "syslog", "mta"},
    "tracing": {"stores", "search", "message", "mta.queue_ids"},
    "stores": {"search", "message", "logs.checkpoint", "syslog.records", "mta.version"},
    "search": {"message"},
    "message": {"mta", "syslog.records"},
    "logs": {"syslog", "mta.grammars", "mta.queue_ids"},
    "syslog": {"mta.queue_ids"},
    "mta": set(),
}
"""Every folder, from the top down, and the folders or modules below it that its modules may import."""
EVERYWHERE = {"", "errors"}
"""What every module may import: the version, and the errors."""
MAY_TOUCH_THE_PROCESS = {"logs.file": {"sys.stdin"}}
"""A log can be standard input."""
CLOCKS = {
    "time.time",
    "time.localtime",
    "time.gmtime",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
}
CLIENT = {"http", "ssl"}


def module_of(path: Path) -> str:
    """A module's name without mailtrace's: "" for mailtrace itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports_of(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it, by their full names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name.removeprefix("mailtrace.") in MODULES else str(node.module))
    return found


def ours(path: Path) -> set[str]:
    return {
        name.removeprefix("mailtrace").removeprefix(".")
        for name in imports_of(path)
        if name == "mailtrace" or name.startswith("mailtrace.")
    }


def is_in(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def calls_of(path: Path) -> set[str]:
    """What a file calls by name: `print`, `time.time`."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {ast.unparse(call) for call in calls if isinstance(call, (ast.Name, ast.Attribute))}


def uses_of_sys(path: Path) -> set[str]:
    """What of `sys` a file uses, but the version of Python."""
    names = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
    used = {f"sys.{name.attr}" for name in names if isinstance(name.value, ast.Name) and name.value.id == "sys"}
    return used - {"sys.version_info"}


def test_every_module_is_in_a_folder_of_the_table():
    assert {module.partition(".")[0] for module in MODULES} == {*FOLDERS, *EVERYWHERE}
    assert {module for module in MODULES if "." not in module and module not in FOLDERS} == EVERYWHERE


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_table_goes_down(folder):
    below = list(FOLDERS)[list(FOLDERS).index(folder) + 1 :]
    assert {name.partition(".")[0] for name in FOLDERS[folder]} <= set(below)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_folder_may(module):
    folder = module.partition(".")[0]
    allowed = {folder, *FOLDERS.get(folder, ())}
    assert {
        name
        for name in ours(MODULES[module])
        if name not in EVERYWHERE and not any(is_in(name, place) for place in allowed)
    } == set()


@pytest.mark.parametrize("module", [module for module in MODULES if module.count(".") == 2])
def test_grammars_know_no_other_grammar_and_stores_no_other_store(module):
    folder, own, _ = module.split(".")
    others = {f"{folder}.{path.name}" for path in (PACKAGE / folder).iterdir() if path.is_dir()} - {f"{folder}.{own}"}
    assert not {name for name in ours(MODULES[module]) if any(is_in(name, other) for other in others)}


@pytest.mark.parametrize("module", MODULES)
def test_one_store_alone_knows_its_servers_client(module):
    if not is_in(module, "stores.elasticsearch"):
        assert not {name for name in imports_of(MODULES[module]) if name.partition(".")[0] in CLIENT}


@pytest.mark.parametrize("module", [module for module in MODULES if not is_in(module, "cli")])
def test_commands_alone_print_and_ask_the_clock_and_the_process(module):
    """The others are given what to write to and what time it is."""
    path = MODULES[module]
    assert not calls_of(path) & ({"print", "input"} | CLOCKS)
    assert uses_of_sys(path) <= MAY_TOUCH_THE_PROCESS.get(module, set())


@pytest.mark.parametrize("module", [module for module in MODULES if "." in module])
def test_a_file_does_not_repeat_its_folders_name(module):
    *_, folder, name = module.split(".")
    assert folder not in name
    assert folder.removesuffix("s") not in name.split("_")


def unmeasured(command: list[object]) -> "subprocess.CompletedProcess[str]":
    """Run a command without coverage, which loads modules of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=True)


def loaded_by(code: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after this code."""
    return set(unmeasured([sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]).stdout.split())


def test_a_search_pays_for_no_parser_and_no_client_that_it_does_not_use():
    loaded = loaded_by("import mailtrace.cli.search, mailtrace.stores.sqlite.store")
    assert not {"http.client", "dateutil"} & loaded
    unused = {"indexing", "logs", "mta.grammars", "mta.postfix", "mta.sendmail", "syslog.frame"}
    ours = {name.removeprefix("mailtrace.") for name in loaded if name.startswith("mailtrace.")}
    assert {name for name in ours if any(is_in(name, place) for place in unused)} <= {"logs", "logs.checkpoint"}


def test_help_is_shown_at_once():
    """Without whatever only a search or an indexer needs: that is what takes time."""
    command: list[object] = [
        sys.executable,
        "-X",
        "importtime",
        Path(sys.executable).parent / "mailtrace-search",
        "--help",
    ]
    listed = unmeasured(command).stderr
    modules = {line.rpartition("|")[2].strip() for line in listed.splitlines()}
    loaded = {name.partition(".")[0] for name in modules}
    assert "argparse" in loaded
    assert not {"mailtrace.message.document", "mailtrace.stores.base", "mailtrace.message.transaction"} & modules
    assert not {"dateutil", "hashlib", "http", "orjson", "sqlite3", "tomli", "tomllib"} & loaded


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name
