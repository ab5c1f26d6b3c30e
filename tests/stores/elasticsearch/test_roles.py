"""The documented roles have the privileges that they need, and no more."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from helpers.elasticsearch_server import NoServerError, elasticsearch_server, give_up, needs_elasticsearch, run_folder

pytestmark = needs_elasticsearch
ROOT = Path(__file__).parents[3]
PASSWORD = "mailtrace-test"  # start.sh's
INDEX = ("mailtrace-index", "-q", "--tz", "UTC")


@pytest.fixture(scope="module")
def run():
    """Return a function that runs a command as a user with one of the documented roles."""
    try:
        with elasticsearch_server("--secure") as url:
            address = url.replace("http:", "https:")
            ca = str(run_folder(url.rpartition(":")[2]) / "ca.crt")
            with Elasticsearch(address, basic_auth=("elastic", PASSWORD), ca_certs=ca) as client:
                for name, role in documented().items():
                    client.security.put_role(name=name, **role)
                    client.security.put_user(username=name, password=f"{name}-secret", roles=[name])

            def as_user(name: str, *command: str) -> "subprocess.CompletedProcess[str]":
                environment = {
                    **os.environ,
                    "MAILTRACE_STORE": address,
                    "MAILTRACE_CA_CERTS": ca,
                    "MAILTRACE_USER": name,
                    "MAILTRACE_PASSWORD": f"{name}-secret",
                }
                program, *arguments = command
                path = str(Path(sys.executable).with_name(program))
                return subprocess.run(
                    [path, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
                )

            with Elasticsearch(address, basic_auth=("elastic", PASSWORD), ca_certs=ca) as as_user.admin:  # type: ignore[attr-defined]
                yield as_user
    except NoServerError as error:
        give_up(str(error))


def documented() -> dict[str, dict]:
    text = (ROOT / "docs" / "elasticsearch.md").read_text()
    found = re.findall(r"`PUT /_security/role/([\w-]+)`\):\n\n```json\n(.*?)```", text, re.DOTALL)
    return {name: json.loads(role) for name, role in found}


def test_each_role_is_sufficient_and_no_more(run):
    samples = (*INDEX, "-y", "2011", "sample_logs/sendmail.log")
    more = (*INDEX, "-y", "2026", "sample_logs/postfix.log")
    early = run("mailtrace-index", *samples)
    assert early.returncode == 2
    assert "manage_ilm" in early.stderr
    first = run("mailtrace-setup", *samples)
    assert 0 == first.returncode, first.stderr
    second = run("mailtrace-index", *more)
    assert (0, "") == (second.returncode, second.stderr)
    third = run("mailtrace-index", *more)
    assert (0, "") == (third.returncode, third.stderr)
    counted = run("mailtrace-search", "mailtrace-search", "--count")
    assert (0, "36\n", "") == (counted.returncode, counted.stdout, counted.stderr)
    written = run("mailtrace-search", *INDEX, "--from-start", "-y", "2026", "sample_logs/postfix.log")
    assert 2 == written.returncode
    assert "denies this request" in written.stderr
    assert 1 == written.stderr.count("\n")


def test_the_role_to_index_still_indexes_after_an_upgrade_of_the_server_and_says_what_to_do(run):
    """A template that was created on Elasticsearch 8 lacks a setting."""
    samples = (*INDEX, "-y", "2011", "sample_logs/sendmail.log")
    assert 0 == run("mailtrace-setup", *samples).returncode
    templates = run.admin.indices
    found = templates.get_index_template(name="mailtrace")["index_templates"][0]["index_template"]
    found["template"]["settings"]["index"]["mapping"].pop("array_objects", None)
    body = {name: found[name] for name in ("index_patterns", "template", "priority")}
    templates.put_index_template(name="mailtrace", meta=found["_meta"], **body)
    version = int(run.admin.info()["version"]["number"].partition(".")[0])
    done = run("mailtrace-index", *samples)
    assert 0 == done.returncode
    assert done.stderr.count("run mailtrace-index once as a user with the role mailtrace-setup") == done.stderr.count(
        "\n"
    )
    assert done.stderr.count("\n") == (1 if version >= 9 else 0)
    assert (0, "") == (run("mailtrace-setup", *samples).returncode, run("mailtrace-index", *samples).stderr)


def test_no_message_contains_a_secret(run):
    wrong = run("nobody", "mailtrace-search", "-r", "1")
    assert 2 == wrong.returncode
    assert "needs a valid login" in wrong.stderr
    assert "nobody-secret" not in wrong.stderr


def test_a_check_shows_the_privileges_of_the_user(run):
    found = run("mailtrace-search", "mailtrace-index", "--check")
    assert 2 == found.returncode
    assert "mailtrace-search may search here" in found.stdout
    assert "this user may not index: it lacks" in found.stdout
    assert 0 == run("mailtrace-index", "mailtrace-index", "--check").returncode
