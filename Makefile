# Faultline. Each target sets up what it needs, says what it does, and works a second time at once.
#   make demo     the whole thing on this machine: collector, 36 agents, faults to inject, the live map
#   make test     everything that CI checks
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
export UV_SYSTEM_CERTS := 1
# numpy is used on small arrays, by several tests at once: its threads would only wait for each other.
export OPENBLAS_NUM_THREADS := 1
UV := build/tools/uv
RUN := .venv/bin/python
SOURCES := agent collector protos scripts tests
# What judges: it decides, so every branch of it is walked. The rest has a gate of its own.
JUDGES := */faultline/ranges.py,*/faultline/backoff.py,*/faultline/config.py,*/faultline/plain.py,*/faultline/problems.py,*/faultline_agent/schedule.py,*/faultline_agent/health.py,*/faultline_agent/guard.py,*/faultline_agent/policy.py,*/faultline_agent/spool.py,*/faultline_agent/mark.py,*/faultline_agent/wreck.py,*/faultline_collector/correlate/*,*/faultline_collector/ingest/admit.py,*/faultline_collector/ingest/ledger.py,*/faultline_collector/outages.py,*/faultline_collector/notify/kinds.py,*/faultline_collector/notify/routes.py,*/faultline_collector/notify/fate.py
GENERATORS := scripts.generate scripts.documents
GATE_JUDGES := 100
GATE_REST := 85
# Where tests only compute. `make test` runs them at the lowest priority beside all others, most of which wait; no
# time is measured in them, and so none of theirs runs out.
COMPUTE := tests/collector/correlate tests/collector/worlds tests/collector/replay tests/collector/incidents tests/bench
# End-to-end tests that only compute or build.
ASIDE := tests/collector tests/test_distributions.py
# Tests of programs as processes, most of whose time is waiting: beside the end-to-end tests.
PROCESSES := $(addprefix tests/collector/,app/test_backup.py app/test_process.py lab/test_run.py mqtt/test_process.py \
  mqtt/test_trouble.py notify/test_kills.py stores/influxdb/test_kills.py)
STORY_TESTS := tests/e2e/test_story.py
LOUD := $(RUN) -m pytest -q -m "e2e and not soak" -o log_cli=true -o log_cli_level=INFO
UNIT := not browser and not e2e and not soak
COVERED := $(RUN) -m coverage run -m pytest -q -m "$(UNIT)"
# Tests side by side: two workers. Warnings are errors by pytest's settings; `-X dev` beside coverage took longer than
# CI has.
SIDE_BY_SIDE := --tx "2*popen//python=$(RUN)" --dist worksteal
# `beside` runs targets in the background, by a command that may lower their priority; `rejoin` waits for them and shows
# what they said. They are a process group of their own, which ends with the recipe.
beside = setsid $(1) $(MAKE) --no-print-directory $(2) > build/$(firstword $(2)).out 2>&1 & \
  $(firstword $(2))=$$!; ended+=" -$$!"
ending = mkdir -p build; ended=; trap '[ -z "$$ended" ] || kill -- $$ended 2>/dev/null || true' EXIT
rejoin = joined=0; wait $$$(1) || joined=$$?; cat build/$(1).out; [ $$joined = 0 ]
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help setup page servers influxd demo test lint check protos unit browser e2e docs bench soak wheels clean
.PHONY: gates meeting processes computing aside story others

help: ## what there is to make
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

# Whatever its age: what it links to may be older than the clone.
build/tools/uv:
	$(call say,uv: the package manager)
	@bash scripts/uv.sh

.venv/.synced: uv.lock pyproject.toml agent/pyproject.toml collector/pyproject.toml protos/pyproject.toml | build/tools/uv
	$(call say,Python packages into .venv (uv sync))
	@$(UV) sync --frozen --python '>=3.11'
	@touch .venv/.synced

setup: .venv/.synced ## uv, the Python packages, the page
	@$(MAKE) --no-print-directory page

page: .venv/.synced ## builds the map (only when its source changed)
	@$(RUN) collector/web/build.py

servers: ## Debian's Chromium and Mosquitto, for tests and the demo (root)
	@bash scripts/servers.sh chromium mosquitto prometheus-alertmanager iproute2 nftables

influxd: ## builds the InfluxDB server for tests and the demo, once (go, cargo; about five minutes)
	@bash scripts/influxd.sh

demo: setup ## a small world here; STORY=1 tells a story; STORE=influxdb UPLINK=mqtt|mixed: on real servers
	@if [ "$(STORE)" = influxdb ]; then bash scripts/influxd.sh; fi
	if [ "$(filter mqtt mixed,$(UPLINK))" ]; then bash scripts/servers.sh mosquitto; fi
	$(call say,the demo; Ctrl-C ends it)
	@exec .venv/bin/faultline demo $(if $(STORY),--story) $(if $(STORE),--store $(STORE)) $(if $(UPLINK),--uplink $(UPLINK))

