"""Setting up Elasticsearch: retention, upgrades of templates and indices, index periods, and --check."""

import pytest

from helpers.commands import index as run_index
from helpers.elasticsearch_server import IS_OPENSEARCH, needs_elasticsearch
from helpers.elasticsearch_transactions import AT, DAY, mail, put
from mailtrace import __version__
from mailtrace.cli import index as index_command
from mailtrace.errors import StoreError
from mailtrace.message.document import document
from mailtrace.message.transaction import SECOND
from mailtrace.mta.facts import Client
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.template import COMPATIBLE, SCHEMA, UNFINISHED

MINE = {"phases": {"delete": {"min_age": "365d", "actions": {"delete": {}}}}}
NEW_FIELDS = {"email", "source", "@timestamp"}


def policy(client, prefix):
    found = client.ilm.get_lifecycle(name=prefix)[prefix]
    return found["version"], found["policy"]["phases"]["delete"]["min_age"]


@needs_elasticsearch
def test_a_new_retention_changes_the_policy_once(client, store_of, elasticsearch_prefix):
    store_of()
    assert policy(client, elasticsearch_prefix) == (1, "90d")
    for _ in range(2):
        store_of(retention_days=30)
        assert policy(client, elasticsearch_prefix) == (2, "30d")
    store_of()
    assert policy(client, elasticsearch_prefix) == (2, "30d")


@needs_elasticsearch
@pytest.mark.parametrize("change", ["foreign", "age", "phase", "no end"])
def test_another_retention_than_an_administrators_is_refused(client, store_of, elasticsearch_prefix, change):
    store_of()
    changed = client.ilm.get_lifecycle(name=elasticsearch_prefix)[elasticsearch_prefix]["policy"]
    if change == "age":
        changed["phases"]["delete"]["min_age"] = "365d"
    elif change == "phase":
        changed["phases"]["hot"] = {"min_age": "0ms", "actions": {}}
    elif change == "no end":
        del changed["phases"]["delete"]
    client.ilm.put_lifecycle(name=elasticsearch_prefix, policy=MINE if change == "foreign" else changed)
    before = client.ilm.get_lifecycle(name=elasticsearch_prefix)
    message = r"^--retention 30: the lifecycle policy \w+ at \S+ was set by an administrator \(it deletes "
    message += {"phase": "after 90d", "no end": "nothing"}.get(change, "after 365d")
    with pytest.raises(StoreError, match=message):
        store_of(retention_days=30)
    store_of()
    assert client.ilm.get_lifecycle(name=elasticsearch_prefix) == before


@needs_elasticsearch
def test_the_same_retention_as_an_administrators_is_accepted(client, store_of, elasticsearch_prefix):
    client.ilm.put_lifecycle(name=elasticsearch_prefix, policy=MINE)
    store_of(retention_days=365)
    assert policy(client, elasticsearch_prefix) == (1, "365d")


def older(client, prefix, meta):
    """Put the template of a version that had fewer fields."""
    found = client.indices.get_index_template(name=prefix)["index_templates"][0]["index_template"]
    body = {name: found[name] for name in ("index_patterns", "template", "priority")}
    properties = body["template"]["mappings"]["properties"]
    for name in NEW_FIELDS:
        del properties[name]
    del properties["to"]["properties"]["destination"], properties["host"]["fields"]
    client.indices.put_index_template(name=prefix, meta=meta, **body)


def properties_of(client, index):
    return client.indices.get_mapping(index=index)[index]["mappings"]["properties"]


@pytest.mark.parametrize(
    "meta", [{"schema": SCHEMA - 1}, {"mailtrace": __version__}, {"schema": SCHEMA, UNFINISHED: True}, {}]
)
def test_indices_of_an_older_version_get_the_new_fields(client, store_of, elasticsearch_prefix, meta):
    prefix, name = elasticsearch_prefix, f"{elasticsearch_prefix}-2011.12.15"
    store = store_of()
    older(client, prefix, meta)
    put(store, mail(1))
    assert not properties_of(client, name).keys() & NEW_FIELDS
    client.indices.create(index=f"{prefix}-foreign", mappings={"properties": {"email": {"type": "keyword"}}})
    store_of()
    properties = properties_of(client, name)
    assert properties.keys() >= NEW_FIELDS
    assert "destination" in properties["to"]["properties"]
    template = client.indices.get_index_template(name=prefix)["index_templates"][0]["index_template"]
    assert template["_meta"] == {"mailtrace": __version__, "schema": SCHEMA, "compatible": COMPATIBLE, "period": "day"}
    assert count(client, name, {"term": {"email.from.address": "BOB@foo.com"}}) == 1


