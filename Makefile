# `make demo` shows what this is, `make test` that it works. Another Python: make test PYTHON=python3.12
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

# Without a C++ compiler the demo runs on the slower engine, and shorter.
EPOCHS ?= $(shell command -v g++ clang++ c++ >/dev/null 2>&1 && echo 8 || echo 2)

.PHONY: demo test test-slow docs lint clean

demo: $(READY)
	@mkdir -p runs
	@echo "== what e-prop adds to a network, in Brian2's language (snnplast rules show e-prop)"
	@$(BIN)/snnplast rules show e-prop | sed -n '/^Brian2 code.*online/,/^$$/p'
	@echo "== handwritten digits with e-prop (snnplast run digits)"
	@$(BIN)/snnplast run digits --force --set train.epochs=$(EPOCHS) --set record.path=runs/digits-e-prop.h5
	@echo
	@echo "== the same with another rule (--set rule=ib-hebbian)"
	@$(BIN)/snnplast run digits --force --set rule=ib-hebbian --set train.epochs=$(EPOCHS) --set record.path=runs/digits-ib-hebbian.h5
	@echo
	@echo "== both rules (snnplast compare FILE FILE)"
	@$(BIN)/snnplast compare runs/digits-e-prop.h5 runs/digits-ib-hebbian.h5
	@echo
	@ls runs/digits-*

test: $(READY)
	$(BIN)/python -m pytest -q -m "not slow"

test-slow: $(READY)
	$(BIN)/python -m pytest -q -m slow

# The site, in docs/_build: every example, figure and number in it comes from this run.
docs: $(READY)
	@$(BIN)/python -c 'import furo, myst_nb, sphinx_gallery' 2>/dev/null || \
	  $(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[docs]'
	$(BIN)/python -m sphinx -q -W --keep-going -j auto -b html docs docs/_build/html

lint: $(READY)
	$(BIN)/python -m pip install --quiet ruff pyright
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

$(READY): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "snnplast needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1); try make PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 || \
	  $(PYTHON) -m virtualenv --clear --quiet $(VENV) >/dev/null 2>&1 || \
	  { rm -rf $(VENV); echo "$(PYTHON) can make no virtual environment: install its venv module (Debian: apt install python3-venv) or virtualenv" >&2; exit 1; }
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[data,test]'
	@touch $@

clean:
	rm -rf docs/_build docs/examples docs/reference/generated docs/tutorials/notebooks docs/jupyter_execute build dist *.egg-info .pytest_cache .ruff_cache
