"""What is special about OpenSearch: policies of its plugin, indices that writes create, the order of members."""

import json
from contextlib import closing

import pytest

from helpers.elasticsearch_server import IS_OPENSEARCH
from helpers.elasticsearch_transactions import AT, INDEX, mail, put
from helpers.http_proxy import proxy
from helpers.ism_plugin import JSON, POLICIES, START_PAGE, IsmPlugin
from mailtrace.errors import StoreError
from mailtrace.message.document import document
from mailtrace.message.fields import DOCUMENT, RECIPIENT_RESULT
from mailtrace.search.query import Query
from mailtrace.stores.elasticsearch.client import Server
from mailtrace.stores.elasticsearch.lifecycle import lifecycle_of
from mailtrace.stores.elasticsearch.setup import Setup

needs_opensearch = pytest.mark.skipif(not IS_OPENSEARCH, reason="tests what only OpenSearch has")


@pytest.fixture
def plugin():
    return IsmPlugin(is_alone=True)


@pytest.fixture
def management(plugin):
    """Return a function that returns the management of policies, given the names of the existing indices."""
    with proxy(None, plugin.answer) as url, closing(Server(url)) as server:
        messages = []
        yield lambda *indices: lifecycle_of(server, "mail", lambda: list(indices), messages.append), messages


def age_in(plugin):
    return plugin.policies["mail"]["states"][0]["transitions"][0]["conditions"]["min_index_age"]


def test_a_missing_policy_is_created(plugin, management):
    ism, messages = management[0](), management[1]
    assert ism.read({"day"}) is None
    ism.write(90, {"day"}, None)
    [(path, body)] = plugin.requests
    assert path == f"{POLICIES}mail"
    assert body["policy"]["default_state"] == "kept"
    assert [state["actions"] for state in body["policy"]["states"]] == [[], [{"delete": {}}]]
    assert body["policy"]["ism_template"] == [{"index_patterns": ["mail-*"], "priority": 500}]
    found = ism.read({"day"})
    assert (found.age, found.is_ours, found.is_outdated) == ("90d", True, False)
    assert messages == []


@pytest.mark.parametrize(("periods", "age"), [({"day"}, "91d"), ({"week"}, "97d"), ({"day", "month"}, "121d")])
def test_no_transaction_is_deleted_before_its_time(plugin, management, periods, age):
    """The plugin counts from the creation of an index, which may be the first day of its period."""
    management[0]().write(90, periods, None)
    assert age_in(plugin) == age


def test_existing_indices_get_a_policy_that_is_created_or_changed(plugin, management):
    ism = management[0]("mail-2011.12.15")
    ism.write(90, {"day"}, None)
    ism.write(30, {"day"}, ism.read({"day"}))
    paths = [path for path, _ in plugin.requests]
    assert paths == [
        f"{POLICIES}mail",
        "/_plugins/_ism/add/mail-*",
        f"{POLICIES}mail?if_seq_no=1&if_primary_term=1",
        "/_plugins/_ism/change_policy/mail-*",
    ]
    assert plugin.requests[1][1] == plugin.requests[3][1] == {"policy_id": "mail"}
    assert ism.read({"day"}).age == "30d"


def test_indices_that_cannot_take_the_policy_are_named(plugin, management):
    plugin.failing = ["mail-2011.12.15"]
    management[0]("mail-2011.12.15").write(90, {"day"}, None)
    assert "the policy mail does not apply to 1 indices (mail-2011.12.15)" in management[1][0]


@pytest.mark.parametrize("change", ["age", "action", "template", "description"])
def test_an_administrators_policy_is_recognised(plugin, management, change):
    ism = management[0]()
    ism.write(90, {"day"}, None)
    policy = plugin.policies["mail"]
    if change == "age":
        policy["states"][0]["transitions"][0]["conditions"]["min_index_age"] = "365d"
    elif change == "action":
        policy["states"][0]["actions"] = [{"read_only": {}}]
    elif change == "template":
        policy["ism_template"][0]["index_patterns"] = ["mail-2*"]
    else:
        policy["description"] = "ours"
    found = ism.read({"day"})
    assert not found.is_ours
    assert found.age == ("365d" if change == "age" else "91d")


def test_a_policy_for_shorter_periods_is_outdated(management):
    ism = management[0]()
    ism.write(90, {"day"}, None)
    found = ism.read({"day", "month"})
    assert (found.age, found.is_ours, found.is_outdated) == ("90d", True, True)


def test_a_server_that_is_set_up_keeps_the_policy_in_step(plugin):
    """From the choice of the retention and the period to the request, with a template that this test answers."""
    templates = [{"index_template": {"_meta": {"period": "day"}, "template": {}}}]

    def answer(path, body):
        if path.startswith("/_index_template"):
            return 200, JSON, json.dumps({"index_templates": templates}).encode()
        if path.startswith("/_resolve"):
            return 200, JSON, b'{"indices": []}'
        return plugin.answer(path, body)

    def prepared(retention, period):
        setup = Setup(server, "mail", retention, period, lambda _: None)
        setup._prepare_policy(setup.periods_in_use(setup.template()))
        return setup

    with proxy(None, answer) as url, closing(Server(url)) as server:
        assert prepared(None, None).lifecycle is not None
        assert not prepared(None, None).keeps_origination
        assert (age_in(plugin), plugin.versions["mail"]) == ("91d", 1)
        prepared(30, None)
        assert (age_in(plugin), plugin.versions["mail"]) == ("31d", 2)
        prepared(None, "month")
        assert (age_in(plugin), plugin.versions["mail"]) == ("61d", 3)
        plugin.policies["mail"]["description"] = "the administrator's"
        with pytest.raises(StoreError, match=r"--retention 10: .* set by an administrator \(it deletes after 61d\)"):
            prepared(10, None)
        prepared(None, None)
        assert plugin.versions["mail"] == 3