def test_a_new_version_keeps_the_settings_that_an_administrator_chose(client, store_of, elasticsearch_prefix):
    chosen = {"index.number_of_shards": "3", "index.refresh_interval": "30s", "index.auto_expand_replicas": "false"}
    chosen |= {"index.number_of_replicas": "2", "index.routing.allocation.exclude._name": "cold-node"}
    store_of()
    found = client.indices.get_index_template(name=elasticsearch_prefix, flat_settings=True)
    template = found["index_templates"][0]["index_template"]
    template["template"]["settings"] |= chosen
    body = {name: template[name] for name in ("index_patterns", "template", "priority")}
    client.indices.put_index_template(name=elasticsearch_prefix, **body)
    older(client, elasticsearch_prefix, {"mailtrace": "0.0.9"})
    store = store_of()
    put(store, *(mail(number) for number in range(50)))
    index = f"{elasticsearch_prefix}-2011.12.15"
    settings = client.indices.get_settings(index=index, flat_settings=True)[index]["settings"]
    assert chosen.items() <= settings.items()
    assert NEW_FIELDS <= properties_of(client, index).keys()
    # What a store does with one shard it does with several.
    put(store, *(mail(number) for number in range(60)))
    assert store.count(Query()) == len(list(store.search(Query()))) == 60


@needs_elasticsearch
def test_after_an_upgrade_of_the_server_the_template_gets_its_new_setting(client, store_of, elasticsearch_prefix):
    """A template created on Elasticsearch 8 lacks the setting, which that version rejects."""
    limit, prefix = "index.mapping.array_objects.limit", elasticsearch_prefix
    store_of()
    version = int(client.info()["version"]["number"].partition(".")[0])
    found = client.indices.get_index_template(name=prefix)["index_templates"][0]["index_template"]
    found["template"]["settings"]["index"]["mapping"].pop("array_objects", None)
    body = {name: found[name] for name in ("index_patterns", "template", "priority")}
    client.indices.put_index_template(name=prefix, meta=found["_meta"], **body)
    store_of()
    found = client.indices.get_index_template(name=prefix, flat_settings=True)["index_templates"][0]["index_template"]
    assert found["template"]["settings"].get(limit) == ("1000000" if version >= 9 else None)


def test_an_index_that_cannot_take_the_new_fields_is_named_and_tried_again(client, store_of, elasticsearch_prefix):
    prefix = elasticsearch_prefix
    store_of()
    older(client, prefix, {"mailtrace": "0.0.9"})
    client.indices.create(index=f"{prefix}-2011.12.15", mappings={"properties": {"email": {"type": "long"}}})
    for _ in range(2):
        with pytest.raises(StoreError, match=r"cannot take this version's fields \(.*email"):
            store_of()
    client.indices.delete(index=f"{prefix}-2011.12.15")
    store_of()


@pytest.mark.parametrize("reason", ["another template", "no template"])
def test_an_index_without_the_fields_of_the_template_is_not_written(client, store_of, elasticsearch_prefix, reason):
    prefix, store = elasticsearch_prefix, store_of()
    put(store, mail(at=AT - DAY * SECOND))
    other = f"{prefix}-of-others"
    if reason == "another template":
        client.indices.put_index_template(name=other, index_patterns=[f"{prefix}*"], priority=1000)
    else:
        client.indices.delete_index_template(name=prefix)
    try:
        with pytest.raises(
            StoreError, match=rf"{prefix}-2011.12.15 would not get .*_simulate_index/{prefix}-2011.12.15"
        ):
            put(store, mail())
        assert list(client.indices.get(index=f"{prefix}-*")) == [f"{prefix}-2011.12.14"]
    finally:
        client.options(ignore_status=404).indices.delete_index_template(name=other)
    put(store_of(), mail())
    assert store_of().count(Query()) == 2


def count(client, index, query):
    return client.count(index=index, query=query)["count"]


