# `make help` lists what there is. Each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run samples test browser prism screenshot lint format bench model lock clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install everything into .venv

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vsearch needs Python 3.11 or newer; name one with make PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what vsearch needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: setup ## start the bot: against Slack if its tokens are set (environment or .env), else the demo (RESET=1: afresh)
	@exec $(BIN)/python -m examples

samples: setup ## fetch and draw the sample catalogue into build/samples
	$(BIN)/python -m examples.samples build/samples

bench: setup ## speed, memory and quality, as ratios (VSEARCH_BENCH_IMAGES names a folder of pictures)
	$(BIN)/python -m bench

model: setup ## build the embedding model again from its package (VSEARCH_BENCH_IMAGES: pictures to calibrate on)
	$(BIN)/python scripts/build_model.py --pictures "$(VSEARCH_BENCH_IMAGES)"

test: setup ## lint, then every test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory browser
	@$(MAKE) --no-print-directory prism
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

browser: setup ## fetch what the browser tests need, if it is not here: a Chromium and the demo's stand-in
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m examples.demo.fetching

prism: setup ## fetch Prism, if it is not here: it judges the requests to the hosted service by its OpenAPI file
	@$(BIN)/python -m tests.prism.fetching

screenshot: browser ## take the README's picture again
	$(BIN)/python -m pytest tests/browser/test_at_first_sight.py
	cp build/screenshots/readme.png docs/images/demo.png

lint: setup ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## resolve the dependencies afresh into requirements/
	scripts/lock

clean: ## remove what the targets made
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