@needs_opensearch
def test_a_server_with_the_plugin_is_left_to_delete(elasticsearch_url, store_of, elasticsearch_prefix):
    plugin, messages = IsmPlugin(), []
    with proxy(elasticsearch_url, plugin.answer) as url:
        store = store_of(url, notify=messages.append, retention_days=30)
        put(store, mail())
        assert store.expire(4e9) == 0
        shown = dict(store.describe().lines)
    assert list(plugin.policies) == [elasticsearch_prefix]
    assert shown["policy"] == f"{elasticsearch_prefix}: deletes after 30d, set by mailtrace"
    assert messages == []


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (
            200,
            {"user_name": "bob", "roles": ["mail", "own_index"]},
            "bob has the roles mail, own_index; what they allow",
        ),
        (200, {"user_name": "bob", "roles": []}, "bob has the roles none; what"),
        (403, {"error": {"reason": "no permissions"}}, "not known: this user may not see them"),
        (400, {"error": "no handler found for uri [/_plugins/_security/authinfo]"}, "not known: no security plugin"),
    ],
)
def test_a_check_tells_no_more_of_the_security_plugin_than_can_be_seen(status, body, shown):
    from mailtrace.stores.elasticsearch.store import ElasticsearchStore

    def answer(path, _):
        if "authinfo" in path:
            return status, JSON, json.dumps(body).encode()
        if path == "/":
            return 200, JSON, json.dumps({**START_PAGE, "cluster_name": "c"}).encode()
        return 403, JSON, b'{"error": {"reason": "no permissions"}}'

    with proxy(None, answer) as url, closing(ElasticsearchStore(url)) as store:
        lines = dict(store.describe().lines)
    assert lines["server"] == "OpenSearch 3.8.0, cluster c"
    assert lines["rights"].startswith(shown)


@needs_opensearch
def test_an_index_that_a_write_creates_gets_its_origination_date(client, store_of, elasticsearch_prefix):
    """OpenSearch cannot be told to refuse such a write, and the run that sent it may be killed before its commit."""
    index, now = f"{elasticsearch_prefix}-{INDEX}", AT // 1_000_000 + 10 * 86400
    store = store_of(now=lambda: now)
    client.index(index=index, id="1", document={"stub": True, "host": "mx"})
    put(store, mail())
    assert client.indices.get_mapping(index=index)[index]["mappings"]["_meta"] == {"origination": now * 1000}


def test_the_members_of_a_document_are_in_order(store_of):
    """Their order is that of the output, which is the same with each store."""
    put(store_of(), mail())
    for query in (Query(), Query(limit=10)):
        [found] = store_of().search(query)
        assert json.dumps(found) == json.dumps(document(mail()))
        assert list(found) == [field.name for field in DOCUMENT if field.name in found]
        assert list(found["to"][0]) == [field.name for field in RECIPIENT_RESULT]


@pytest.mark.parametrize("number", ["1.3.20", "2.19.6", "3.8.0", "7.10.2"])
def test_the_first_reply_shows_the_product(number):
    """A server that pretends to be Elasticsearch 7.10 in its start page is one of AWS, and still OpenSearch."""
    seen = []

    def answer(path, _):
        seen.append(path)
        shown: dict = {"version": {"distribution": "opensearch", "number": number}} if path == "/" else {"a": 1}
        return 200, JSON, json.dumps(shown).encode()

    with proxy(None, answer) as url, closing(Server(url)) as server:
        if number.startswith("1."):
            with pytest.raises(StoreError, match=r"is OpenSearch 1.3.20: mailtrace needs"):
                server.ask("GET", "/x")
            return
        assert server.ask("GET", "/x", flag=True) == {"a": 1}
        assert server.dialect.name == "OpenSearch"
    assert seen == ["/x?flag=true", "/", "/x?flag=true"]


def test_elasticsearch_is_recognised_without_another_request():
    seen = []

    def answer(path, _):
        seen.append(path)
        return 200, {**JSON, "X-elastic-product": "Elasticsearch"}, b"{}"

    with proxy(None, answer) as url, closing(Server(url)) as server:
        server.ask("GET", "/x")
        assert server.dialect.name == "Elasticsearch"
    assert seen == ["/x"]


def test_a_user_who_may_not_see_the_product_is_told_so():
    def answer(path, _):
        denied = {"error": {"type": "security_exception", "reason": "no permissions for [cluster:monitor/main]"}}
        return (403, JSON, json.dumps(denied).encode()) if path == "/" else (200, JSON, b"{}")

    with (
        proxy(None, answer) as url,
        closing(Server(url)) as server,
        pytest.raises(StoreError, match=r"denies this request: .*cluster:monitor/main"),
    ):
        server.ask("GET", "/x")
