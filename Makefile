# Start with `make demo` or `make test`. PYTHON chooses the interpreter (3.10 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COVERED := 88

.PHONY: demo test test-opensearch test-cluster coverage lint format docs package clean bench bench-large bench-reliability

$(BIN)/mailtrace-index: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.test-extras: $(BIN)/mailtrace-index
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: $(BIN)/mailtrace-index
	@store=$$(mktemp -d) && trap 'rm -rf "$$store"' EXIT && set -ex && export MAILTRACE_STORE=sqlite:$$store/mailtrace.db && \
	$(BIN)/mailtrace-index -y 2011 --tz Europe/Madrid sample_logs/sendmail.log && \
	$(BIN)/mailtrace-index -y 2026 --tz UTC sample_logs/postfix.log sample_logs/mixed.log.gz && \
	$(BIN)/mailtrace-index --host mail --tz UTC sample_logs/exim.log && \
	$(BIN)/mailtrace-search --tz Europe/Madrid -f bob@foo.com -d 2011-12-15T00:00:00 -D 2011-12-17T00:00:00 -h smtp -r 10

test: $(VENV)/.test-extras lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The version that takes the place of Elasticsearch: OPENSEARCH=2.19.6 make test-opensearch
OPENSEARCH ?= 3.8.0

# Takes about nine minutes on two cores.
test-opensearch: $(VENV)/.test-extras
	MAILTRACE_TEST_OPENSEARCH_VERSION=$(OPENSEARCH) $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder \
	-k 'not sqlite' tests/stores/conformance tests/stores/elasticsearch tests/system/reliability

# Kills, restarts and fills nodes of a cluster of three. Takes about ten minutes on two cores and 4 GB of memory. With OpenSearch:
# MAILTRACE_TEST_OPENSEARCH_VERSION=3.8.0 make test-cluster
test-cluster: $(VENV)/.test-extras
	MAILTRACE_TEST_CLUSTER=1 $(BIN)/python -m pytest -s tests/system/cluster

# Runs every test and lists the lines that no test runs. Fastest on Python 3.14. Raise COVERED when coverage rises.
coverage: $(VENV)/.test-extras
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=$(COVERED)

lint: $(VENV)/.test-extras
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini

format: $(VENV)/.test-extras
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Writes flags, settings and fields from the code into the documentation, the shell completions, and the dashboards.
docs: $(BIN)/mailtrace-index
	$(BIN)/python tools/docs.py
	$(BIN)/python tools/dashboards.py

package: $(VENV)/.test-extras
	$(BIN)/python -m build --outdir dist .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

# Compares speed with wc, pflogsumm and the limits of the stores. Takes about 45 minutes on an otherwise idle machine.
bench: $(VENV)/.test-extras
	$(BIN)/python -m bench

# Ten million lines and ten million transactions. Takes an hour and 40 GB of disk.
bench-large: $(VENV)/.test-extras
	$(BIN)/python -m bench --only memory,growth,rebuild,searches,node,nodes

# Kills the indexer 150 times per store, and rotates a log in a thousand ways. Takes about half an hour.
bench-reliability: $(VENV)/.test-extras
	MAILTRACE_KILLS=50 MAILTRACE_ROTATIONS=1000 MAILTRACE_OPEN_TRANSACTIONS=5000000 MAILTRACE_MANY_DOCUMENTS=50000 \
	$(BIN)/python -m pytest -s --timeout 3600 tests/system/reliability tests/stores/elasticsearch/test_searches.py
