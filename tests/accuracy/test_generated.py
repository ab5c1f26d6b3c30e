"""Generated logs with known documents: larger and more random than the logs of real servers."""

import pytest

from helpers.accuracy.generated_log import generate, generated_faults
from helpers.commands import documents, index

TRANSACTIONS = 2000


@pytest.mark.parametrize("timestamps", ["rfc3164", "iso8601"])
@pytest.mark.parametrize("mta", ["postfix", "sendmail", "mixed"])
def test_every_document_of_a_generated_log_is_exact(mta, timestamps, tmp_path, scored):
    generated = generate(tmp_path, mta, timestamps, TRANSACTIONS)
    store = f"sqlite:{tmp_path}/store.db"
    indexed = index(store, [generated.log])
    assert indexed.status == 0, indexed.summary
    faults = generated_faults(generated, documents(store))
    assert [] == scored(f"generated {mta} {timestamps}", len(generated.truth), faults)
