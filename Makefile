# `make run` and `make test` set up what they need and then do it. Nothing but Python 3.11+ and make has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

EXTRAS := tests/bench/models/test_hf.py tests/e2e/test_hf.py tests/leaderboard/test_browser.py

.PHONY: run board test test-extras lint clean

run: $(VENV)/.base  ## Evaluate the baselines on the embedded suite and make a board of it.
	$(BIN)/python -m bench run
	$(BIN)/python -m bench publish runs/*.run.db --board board
	@echo "Now \`make board\` serves the leaderboard, and README.md says what to do next."

board: $(VENV)/.base  ## Serve the board that `make run` left behind.
	$(BIN)/python -m bench serve --board board

test: $(VENV)/.test  ## Run the tests.
	$(BIN)/python -m pytest -n auto

test-extras: $(VENV)/.extras  ## Run the tests that need transformers (torch on the CPU) or a browser.
	$(BIN)/python -m pytest $(EXTRAS)

lint: $(VENV)/.lint  ## Style, types and the import contract.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) runs board

# Debian and Ubuntu split `ensurepip` off into python3-venv. Without it a bare environment can still be filled by the
# system's pip, or virtualenv can make one; where neither is there, one line says what to install.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) found: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV) \
	       && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; } >/dev/null 2>&1 \
	  || { rm -rf $(VENV); $(PYTHON) -m virtualenv $(VENV); } >/dev/null 2>&1 \
	  || { rm -rf $(VENV); echo "No way to make a Python environment: apt-get install python3-venv"; exit 1; }

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[test]'
	@touch $@

$(VENV)/.extras: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[test,hf,browser]'
	@touch $@

$(VENV)/.lint: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[test,lint]'
	@touch $@
