# `make help` lists what there is. Each target sets up what it needs.
PYTHON ?= python3

# $(IN) run|dev PROGRAM: set up the virtual environment for running or for testing, then run the program in it.
IN := command -v "$(PYTHON)" >/dev/null || { echo "vsearch needs Python 3.11 or newer, and there is no $(PYTHON) here; name another with make PYTHON=/path/to/python3.12" >&2; exit 1; }; \
	exec "$(PYTHON)" scripts/in_venv.py $(if $(filter file,$(origin PYTHON)),,--chosen)

.DEFAULT_GOAL := help
.PHONY: help setup run samples test browser prism screenshot lint format bench model lock clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install all packages, those for testing too, into .venv
	@$(IN) dev

run: ## start the bot: against Slack if its tokens are set (environment or .env), else the demo (RESET=1: afresh)
	@$(IN) run python -m examples

samples: ## fetch and draw the sample catalogue into build/samples
	@$(IN) run python -m examples.samples

bench: ## speed, memory and quality, as ratios (VSEARCH_BENCH_IMAGES names a folder of pictures)
	@$(IN) dev python -m bench

model: ## build the embedding model again from its package (VSEARCH_BENCH_IMAGES: pictures to calibrate on)
	@$(IN) dev python scripts/build_model.py --pictures "$(VSEARCH_BENCH_IMAGES)"

test: ## lint, then every test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory browser
	@$(MAKE) --no-print-directory prism
	@$(IN) dev python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

browser: ## fetch what the browser tests need, if it is not here: a Chromium and the demo's stand-in
	@$(IN) dev python -m tests.browser.chromium
	@$(IN) dev python -m examples.demo.download

prism: ## fetch Prism, if it is not here: it judges the requests to the hosted service by its OpenAPI file
	@$(IN) dev python -m tests.prism.download

screenshot: browser ## take the README's picture again
	@$(IN) dev python -m pytest tests/browser/test_at_first_sight.py
	cp build/screenshots/readme.png docs/images/demo.png

lint: ## ruff, mypy strict, import-linter
	@$(IN) dev ruff check .
	@$(IN) dev ruff format --check .
	@$(IN) dev mypy
	@$(IN) dev lint-imports --no-cache

format: ## let ruff mend what it can
	@$(IN) dev ruff check --fix .
	@$(IN) dev ruff format .

lock: ## resolve the dependencies afresh into requirements/
	@$(IN) dev scripts/lock

clean: ## remove what the targets made
	@output="$$("$(PYTHON)" -m scripts.environment.places)" && cd "$$output" && \
	rm -rf .venv build pycache *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
