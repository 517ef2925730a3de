# `make train` and `make test` do everything, from a bare Python 3.11, 3.12 or 3.13 on:
# `make test PYTHON=python3.13 VENV=.venv-3.13` uses another Python than `python3`.

PYTHON ?= python3
VENV ?= .venv
DATA ?= questions
RECIPE ?= cnn
ARGS ?=

BIN := $(VENV)/bin
# Half as many workers again as cores: tests wait for processes and files, too. A file's
# tests stay together, as they share what takes long to make; the longest begin first.
CORES := $(shell nproc 2>/dev/null || echo 2)
PARALLEL ?= -n $(shell expr \( $(CORES) \* 3 + 1 \) / 2) --dist loadscope --no-loadscope-reorder

.PHONY: help train test lint docs check results requirements nightlies release-check clean

help: ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

train: $(VENV)/ready ## Compare the methods on DATA (questions; trec; a file) and report.
	$(BIN)/python recipes/$(RECIPE).py --data $(DATA) $(ARGS)

test: $(VENV)/ready ## Run the tests; ARGS are pytest's, BACKEND=jax has them run on JAX.
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lint: $(VENV)/ready ## Check style, formatting and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/ready ## Make the documentation, site/index.html, and check its links.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

check: lint docs test ## Everything that is checked before a commit.

# The environment: pinned and hashed dependencies, then the package itself, editable.
$(VENV)/ready: requirements.txt requirements-encoder.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-encoder.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

results: $(VENV)/ready ## Make the tables of results/, the README and docs/ anew.
	$(BIN)/python -m results.tables

requirements: $(VENV)/ready ## Pin the newest dependencies that pyproject.toml allows.
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
	  --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --extra dev --extra docs --extra experiments --extra hub -o requirements.txt pyproject.toml

nightlies: $(VENV)/ready ## Put the nightly builds of Keras and TensorFlow into the environment.
	$(BIN)/python -m pip uninstall --quiet --yes keras tensorflow keras-hub tensorflow-text
	$(BIN)/python -m pip install --quiet --pre keras-nightly tf-nightly

release-check: ## Build what is published and try it in clean environments (slow).
	$(PYTHON) tools/release_check.py $(ARGS)

clean: ## Remove the environment and what builds and tests leave.
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .ruff_cache
