# make run    set everything up and show the demo move with its proof
# make test   set everything up and run the tests
# make quick  the tests without the slow ones      make check  formatting, types, layers
# make bench  the figures, beside their peers      make docs   print the reference from the code
# make torture-jobs  whether jobs are lost or done twice when app, workers and PostgreSQL are killed
# make soak  half an hour of ten browsers in the workspace: errors, and growth of memory
# make torture  whether the cache ever serves what is not true any more, beside its peers

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export UV_PROJECT_ENVIRONMENT := $(VENV)

.PHONY: run test quick check bench torture torture-jobs soak docs setup peers clean
.DEFAULT_GOAL := run

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Buttress needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "This Python cannot make environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv sync --locked --quiet --inexact
	@touch $@

run: setup
	@$(BIN)/buttress demo

# Playwright keeps an event loop running in its process, where nothing else can run one.
test: setup
	@$(BIN)/pytest -n auto --dist worksteal --ignore tests/acceptance; others=$$?; \
	$(BIN)/pytest -n auto --dist loadfile tests/acceptance && exit $$others

quick: setup
	@$(BIN)/pytest -n auto --dist worksteal --ignore tests/acceptance -m "not slow"

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: peers
	$(BIN)/python -m benchmarks

torture: peers
	@$(BIN)/python -m benchmarks.torture

soak: setup
	@$(BIN)/python -m benchmarks.soak

torture-jobs: setup
	@$(BIN)/python -m benchmarks.torture_jobs

peers: setup
	@$(BIN)/uv sync --locked --quiet --inexact --group peers

docs: setup
	$(BIN)/python -m docs.generate

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache
