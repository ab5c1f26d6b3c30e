"""Documents that mailtrace 0.1 wrote to Elasticsearch, with facts instead of lines."""

from helpers.elasticsearch_transactions import mail
from mailtrace.indexing.merge import write
from mailtrace.indexing.rebuild import is_outdated, rebuild
from mailtrace.mta.kept_facts import values_of
from mailtrace.search.query import Query


def as_version_1(client, prefix: str, made: dict) -> None:
    """Give every stored document facts instead of lines, and the store no grammar."""
    for hit in client.search(index=f"{prefix}-*", size=100)["hits"]["hits"]:
        source = hit["_source"]
        facts = [[time, *values_of(fact)] for time, fact in made[hit["_id"]].facts]
        del source["lines"]
        client.index(index=hit["_index"], id=hit["_id"], document={**source, "facts": facts}, refresh=True)
    client.indices.put_mapping(index=f"{prefix}_checkpoints", meta={})


def test_facts_become_lines(client, store_of, elasticsearch_prefix):
    store = store_of()
    made = [mail(number) for number in range(3)]
    write(store, made)
    store.commit([])
    before = list(store.search(Query()))
    as_version_1(client, elasticsearch_prefix, {one.id: one for one in made})
    assert before == list(store.search(Query()))
    assert is_outdated(store)
    assert [] == rebuild(store)
    assert not is_outdated(store)
    assert before == list(store.search(Query()))
    hits = client.search(index=f"{elasticsearch_prefix}-*", size=100)["hits"]["hits"]
    assert {True} == {"lines" in hit["_source"] and "facts" not in hit["_source"] for hit in hits}
