# The verbs of the project; `make` alone lists them. Needs python3.11 and make, nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# What to run on; leave a variable out to take the value of CONFIG or the default.
SOURCE ?=
TARGET ?=
CORPORA ?=
ENCODER ?=
PRESET ?=
MODE ?=
ONLY ?=
SEEDS ?=
WORKERS ?=
CONFIG ?=
WORK ?= work
CRON ?= 0 3 * * *
SNAPSHOT ?=
RUN ?=
ARGS ?=

option = $(if $($(1)),--$(2) '$($(1))')
PLACE = --work '$(WORK)'
BUILD = $(PLACE) $(call option,CONFIG,config) $(call option,SOURCE,source) $(call option,TARGET,target) \
	$(call option,CORPORA,corpora) $(call option,ENCODER,encoder) $(call option,WORKERS,workers)
TRAIN = $(BUILD) $(call option,PRESET,preset) $(call option,MODE,mode) $(call option,ONLY,only) \
	$(call option,SEEDS,seeds)

.PHONY: help setup test s3-server lint types bench-store bench-features features train-crosslingual report verify schedule lock clean

help: ## list the verbs
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Variables: SOURCE TARGET CORPORA ENCODER PRESET MODE ONLY SEEDS WORKERS CONFIG WORK CRON RUN ARGS"

setup: $(READY) ## make .venv from requirements.lock

$(READY): requirements.lock pyproject.toml
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
		echo "expected Python 3.11; found '$(PYTHON)'; to mend it: install it or pass PYTHON=/path/to/python3.11" >&2; \
		exit 2; }
	@echo "Setting up $(VENV): $$(grep -c '==' requirements.lock) packages, a few minutes the first time ..."
	@'$(PYTHON)' -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
	@touch $@
	@echo "$(VENV) is ready."

test: setup ## run the tests
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

s3-server: setup ## start a real S3 server for tests and print its variables (docs/s3.md)
	@tests/s3/radosgw.sh fetch
	@PATH="$(CURDIR)/$(BIN):$$PATH" tests/s3/radosgw.sh serve build/s3-server 7480

lint: setup ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## check the types
	$(BIN)/mypy

.PHONY: bench-align
bench-align: setup ## measure the aligner against EMO-DB's hand labels and pocketsphinx (CORPORA=folder)
	@$(BIN)/python -m benchmarks.alignment $(if $(CORPORA),'$(CORPORA)') $(ARGS)

features: setup ## ingest, align, extract, commit and verify; no training
	@$(BIN)/python -m flows features $(BUILD) $(ARGS)

train-crosslingual: setup ## the main job, from audio to the result table (the embedded sample unless SOURCE and TARGET say otherwise)
	@$(BIN)/python -m flows train-crosslingual $(TRAIN) $(ARGS)

report: setup ## write the report of a run anew (RUN=its id; the newest by default)
	@$(BIN)/python -m flows report $(PLACE) $(RUN) $(ARGS)

verify: setup ## read the whole store again and check it (SNAPSHOT=id or tag; the newest by default)
	@$(BIN)/python -m flows store verify $(PLACE) $(SNAPSHOT) $(ARGS)

bench-store: setup ## measure the store against other formats (CORPORA=folder adds the bytes of real log-mel)
	@$(BIN)/python -m benchmarks.store $(call option,CORPORA,corpora) $(ARGS)

bench-features: setup ## measure extraction against bare kernels and other tools (CORPORA=folder; ARGS="--only peers")
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.features $(call option,CORPORA,corpora) $(ARGS)

schedule: setup ## rebuild the features on a schedule (CRON="0 3 * * *") until Ctrl-C
	@$(BIN)/python -m flows schedule --cron '$(CRON)' $(BUILD) $(ARGS)

lock: ## resolve the dependencies of pyproject.toml anew into requirements.lock
	@rm -rf build/lock && '$(PYTHON)' -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@{ echo "# Exact versions of everything; regenerate with 'make lock'."; \
		build/lock/bin/python -m pip freeze --all --exclude-editable | sed 's/+cpu$$//' | grep -Ev '^(pip|wheel)=='; \
	} > build/requirements.lock
	@mv build/requirements.lock requirements.lock
	@rm -rf build/lock

clean: ## delete .venv, caches and build files (the working folder stays)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
