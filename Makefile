# Every target sets up .venv by itself. Another Python: `make test PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OLD := .venv-oldest

.PHONY: test fast lint demo browser oldest clean

# One thread per worker: two workers of one thread are faster than two that compete.
test fast browser oldest: export OMP_NUM_THREADS := 1
test fast browser oldest: export MKL_NUM_THREADS := 1
# Without it scikit-learn skips its array API check.
test fast browser oldest: export SCIPY_ARRAY_API := 1

test: lint  # every check
	$(BIN)/python -m pytest -n 2

fast: $(READY)  # the tests of a few seconds each
	$(BIN)/python -m pytest -n 2 -m "not slow"

lint: $(READY)  # style, floors, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

browser: $(READY)  # the tests of the report page, in a Chromium that is there
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[browser]'
	$(BIN)/python -m pytest tests/inspection/test_report_in_browser.py

# Where a library of then warns of its own end, that is no finding: hence -W default.
oldest: $(OLD)/.ready  # the tests with the oldest versions that are supported
	$(OLD)/bin/python -m pytest -n 2 -m "not slow" -W default

demo: $(READY)  # the main job on real data
	$(BIN)/python docs/examples/plot_flights.py
	$(BIN)/python docs/examples/plot_retail.py

clean:  # leaves nothing but the sources
	rm -rf $(VENV) $(OLD) build dist *.egg-info .coverage* .hypothesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "sk-attention needs Python 3.11 or later, which '$(PYTHON)' is not:" \
	         "name one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# Installed again when the dependencies or the version change.
$(READY): pyproject.toml constraints.txt sk_attention/__init__.py | $(BIN)/python
	@echo "Setting up $(VENV): a few minutes the first time."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(OLD)/.ready: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv $(OLD)
	$(OLD)/bin/python -m pip install --quiet --constraint constraints-oldest.txt --editable '.[fair,frame,plot,test,track]'
	@touch $@
