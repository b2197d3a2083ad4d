# Every command of the project. On a fresh machine: `make run`, or `make test`.
SHELL := /bin/sh
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
PYTHON := .venv/bin/python
BRING_UV = command -v $(UV) >/dev/null 2>&1 || (python3 -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION))
CARGO := $(shell command -v cargo 2>/dev/null || echo $$HOME/.cargo/bin/cargo)
EXPRESS := express/target/release/libjornada_express.so
DATA := $(or $(JORNADA_DATA_DIR),.jornada)
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
export PYO3_NO_PYTHON := 1
export CARGO_HTTP_TIMEOUT := 10
export CARGO_NET_RETRY := 1
export JORNADA_DATA_DIR := $(DATA)

.PHONY: run test check lint format demo kafka bench setup

run: ## everything in one process (KAFKA=1: on a real Kafka, started if none answers)
	@$(MAKE) -s -j2 .venv/.for-run $(EXPRESS)
	@$(PLACE_EXPRESS)
	@JORNADA_MODE=local exec $(PYTHON) -m services $(if $(KAFKA),--kafka)

test: setup ## all tests; what a machine cannot offer is skipped loudly, and fails under JORNADA_CI=1
	@$(PYTHON) -m pytest -q $(TESTS)

check: lint test ## what CI runs

lint: setup ## format, lint, types, import rules, dependencies, manifests
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/deptry --no-ansi services && cd shared && ../.venv/bin/deptry --no-ansi jornada
	@[ ! -x $(CARGO) ] || (cd express && $(CARGO) fmt --check && $(CARGO) clippy --quiet --release --locked -- -D warnings)

format: setup ## rewrites the code as the formatter wants it
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .
	@[ ! -x $(CARGO) ] || (cd express && $(CARGO) fmt)

demo: .venv/.for-run $(DATA)/cdnow/lifetimes ## the story, and 69,659 real purchases, into the Jornada that runs
	@JORNADA_MODE=local $(PYTHON) -m services.console.demo

kafka: .venv/.for-run ## a real Apache Kafka without Docker, in the foreground
	@$(PYTHON) -m jornada.bus.local_kafka --data $(DATA)/kafka

bench: setup ## what it costs, with floors and peers beside us: ratios (SUBJECTS=, ROUNDS=)
	@$(PYTHON) -m bench $(SUBJECTS) --rounds $(or $(ROUNDS),7)

setup:
	@$(MAKE) -s -j2 .venv/.for-work $(EXPRESS)
	@$(PLACE_EXPRESS)

.venv/.for-run: pyproject.toml shared/pyproject.toml uv.lock
	@$(BRING_UV)
	@$(UV) sync --quiet --frozen --all-packages --no-dev --inexact
	@touch $@

.venv/.for-work: pyproject.toml shared/pyproject.toml uv.lock
	@$(BRING_UV)
	@$(UV) sync --quiet --frozen --all-packages
	@touch $@ .venv/.for-run

# Ingest's native lane. What it is not built for runs without it, slower; one that was built of other sources must go.
$(EXPRESS): express/Cargo.toml express/Cargo.lock $(wildcard express/src/*.rs)
	@if [ -x $(CARGO) ] && $(CARGO) build --quiet --release --locked --manifest-path express/Cargo.toml; then touch $@; \
	else rm -f $@; echo "No express lane was built (it needs cargo, https://rustup.rs): ingest is slower." >&2; \
	[ -z "$$JORNADA_CI" ]; fi

define PLACE_EXPRESS
for site in .venv/lib/python3*/site-packages; do \
	if [ ! -f $(EXPRESS) ]; then rm -f $$site/jornada_express.abi3.so; \
	else cmp -s $(EXPRESS) $$site/jornada_express.abi3.so || install -m 644 $(EXPRESS) $$site/jornada_express.abi3.so; fi; \
done
endef

$(DATA)/cdnow/lifetimes: services/console/demo/requirements.txt
	@$(UV) pip install --quiet --no-deps --require-hashes --target $(DATA)/cdnow -r $<
	@touch $@
