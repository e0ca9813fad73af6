SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
COMPILE := $(PY) -m piptools compile --quiet --strip-extras --no-header --allow-unsafe --annotation-style=line \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options
WORKERS ?= 2

.PHONY: help run test check bench lock format words vendor packages clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1|\2/' | column -t -s '|'

run: .venv/.runtime ## a demonstration desk at once: chat, mail and missed calls, on SQLite
	@exec .venv/bin/vuoro demo

test: check ## everything that is checked; the tests last
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup

check: .venv/.development node_modules/.stamp packages ## style, types and contracts, without the tests
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports
	@node_modules/.bin/tsc --project tsconfig.json
	@node .ci/vendor.mjs --check
	@found=$$(find tests -name '*.test.js' -not -path '*/node_modules/*'); if [[ -n $$found ]]; then node --test $$found; fi

bench: .venv/.development ## the desk's speed beside a bare relay and a bare loop, as ratios
	@$(PY) -m tests.bench

lock: .venv/.development ## pin the newest versions that pyproject.toml allows
	$(COMPILE) --upgrade --output-file requirements.lock pyproject.toml
	$(COMPILE) --upgrade --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

format: .venv/.development ## put the code into its form
	@$(PY) -m ruff check --fix --quiet . || true
	@$(PY) -m ruff format .

words: .venv/.development ## bring the catalogues in step with the code; says what waits for a translation
	@$(PY) -m tests.words

vendor: node_modules/.stamp ## make web/static/vendor/ from the packages pinned in package.json
	node .ci/vendor.mjs

packages:
	@.ci/packages

clean: ## remove what the other commands made, but not the desk's data in var/
	rm -rf .venv node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.runtime: requirements.lock pyproject.toml
	@echo "Setting up .venv (once, and again when requirements.lock changes)"
	@.ci/venv
	@$(PIP) install --requirement requirements.lock
	@$(PIP) install --no-deps --editable . >.venv/install.log 2>&1 || { cat .venv/install.log; exit 1; }
	@touch $@

.venv/.development: requirements-dev.lock .venv/.runtime
	@$(PIP) install --requirement requirements-dev.lock
	@touch $@

node_modules/.stamp: package-lock.json | packages
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
