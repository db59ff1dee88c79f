# Everything one does here, one line each: `make` explains them. Each target first brings .venv up to date.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
# What `make dev ARGS="--port 0"` or `make test ARGS="-k relay"` hands on.
ARGS ?=
# What is left out takes minutes, and runs in CI.
FAST := not long and not scale and not browser
# More workers than cores: on a machine with two, a third of the time is spent waiting.
WORKERS ?= 3

BIN := $(CURDIR)/.venv/bin
INSTALLED := .venv/.installed
COMPOSE ?= docker compose

.DEFAULT_GOAL := help
.PHONY: help setup dev demo pages test coverage lint types bench up down build clean

help: ## explain the targets
	@echo 'make <target>, from a clean checkout with Python 3.11 or newer:'
	@sed -n 's/^\([a-z]*\):[^#]*## /  \1\t/p' Makefile | expand -t 12

setup: $(INSTALLED) ## make .venv with both packages and the tools (quick when nothing changed)

# The first recipe line names a wrong Python before anything is made with it.
$(INSTALLED): pyproject.toml configclient/pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo 'configsvc needs Python 3.11 or newer: install it, or name one with make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'setting up .venv (once; about a minute)'
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --upgrade pip
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --build-constraint constraints.txt --group dev \
	  --editable '.[dev-servers,aws-kms,vault]' --editable 'configclient[cli,keyring,prometheus]'
	@touch $@

dev: $(INSTALLED) ## run everything here, in the foreground: http://127.0.0.1:8400 (ARGS="--port 0")
	@exec $(BIN)/configsvc dev $(ARGS)

demo: $(INSTALLED) ## see it work: four processes, real settings, Valkey killed and brought back (under a minute)
	@exec $(BIN)/python -m examples.demo $(ARGS)

pages: $(INSTALLED) ## take pictures of all admin pages, with sample data, into docs/pages (needs chromium)
	@exec $(BIN)/python -m examples.pages docs/pages

test: $(INSTALLED) ## run the fast suite (ARGS="-k relay")
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m '$(FAST)' $(ARGS)

coverage: $(INSTALLED) ## the same, and say which lines of both packages did not run (up to twice the processor time)
	@$(BIN)/coverage erase
	-@$(BIN)/coverage run -m pytest -n $(WORKERS) --dist loadgroup -m '$(FAST)' $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

lint: $(INSTALLED) ## check style and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo 'run: .venv/bin/ruff format .' >&2; exit 1; }
	@cd configclient/src && $(BIN)/lint-imports --no-logo --config ../../pyproject.toml --cache-dir ../../.import_linter_cache

types: $(INSTALLED) ## check the types of both packages, strictly
	@$(BIN)/mypy

bench: $(INSTALLED) .venv/.peers ## measure against floors and peers, into benchmarks/results (ARGS="reads push")
	@exec $(BIN)/python -m benchmarks $(ARGS)

# Optional: without them the benchmarks say what they skip.
.venv/.peers: benchmarks/peers.txt | $(INSTALLED)
	@"$(PYTHON)" -m venv .venv/peers
	@.venv/peers/bin/python -m pip install -qq --requirement benchmarks/peers.txt && touch $@ || \
	  echo 'the peers are not installed, and skipped'

up: .env ## run the images of compose.yaml (Postgres, Redis, configsvc) on loopback
	@$(COMPOSE) up --build --detach --wait
	@echo 'http://127.0.0.1:8400 is up. A first token:'
	@echo '  $(COMPOSE) exec configsvc configsvc token create --name root --role admin'

down: ## stop the images; their data stay (docker compose down --volumes removes them)
	@$(COMPOSE) down

# Made once, readable by its owner alone. Hexadecimal, so that the passwords fit into URLs.
.env: | $(INSTALLED)
	@umask 077 && $(BIN)/python -c 'import secrets; \
	  [print(f"{name}={secrets.token_hex(24)}") for name in \
	  ("POSTGRES_PASSWORD", "SERVICE_DB_PASSWORD", "REDIS_PUBLISHER_PASSWORD", "REDIS_ADMIN_PASSWORD")]' > $@.new
	@mv $@.new $@

build: $(INSTALLED) ## build the wheels and source archives of both packages into dist/
	@$(BIN)/python -m hatchling build -d dist
	@cd configclient && $(BIN)/python -m hatchling build -d ../dist

clean: ## remove .venv, dist and caches; what `make dev` stored in .dev stays
	rm -rf .venv dist build .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
