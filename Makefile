# Two commands for a newcomer: `make demo` and `make test`. PYTHON chooses the interpreter (3.10 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COVERED := 88

.PHONY: demo test coverage lint format docs package clean bench bench-large bench-reliability

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
	$(BIN)/mailtrace-search --tz Europe/Madrid -f bob@foo.com -d 2011-12-15T00:00:00 -D 2011-12-17T00:00:00 -h smtp -r 10

test: $(VENV)/.test-extras lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# Every test again, with the lines that none of them runs. Python 3.14 is the quickest at it. The floor is what the tests
# reach, and rises with them.
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

# What the documentation takes from the code: flags, settings, fields.
docs: $(BIN)/mailtrace-index
	$(BIN)/python tools/docs.py

package: $(VENV)/.test-extras
	$(BIN)/python -m build --outdir dist .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

# Speed against wc, pflogsumm and the stores' limits: about three quarters of an hour, on a machine that does nothing else.
bench: $(VENV)/.test-extras
	$(BIN)/python -m bench

# Ten million lines and ten million transactions: an hour, and 40 GB of disk.
bench-large: $(VENV)/.test-extras
	$(BIN)/python -m bench --only memory,growth,searches

# 50 kills on each store, and a thousand ways to rotate a log; about ten minutes.
bench-reliability: $(VENV)/.test-extras
	MAILTRACE_KILLS=50 MAILTRACE_ROTATIONS=1000 MAILTRACE_OPEN_TRANSACTIONS=5000000 MAILTRACE_MANY_DOCUMENTS=50000 \
	$(BIN)/python -m pytest -s --timeout 3600 tests/system/reliability tests/stores/elasticsearch/test_searches.py
