# make demo | make test | make check | make docs; VENV=DIR uses a virtual environment of your own.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cat requirements*.txt | cksum | cut -d' ' -f1)

.PHONY: help environment demo test check docs clean

help:
	@echo "make demo   judge a few photographs with a worker on a private Redis"
	@echo "make test   run all tests that need no network and no accelerator"
	@echo "make check  lint, types, layers, generated documents"
	@echo "make docs   write the generated documents again"
	@echo "make clean  remove the virtual environment and caches"

$(READY):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@rm -f $(VENV)/.ready-*
	@touch $@

environment: $(READY)

demo: $(READY)
	@$(BIN)/python -m scripts.demo

test: $(READY)
	$(BIN)/python -m pytest -n 2

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.generate_docs --check

docs: $(READY)
	$(BIN)/python -m scripts.generate_docs

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
