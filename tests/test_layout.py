"""The shape of the code: who may import whom, and how long things may be."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mailtrace"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = {
    "errors": set(),
    "mta.queue_ids": set(),
    "syslog.timezones": {"errors"},
    "cli.settings": set(),
    "message.fields": set(),
    "cli.toml": set(),
    "cli.config": {"errors", "cli.settings", "cli.toml"},
    "mta.facts": set(),
    "message.order": {"mta.facts"},
    "message.transaction": {"mta.facts", "message.order", "mta.queue_ids"},
    "message.dates": set(),
    "message.recipients": {"message.dates", "mta.facts", "message.order", "mta.queue_ids"},
    "message.document": {"message.dates", "mta.facts", "message.order", "message.transaction", "message.recipients"},
    "search.patterns": {"errors"},
    "search.comparisons": {"message.document", "search.patterns"},
    "search.query": {"search.comparisons", "message.document", "search.patterns"},
    "search.reasons": set(),
    "search.groups": {"message.document", "search.query", "search.reasons"},
    "cli.date_arguments": {"errors"},
    "output.times": set(),
    "output.escape": {"message.document", "output.times"},
    "output.documents_text": {"message.document", "output.escape", "output.times"},
    "output.documents_csv": {"message.document", "message.fields", "output.escape", "output.times"},
    "output.groups": {"search.groups", "output.escape", "output.documents_csv", "output.times"},
    "cli.search_flags": {
        "errors",
        "search.groups",
        "cli.date_arguments",
        "cli.parser",
        "search.patterns",
        "search.query",
    },
    "tracing.ties": {"search.comparisons", "message.document", "search.query", "mta.queue_ids"},
    "tracing.candidates": {
        "message.document",
        "search.patterns",
        "search.query",
        "mta.queue_ids",
        "stores.base",
        "tracing.ties",
    },
    "tracing.journey": {
        "message.document",
        "search.query",
        "mta.queue_ids",
        "tracing.candidates",
        "stores.base",
        "tracing.ties",
    },
    "output.journeys": {"message.document", "output.escape", "output.times", "tracing.journey"},
    "stores.base": {"message.document", "search.groups", "logs.checkpoint", "search.query", "message.transaction"},
    "indexing.merge": {"message.document", "errors", "stores.base", "message.transaction"},
    "cli.credentials": {"errors", "stores.access"},
    "logs.backfill": {"errors", "logs.file", "logs.rotation", "syslog.frame", "logs.years"},
    "cli.check": {"errors", "search.query", "output.escape", "output.times", "stores.base"},
    "stores.elasticsearch.errors": {"errors"},
    "stores.elasticsearch.periods": set(),
    "stores.elasticsearch.outage": {"errors", "stores.elasticsearch.errors"},
    "stores.elasticsearch.client": {
        "errors",
        "stores.access",
        "stores.elasticsearch.errors",
        "stores.elasticsearch.outage",
    },
    "logs.compression": set(),
    "logs.file": {"errors", "logs.compression"},
    "logs.rotated_names": set(),
    "syslog.records": set(),
    "syslog.stamp": set(),
    "syslog.prefixes": {"syslog.stamp"},
    "syslog.journal": set(),
    "syslog.headers": {"syslog.prefixes", "syslog.records", "syslog.stamp"},
    "syslog.wrappers": {"syslog.headers", "syslog.prefixes", "syslog.records", "syslog.stamp"},
    "syslog.year": {"syslog.stamp"},
    "logs.survey": {
        "logs.file",
        "mta.grammars",
        "syslog.prefixes",
        "mta.queue_ids",
        "syslog.stamp",
        "syslog.frame",
        "syslog.year",
    },
    "logs.years": {"syslog.stamp", "logs.survey", "syslog.year"},
    "logs.recognition": {"logs.checkpoint", "logs.file"},
    "indexing.writer": {"errors", "logs.checkpoint", "stores.base", "indexing.merge", "message.transaction"},
    "indexing.sessions": {"mta.facts", "syslog.frame", "message.transaction"},
    "indexing.waiting": {"mta.facts", "message.order", "message.transaction"},
    "indexing.reducer": {
        "mta.facts",
        "mta.queue_ids",
        "indexing.sessions",
        "syslog.frame",
        "message.transaction",
        "indexing.waiting",
    },
}
"""What each of these modules may import of mailtrace, and nothing else of it."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports_of(path: Path) -> set[str]:
    """Modules that a file imports, those of mailtrace without its name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    modules = {module_of(other) for other in FILES}
    ours = {name.removeprefix("mailtrace.") for name in found if name.startswith("mailtrace.")} & modules
    return ours | {name for name in found if not name.startswith("mailtrace")}


def ours(path: Path) -> set[str]:
    return imports_of(path) & {module_of(other) for other in FILES}


@pytest.mark.parametrize("module", LAYERS)
def test_a_module_imports_only_what_is_below_it(module):
    path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    assert ours(path) <= LAYERS[module]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_who_may_import_what(path):
    """Nothing imports the command lines, stores know no parser, and one store alone knows Elasticsearch's client."""
    module, imported = module_of(path), imports_of(path)
    assert not {name for name in imported if name.endswith("_cli")}
    if not module.startswith("stores.elasticsearch"):
        assert not {name for name in imported if name.split(".")[0] in ("elasticsearch", "elastic_transport")}
    if module.startswith("stores."):
        assert not {
            name
            for name in ours(path)
            if name.startswith("mta.") or name in ("syslog.frame", "indexing.reducer", "indexing.indexer")
        }
    if module.startswith("mta."):
        assert {name for name in ours(path) if not name.startswith("mta.")} <= {"mta.queue_ids"}


def unmeasured(command: list[object]) -> "subprocess.CompletedProcess[str]":
    """Run a command without coverage, which loads modules of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=True)


def loaded_by(code: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after this code."""
    return set(unmeasured([sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]).stdout.split())


def test_a_search_pays_for_no_parser_and_no_client_that_it_does_not_use():
    loaded = loaded_by("import mailtrace.cli.search, mailtrace.stores.sqlite.store")
    assert (
        not {
            "elasticsearch",
            "dateutil",
            "mailtrace.syslog.frame",
            "mailtrace.mta.postfix",
            "mailtrace.indexing.indexer",
        }
        & loaded
    )


def test_help_is_shown_at_once():
    """Without whatever only a search or an indexer needs: that is what takes time."""
    command = [sys.executable, "-X", "importtime", Path(sys.executable).parent / "mailtrace-search", "--help"]
    listed = unmeasured(command).stderr
    modules = {line.rpartition("|")[2].strip() for line in listed.splitlines()}
    loaded = {name.partition(".")[0] for name in modules}
    assert "argparse" in loaded
    assert not {"mailtrace.message.document", "mailtrace.stores.base", "mailtrace.message.transaction"} & modules
    assert not {"dateutil", "elasticsearch", "hashlib", "orjson", "sqlite3", "tomli", "tomllib"} & loaded


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name
