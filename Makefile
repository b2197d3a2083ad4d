# Every command of the project. On a fresh machine: `make test`.
SHELL := /bin/sh
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
PYTHON := .venv/bin/python
DATA := $(or $(JORNADA_DATA_DIR),.jornada)
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
export JORNADA_DATA_DIR := $(DATA)

.PHONY: test check lint format kafka setup

test: setup ## all tests; what a machine cannot offer is skipped loudly, and fails under JORNADA_CI=1
	@$(PYTHON) -m pytest -q $(TESTS)

check: lint test ## what CI runs

lint: setup ## format, lint, types, import rules, dependencies, manifests
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy

format: setup ## rewrites the code as the formatter wants it
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

kafka: setup ## a real Apache Kafka without Docker, in the foreground
	@$(PYTHON) -m jornada.bus.local_kafka --data $(DATA)/kafka

setup: .venv/.synced

.venv/.synced: pyproject.toml shared/pyproject.toml uv.lock
	@command -v $(UV) >/dev/null 2>&1 || (python3 -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION))
	@$(UV) sync --quiet --frozen --all-packages
	@touch $@