def nested(query):
    return {"nested": {"path": "to", "query": query}}


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        ({"range": {"@timestamp": {"gte": "2011-12-15T15:27:19Z", "lte": "2011-12-15T15:27:19.000Z"}}}, True),
        ({"term": {"email.from.address": "BOB@foo.com"}}, True),
        ({"term": {"email.from.address": "carol@foo.com"}}, False),
        ({"term": {"email.message_id": "1@foo.com"}}, True),
        ({"term": {"source.ip": "10.10.0.0/16"}}, True),
        ({"term": {"source.ip": "10.11.0.0/16"}}, False),
        ({"term": {"source.address": "bob.desktop [10.10.10.10]"}}, True),
        ({"term": {"host.name": "mx"}}, True),
        ({"term": {"host.name": "my"}}, False),
        (nested({"term": {"to.email.to.address": "alice@bar.com"}}), True),
        (nested({"term": {"to.destination.ip": "192.0.2.0/24"}}), True),
        (nested({"term": {"to.destination.domain": "mx"}}), True),
        ({"term": {"to.destination.domain": "mx"}}, False),
    ],
)
def test_the_names_of_the_elastic_common_schema_find(client, store_of, elasticsearch_prefix, query, finds):
    put(store_of(), mail(1))
    assert count(client, f"{elasticsearch_prefix}-*", query) == finds


def test_an_alias_of_what_is_nested_is_refused_outside(client, elasticsearch_prefix):
    """This is why the schema's names for recipients are only under `to.`."""
    outside = {"to": {"type": "nested", "properties": {"recipient": {"type": "keyword"}}}}
    outside["email"] = {"properties": {"to": {"type": "alias", "path": "to.recipient"}}}
    with pytest.raises(Exception, match="same nested scope"):
        client.indices.create(index=f"{elasticsearch_prefix}-1", mappings={"properties": outside})


def test_a_document_with_an_invalid_address_is_stored(client, store_of, elasticsearch_prefix):
    odd = mail(1)
    odd.facts[0] = (AT, Client("bad [300.1.1.1]"))
    store = store_of()
    assert put(store, odd).refused == []
    assert [each["client_ip"] for each in store.search(Query())] == ["300.1.1.1"]
    assert count(client, f"{elasticsearch_prefix}-*", {"exists": {"field": "client_ip"}}) == 0


@pytest.mark.parametrize(("period", "names"), [("week", {"2011.w50", "2011.w51"}), ("month", {"2011.12", "2012.01"})])
def test_an_index_holds_its_period_and_is_kept_from_its_end(client, store_of, elasticsearch_prefix, period, names):
    later = mail(2, AT + (4 if period == "week" else 20) * DAY * SECOND)
    now = AT // SECOND
    # With the default retention the server would delete these old indices at once.
    store = store_of(index_period=period, now=lambda: now, retention_days=36_500)
    put(store, mail(1), later)
    found = client.indices.get(index=f"{elasticsearch_prefix}-*", flat_settings=True)
    assert found.keys() == {f"{elasticsearch_prefix}-{name}" for name in names}
    ends = {
        int(
            state["mappings"]["_meta"]["origination"]
            if IS_OPENSEARCH
            else state["settings"]["index.lifecycle.origination_date"]
        )
        // 1000
        for state in found.values()
    }
    sunday, new_year = 1324252800, 1325376000  # the midnights that end the first week and the first month
    first = sunday if period == "week" else new_year
    assert min(ends) == first
    assert list(store.search(Query())) == [document(later), document(mail(1))]
    assert put(store_of(), mail(1), later).created == 0


def test_a_change_of_the_period_leaves_every_transaction_in_one_index(client, store_of, elasticsearch_prefix):
    """An indexer that began before the change follows it too, and days with an index keep it."""
    messages = []
    first = store_of()
    put(first, *(mail(number, AT + number * DAY * SECOND) for number in range(3)))
    second = store_of(index_period="month", notify=messages.append)
    assert messages == ["new indices hold a month from now on; days that already have an index keep it"]
    mails = [mail(number, AT + (number - 3) * DAY * SECOND) for number in range(9)]
    again = [mail(number, AT + number * DAY * SECOND) for number in range(3)]
    assert put(second, *mails[:5], *again).created == 5
    assert put(first, *mails, *again).created == 4
    third = store_of()
    assert put(third, *mails, *again).created == 0
    suffixes = {
        name.removeprefix(f"{elasticsearch_prefix}-") for name in client.indices.get(index=f"{elasticsearch_prefix}-*")
    }
    assert suffixes == {"2011.12", "2011.12.15", "2011.12.16", "2011.12.17"}
    found = list(third.search(Query()))
    assert len(found) == len({(each["transaction"], each["date"]) for each in found}) == 12