lint: .venv/.synced ## ruff: style and formatting
	$(call say,lint: ruff)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

check: .venv/.synced ## types, import contracts, generated files, the wire
	$(call say,check: mypy --strict over source and tests)
	@.venv/bin/mypy $(SOURCES)
	$(call say,check: import contracts)
	@.venv/bin/lint-imports
	$(call say,check: generated code is current)
	@for module in $(GENERATORS); do $(RUN) -m $$module --check; done
	$(call say,check: buf lint)
	@bash scripts/buf.sh lint protos

protos: .venv/.synced ## writes all generated files anew
	@for module in $(GENERATORS); do $(RUN) -m $$module; done

unit: setup servers ## unit and integration tests with coverage gates
	@bash scripts/influxd.sh --if-possible
	$(call say,unit tests)
	@.venv/bin/coverage erase
	@$(COVERED) $(SIDE_BY_SIDE)
	@$(MAKE) --no-print-directory gates

gates:
	@.venv/bin/coverage combine -q
	@echo "coverage of what judges (gate $(GATE_JUDGES) %):"
	@.venv/bin/coverage report --include='$(JUDGES)' --fail-under=$(GATE_JUDGES)
	@echo "coverage of the rest (gate $(GATE_REST) %):"
	@.venv/bin/coverage report --omit='$(JUDGES),*/v1/*_pb2*' --skip-covered --fail-under=$(GATE_REST)

# The three parts of the unit tests, as `make test` runs them.
meeting: setup
	$(call say,unit tests that meet files or servers)
	@$(COVERED) $(SIDE_BY_SIDE) $(addprefix --ignore=,$(COMPUTE) $(PROCESSES))

processes: setup
	$(call say,unit tests of programs as processes)
	@$(COVERED) $(PROCESSES)

computing: setup
	$(call say,unit tests that only compute)
	@$(COVERED) --timeout=1200 $(COMPUTE)

browser: setup servers ## the page in Debian's Chromium
	$(call say,browser tests)
	@$(RUN) -m pytest -q -m browser

e2e: setup servers ## the story and the kills, with real processes
	@$(ending)
	$(call beside,nice -n 19,aside)
	$(MAKE) --no-print-directory story others
	$(call rejoin,aside)

aside: setup
	$(call say,end-to-end tests that only compute or build)
	@$(RUN) -m pytest -q -m "e2e and not soak" $(ASIDE)

# In the story seconds are counted while 36 agents run: nothing but what yields to it runs beside it.
story: setup
	$(call say,end-to-end tests: the story)
	@$(LOUD) $(STORY_TESTS)

others: setup
	@bash scripts/influxd.sh --if-possible
	$(call say,end-to-end tests: real processes)
	@$(LOUD) $(ASIDE:%=--ignore=%) --ignore=$(STORY_TESTS)

# What it runs is what `make lint check unit browser e2e` runs, so that neither core is idle: what only computes takes
# what the others leave.
test: setup servers ## everything that CI checks
	@started=$$SECONDS
	$(ending)
	bash scripts/influxd.sh --if-possible
	.venv/bin/coverage erase
	part() { at=$$SECONDS; "$${@:2}"; printf '\033[1m==> %s: %d s\033[0m\n' "$$1" "$$((SECONDS - at))"; }
	part lint $(MAKE) --no-print-directory lint
	$(call beside,nice -n 19,check computing aside)
	part meeting $(MAKE) --no-print-directory meeting
	part story $(MAKE) --no-print-directory story
	$(call beside,,processes browser)
	part others $(MAKE) --no-print-directory others
	waited() { $(call rejoin,processes); $(call rejoin,check); }
	part "what ran beside" waited
	$(MAKE) --no-print-directory gates
	printf '\033[1m==> all green in %d s\033[0m\n' "$$((SECONDS - started))"

bench: setup ## measures, prints a table, writes build/bench.json; ONLY=name for one
	@bash scripts/servers.sh nginx prometheus-blackbox-exporter
	$(call say,benchmarks)
	@$(RUN) -m tests.bench $(ONLY)

soak: setup ## what takes longer than CI has; prints the table for docs/soak.md
	$(call say,soak)
	@$(RUN) -m tests.soak

wheels: setup ## the three distributions into dist/
	@$(UV) build --all-packages --wheel --out-dir dist

clean: ## forgets what was built
	rm -rf build dist .venv .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
