# crosspatch: every target sets up what it needs. `make help` lists them.
# Another Python: make PYTHON=python3.12 test

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
LOCKED := $(VENV)/.locked
STAMP  := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test lint check docs bench lock wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

# Each stamp is written last, so a set-up that was cut short is done again from the start.
$(LOCKED): requirements.lock
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --no-compile -r requirements.lock  # compiled on first import: half the time
	touch $@

$(STAMP): $(LOCKED) pyproject.toml
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(PIP) check
	touch $@

demo: $(STAMP)  ## the whole journey on generated data; ends with the page demo/report.html
	$(BIN)/crosspatch demo --out demo

test: $(STAMP)  ## every test (about 8 minutes on 2 cores)
	$(PYTEST) -n 2 --dist worksteal

lint: $(STAMP)  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint  ## the same and the fast tests (a few minutes)
	$(PYTEST) -n 2 --dist worksteal -m "not slow"

docs: $(STAMP)  ## the documentation as a site in site/
	$(BIN)/python tools/make_reference.py
	$(BIN)/zensical build --clean --strict

bench: $(STAMP)  ## every benchmark; results go to benchmarks/results/
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

lock: $(STAMP)  ## the lock file anew from pyproject.toml (UPGRADE=1: newest versions)
	$(BIN)/pip-compile --quiet --extra dev --strip-extras $(if $(UPGRADE),--upgrade) \
		--no-header --no-emit-options --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --annotation-style line --unsafe-package crosspatch --unsafe-package pip --unsafe-package setuptools \
		--output-file requirements.lock pyproject.toml
	$(BIN)/python -c "import pathlib, re; lock = pathlib.Path('requirements.lock'); \
		text = re.sub(r'(?m)^#.*\n', '', lock.read_text()).replace('+cpu', '    ').strip() + '\n'; \
		lock.write_text('# Exact versions for development and CI: make lock\n' + text)"

wheel: $(STAMP)  ## a wheel in dist/, looked into
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .
	$(BIN)/python tools/check_wheel.py dist/*.whl

clean:  ## remove everything that make has made, but not your runs
	rm -rf $(VENV) build dist site demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
