# Two commands do everything on a machine with Python 3.11: `make run` and `make test`.
SHELL := /bin/bash
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$each; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
JOBS ?= 3
FAULT_JOBS ?= 4
KAFKA_PORT ?= 9092
BROKER = $(BIN)/python -m shared.runtime.local_kafka
KAFKA_HOME = $${ARREARS_HOME:-.arrears}/kafka

# Everything started from here is a development run; a process started otherwise is in production unless told.
export ARREARS_ENVIRONMENT ?= development

# Images of containers like to set this one; here every process would compile the whole product anew.
unexport PYTHONDONTWRITEBYTECODE

WITH_KAFKA = $(if $(KAFKA),ARREARS_KAFKA_BOOTSTRAP=$(KAFKA) )

.DEFAULT_GOAL := help
.PHONY: help run test test-faults test-full check fmt demo token bench kafka kafka-stop docs migrate migration lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: $(VENV)/.run ## start everything on embedded defaults; KAFKA=localhost:9092: three processes and a broker (make kafka)
	$(WITH_KAFKA)$(BIN)/python -m services.local

test: $(VENV)/.dev ## run the tests (JOBS=3 processes, ARGS= for pytest)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --no-loadscope-reorder $(ARGS)

test-faults: $(VENV)/.dev ## services, suites and brokers are killed, stopped, wiped and restored
	$(BIN)/python -m pytest -m "faults and not full" -n $(FAULT_JOBS) --dist load --maxschedchunk 1 $(ARGS)

test-full: $(VENV)/.dev ## the long ones: a hundred kills during the whole feed (ARGS=-s shows the figures)
	$(BIN)/python -m pytest -m full $(ARGS)

check: $(VENV)/.dev ## formatting, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.dev ## format, and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

demo: $(VENV)/.run ## six months in a minute or two, over FEED=file.ndjson or the built-in portfolio
	$(WITH_KAFKA)$(BIN)/arrears demo $(if $(FEED),--feed $(FEED))

token: $(VENV)/.run ## a development token for ROLE=collector
	@$(BIN)/arrears token --role $(or $(ROLE),collector)

bench: $(VENV)/.dev ## ours against the limit, as ratios
	$(BIN)/python -m tests.benchmarks

kafka: $(VENV)/.run ## a Kafka broker on 127.0.0.1, KAFKA_PORT=9092; needs Java 17, and Maven the first time
	@$(BROKER) start --home "$(KAFKA_HOME)" --port $(KAFKA_PORT)

kafka-stop: $(VENV)/.run ## stop it; what it holds is kept
	@$(BROKER) stop --home "$(KAFKA_HOME)"

docs: $(VENV)/.run ## write docs/openapi.json and docs/asyncapi.json from the code
	$(BIN)/arrears openapi --out docs/openapi.json
	$(BIN)/arrears asyncapi --out docs/asyncapi.json

migrate: $(VENV)/.run ## bring the database to this version of the schema
	$(BIN)/arrears migrate

migration: $(VENV)/.dev ## write a migration from the tables: NAME=add_something
	$(BIN)/arrears migration "$(NAME)"
	$(BIN)/ruff check --quiet --fix shared/adapters/postgres/migrations
	$(BIN)/ruff format --quiet shared/adapters/postgres/migrations

lock: $(VENV)/.dev ## pin every dependency again, with hashes (needs uv in the environment: pip install uv)
	$(BIN)/uv pip compile pyproject.toml --group build $(LOCK_OPTIONS) -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group build --group dev -c requirements.lock $(LOCK_OPTIONS) -o requirements-dev.lock

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q $(UPGRADE)

clean: ## remove the environment, the embedded database, the Kafka broker and the caches
	@if [ -x $(BIN)/python ] && [ -d "$(KAFKA_HOME)" ]; then $(BROKER) wipe --home "$(KAFKA_HOME)"; fi
	@if [ -x $(BIN)/arrears ] && [ -d "$${ARREARS_HOME:-.arrears}" ]; then $(BIN)/arrears db destroy --yes; fi
	rm -rf "$(KAFKA_HOME)" .arrears/kafka
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none is on the PATH" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: requirements.lock pyproject.toml $(VENV)/.made
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
