# `make help` lists the targets. Each sets up what it needs.
PYTHON ?= python3

# $(IN) run|dev PROGRAM: set up the virtual environment for running or for testing, then run the program in it.
IN := command -v "$(PYTHON)" >/dev/null || { echo "vsearch needs Python 3.11 or newer, but there is no $(PYTHON) here. Name another: make PYTHON=/path/to/python3.12" >&2; exit 1; }; \
	exec "$(PYTHON)" scripts/in_venv.py $(if $(filter file,$(origin PYTHON)),,--chosen)

.DEFAULT_GOAL := help
.PHONY: help setup run samples test compiled browser prism screenshot lint format bench model lock clean

help: ## list all targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install all packages, including those for testing, into .venv
	@$(IN) dev

run: ## start the bot with your Slack tokens (environment or .env), or the demo without them (RESET=1 resets it)
	@$(IN) run python -m examples

samples: ## build the sample catalogue in build/samples
	@$(IN) run python -m examples.samples

bench: ## measure speed, memory and quality as ratios (VSEARCH_BENCH_IMAGES: a folder of pictures)
	@$(IN) dev python -m bench

model: ## rebuild the embedding model from its package (VSEARCH_BENCH_IMAGES: a folder of pictures to calibrate on)
	@$(IN) dev python scripts/build_model.py --pictures "$(VSEARCH_BENCH_IMAGES)"

test: setup ## run the linters, then all tests
	@# The linters use one core. Meanwhile another fetches and compiles what the tests need.
	@$(MAKE) --no-print-directory --jobs 2 lint compiled
	@$(IN) dev python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

compiled: browser prism
	-@$(IN) dev python -m pytest --numprocesses 0 --collect-only >/dev/null

browser: ## download what the browser tests need: Chromium and the demo's fake Slack
	@$(IN) dev python -m tests.browser.chromium
	@$(IN) dev python -m examples.demo.download

prism: ## download Prism, which checks requests to the hosted service against its OpenAPI file
	@$(IN) dev python -m tests.prism.download

screenshot: browser ## update the README's screenshot
	@$(IN) dev python -m pytest tests/browser/test_at_first_sight.py
	cp build/screenshots/readme.png docs/images/demo.png

lint: ## run ruff, mypy and import-linter
	@$(IN) dev ruff check .
	@$(IN) dev ruff format --check .
	@$(IN) dev mypy
	@$(IN) dev lint-imports --no-cache

format: ## format the code and apply ruff's fixes
	@$(IN) dev ruff check --fix .
	@$(IN) dev ruff format .

lock: ## update the pinned dependencies in requirements/
	@$(IN) dev scripts/lock

clean: ## remove everything that the targets created
	@output="$$("$(PYTHON)" -m scripts.environment.places)" && cd "$$output" && \
	rm -rf .venv build pycache *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
