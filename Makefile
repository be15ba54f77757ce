# article-qa: `make` lists what there is to do. Needs git, GNU make and Python 3.11 or newer with venv.
#
# Everything is installed into .venv from the hash-locked requirements files, once: the stamp files
# in .venv say what is there, and only a change of a lock file or of pyproject.toml installs again.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

UV ?= uv
SEEDS := seeds
SEEDS_INDEX := var/seeds-index
SEEDS_STAMP := var/.seeds-indexed

# A question is text, never code: taken unexpanded, and handed over in the environment, so that
# quotes, $$, ` and ? reach the program as they were typed.
override Q := $(value Q)
export Q

# The first Python that really runs (a version manager's shim may not), is new enough, has venv.
# An empty answer is explained where .venv is made.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' \
		>/dev/null 2>&1 && { echo $$python; break; }; done)

PIP_INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check

##@ Use
.PHONY: chat ask index
chat: .venv/.runtime ## open the chat on the articles in seeds/
	@.venv/bin/article-qa chat $(SEEDS) --index $(SEEDS_INDEX) \
		--example "Who claimed control of Graivoron?" \
		--example "Who voted against the annexation of Crimea?" \
		--example "When did Chandrayaan-3 land?" \
		--example "How many people had died in the flood by 17 June?"

ask: .venv/.runtime ## ask one question: make ask Q="When did Chandrayaan-3 land?"
	@[[ -n "$${Q//[[:space:]]/}" ]] || \
		{ echo 'What is the question? For example: make ask Q="When did Chandrayaan-3 land?"' >&2; exit 2; }
	@# Index first only if an article or the indexing code is newer than the last time.
	@if [[ ! -e $(SEEDS_INDEX)/CURRENT || ! -e $(SEEDS_STAMP) || -n "$$(find $(SEEDS) index \
			-name __pycache__ -prune -o -newer $(SEEDS_STAMP) -print -quit)" ]]; then \
		$(MAKE) --no-print-directory index >&2; fi
	@# Status 1 says "the articles do not say": an answer, not a failure of make.
	@.venv/bin/article-qa ask --index $(SEEDS_INDEX) -- "$$Q" || (($$? == 1))

index: .venv/.runtime ## index what changed in seeds/
	@mkdir -p var && touch $(SEEDS_STAMP).new # dated before, so that a change meanwhile counts
	@.venv/bin/article-qa index $(SEEDS) --index $(SEEDS_INDEX)
	@mv $(SEEDS_STAMP).new $(SEEDS_STAMP)

##@ Develop
.PHONY: test lint format lock bench clean help
test: lint ## check everything: lint, then all tests (browser tests need a system Chromium)
	.venv/bin/python -m pytest -q

lint: .venv/.test ## check style and types
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

format: .venv/.test ## put the code into the house style
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .

# The index and settings of this machine stay out: the locks hold names, versions and hashes only.
# Versions already locked are kept where they still fit; UPGRADE=1 takes the newest of all.
LOCK := env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_INDEX_URL -u UV_FIND_LINKS \
	$(UV) pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) pyproject.toml --group build
lock: ## write requirements*.txt anew from pyproject.toml (needs uv; UPGRADE=1 for newest versions)
	@command -v $(UV) >/dev/null || { echo 'make lock needs uv: https://docs.astral.sh/uv/' >&2; exit 2; }
	$(LOCK) --output-file requirements.txt
	$(LOCK) --constraints requirements.txt --extra test --output-file requirements-test.txt

.PHONY: faults
faults: .venv/.test ## try every fault many times: kills, hostile files (an hour); prints one table
	.venv/bin/python -m tests.faults.run

bench: .venv/.test ## measure speed and quality; prints the README's tables
	@for script in $(wildcard benchmarks/[!_]*.py); do .venv/bin/python $$script; done

clean: ## remove .venv, the caches and the index of seeds/
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis $(SEEDS_INDEX) $(SEEDS_STAMP)*
	find . -path ./.git -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

help: ## list these targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "%s%s\n", (n++ ? "\n" : ""), substr($$0, 5) } \
		/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

# --- .venv -----------------------------------------------------------------------------------

.venv/.made:
	@[[ -n "$(PYTHON)" ]] || { echo "No Python 3.11 or newer with venv was found." \
		"Install one (Debian: apt install python3 python3-venv), or name it:" \
		"make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(PYTHON) will not do: Python 3.11 or newer with venv is needed." >&2; exit 2; }
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/.runtime: .venv/.made requirements.txt pyproject.toml
	@echo 'Installing into .venv: once, a minute or two.' >&2
	@$(PIP_INSTALL) --require-hashes -r requirements.txt
	@$(PIP_INSTALL) --no-build-isolation --no-deps -e .
	@touch $@

.venv/.test: .venv/.made requirements-test.txt requirements.txt pyproject.toml
	@echo 'Installing into .venv, with what the tests need: once, two or three minutes.' >&2
	@$(PIP_INSTALL) --require-hashes -r requirements-test.txt
	@$(PIP_INSTALL) --no-build-isolation --no-deps -e .
	@touch .venv/.runtime $@
