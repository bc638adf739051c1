# What one does with Regulars, on a machine that has python3 (3.11 or newer), pip and make.
# `make help` lists it.

PYTHON ?= python3
PORT ?= 8000
ARGS ?=
export PORT

VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
PIP_INSTALL := install --quiet --disable-pip-version-check --require-hashes
LOCKS := requirements.lock requirements-runtime.lock

.DEFAULT_GOAL := help
.PHONY: help setup demo run worker migrate test test-slow check check-style check-types \
	check-migrations check-deploy check-imports check-openapi check-lock lock bench bench-quick \
	messages screenshots

help: ## List what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.installed ## Make .venv and install everything, tests' and checks' tools too

demo: $(VENV)/.installed-runtime ## Start web and worker on PORT (8000) with demo data
	@$(MANAGE) demo

run: $(VENV)/.installed-runtime ## Start the production server (docs/deployment.md)
	@$(MANAGE) serve

worker: $(VENV)/.installed-runtime ## Start a worker
	@$(MANAGE) worker

migrate: $(VENV)/.installed-runtime ## Make or update the tables in the database
	@$(MANAGE) migrate

test: setup ## Run the tests, on SQLite or on DATABASE_URL; ARGS="tests/contacts -k merge"
	$(BIN)/pytest -n 2 -m "not slow" $(ARGS)

test-slow: setup ## Run the slow tests: browser, races, fuzzing, big files
	$(BIN)/pytest -n 2 -m slow $(ARGS)

check: check-style check-types check-migrations check-deploy check-imports check-openapi check-lock ## Run all that CI checks beside the tests
	@echo "All checks passed."

check-style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types: setup
	$(BIN)/mypy .

check-migrations: setup
	$(MANAGE) makemigrations --check --dry-run

# As on a real server: a secret key, a name that others can reach, nothing for trying out.
check-deploy: setup
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
		ALLOWED_HOSTS=crm.example.com $(MANAGE) check --deploy --fail-level WARNING

check-imports: setup
	$(BIN)/lint-imports

check-openapi: setup
	$(MANAGE) spectacular --validate --fail-on-warn --file /dev/null

check-lock:
	@if grep -n '://' $(LOCKS); then echo "A lock must not name the registry of one machine."; exit 1; fi

lock: setup ## Resolve pyproject.toml into the locks anew
	$(BIN)/uv pip compile $(UV) pyproject.toml --group dev --output-file requirements.lock
	$(BIN)/uv pip compile $(UV) pyproject.toml --constraint requirements.lock --output-file requirements-runtime.lock

UV := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

screenshots: setup ## Take the pictures of the README and docs/ anew; ARGS="contact"
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

bench: setup ## Measure speed against floors of the same run (benchmarks/README.md)
	$(BIN)/python -m benchmarks --size large $(ARGS)

bench-quick: setup ## The same on a twentieth of the data
	$(BIN)/python -m benchmarks --size quick $(ARGS)

messages: setup ## Write marked texts into locale/ and compile them (docs/translate.md)
	@$(MANAGE) messages

# Debian keeps the part of python3 that puts pip into a new environment in a package of its own;
# the pip that is there can install into the environment just as well.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Regulars needs Python 3.11 or newer; this is %s. Name another one: make PYTHON=python3.12" % sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(VENV)

$(VENV)/.installed-runtime: requirements-runtime.lock | $(VENV)/bin/python
	@echo "Installing what Regulars needs into $(VENV) (a minute, once) …"
	@$(call pip,requirements-runtime.lock)
	@touch $@

$(VENV)/.installed: requirements.lock | $(VENV)/bin/python
	@echo "Installing what Regulars and its tests need into $(VENV) (two minutes, once) …"
	@$(call pip,requirements.lock)
	@touch $@ $(VENV)/.installed-runtime

pip = if [ -x $(BIN)/pip ]; then $(BIN)/python -m pip $(PIP_INSTALL) -r $(1); \
	else $(PYTHON) -m pip --python $(BIN)/python $(PIP_INSTALL) -r $(1); fi