def test_the_period_of_a_newer_version_is_not_changed(client, store_of, elasticsearch_prefix):
    store_of()
    older(client, elasticsearch_prefix, {"mailtrace": "999.0", "schema": SCHEMA + 1})
    with pytest.raises(StoreError, match="was set up by a newer mailtrace"):
        store_of(index_period="month")
    store_of(index_period="day")


def check(capsys, url):
    capsys.readouterr()
    status = index_command.main(["--check", "--store", url, "--tz", "UTC"])
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = [line.partition(":") for line in printed.out.splitlines()]
    return status, {name: text.strip() for name, _, text in lines}


def test_a_check_shows_the_state_and_writes_nothing(capsys, client, elasticsearch_url, commands_prefix, tmp_path):
    prefix = commands_prefix
    status, shown = check(capsys, elasticsearch_url)
    assert status == 0
    assert shown["server"].startswith("OpenSearch " if IS_OPENSEARCH else "Elasticsearch ")
    if IS_OPENSEARCH:
        assert shown["rights"] == "not known: no security plugin answers here"
        without = "the server has no index state management (ISM): mailtrace-index deletes expired indices itself"
        assert shown["policy"] == without
    else:
        assert shown["rights"] == "all (security is disabled on the server)"
        assert shown["policy"] == f"{prefix}: missing; the first run creates it, with 90 days"
    assert shown["template"] == "missing; the first run creates it"
    assert (shown["indices"], shown["documents"]) == ("none yet", "none yet")
    assert not client.indices.exists_index_template(name=prefix)
    assert not client.indices.exists(index=f"{prefix}_checkpoints")
    log = tmp_path / "mail.log"
    lines = [
        f"2011-12-{day}T15:27:{day}Z mx postfix/qmgr[1]: 3SBdHc2zVzz{day}: from=<bob@foo.com>, size=1, nrcpt=1 (x)"
        for day in (15, 16, 17)
    ]
    log.write_text("".join(f"{line}\n" for line in lines))
    assert run_index(elasticsearch_url, [log], "--retention", "30", "--index-period", "week").status == 0
    status, shown = check(capsys, elasticsearch_url)
    assert status == 0
    assert IS_OPENSEARCH or shown["policy"] == f"{prefix}: deletes after 30d, set by mailtrace"
    assert shown["template"] == f"from mailtrace {__version__}, current; one index per week"
    assert shown["documents"] == "3"
    assert (shown["oldest"], shown["newest"]) == ("2011-12-15 15:27:15", "2011-12-17 15:27:17")
    (index,) = client.indices.get(index=f"{prefix}-*")
    assert shown["indices"] == f"1, {index} to {index}"
    client.indices.close(index=index)
    if not IS_OPENSEARCH:
        client.ilm.put_lifecycle(name=prefix, policy=MINE)
    status, shown = check(capsys, elasticsearch_url)
    assert status == 2
    assert IS_OPENSEARCH or shown["policy"] == f"{prefix}: deletes after 365d, set by an administrator"
    assert shown["problem"] == f"{index} is closed and not searched: open it with POST /{index}/_open"


def test_a_check_of_the_embedded_store(capsys, tmp_path):
    log, path = tmp_path / "mail.log", tmp_path / "folder" / "m.db"
    store = f"sqlite:{path}"
    assert check(capsys, store) == (
        0,
        {"store": str(path), "size": "not created yet: the first run creates it", "documents": "none yet"},
    )
    assert not path.parent.exists()
    stamps = ["2011-12-15T15:27:19.250Z", "2012-02-29T00:00:00Z", "2026-11-20T23:59:59Z"]
    lines = (
        f"{at} mx postfix/qmgr[1]: ABCDE{number}: from=<b@foo.com>, size=1, nrcpt=1 (queue active)"
        for number, at in enumerate(stamps)
    )
    log.write_text("".join(f"{line}\n" for line in lines))
    assert run_index(store, [log]).status == 0
    status, shown = check(capsys, store)
    assert (status, shown["writable"], shown["documents"]) == (0, "yes", "3")
    assert (shown["oldest"], shown["newest"]) == ("2011-12-15 15:27:19", "2026-11-20 23:59:59")


@pytest.mark.parametrize("arguments", [["--check", "mail.log"], []])
def test_a_check_takes_no_files_and_a_run_needs_some(capsys, arguments):
    assert index_command.main(arguments) == 2
    assert ("FILE" if arguments else "name a log file") in capsys.readouterr().err
