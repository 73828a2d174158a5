# make book    install into .venv, build the book to _build/html, say where to open it
# make test    install, then lint, unit tests, tests of the built pages, every notebook
# make help    the other targets
#
# An environment of your own, for instance conda's:  make VENV="$CONDA_PREFIX" book
# Another Python for .venv:                           make PYTHON=python3.12 book
# Keep the versions that are installed already:       make CONSTRAINTS= book

PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
RUN := $(VENV)/bin/python3
INSTALLED := $(VENV)/.learning-to-draw
BUILT := _build/html/.built
RECORDS := $(CURDIR)/_build/records
NOTEBOOKS ?= $(sort $(wildcard book/*.ipynb book/*/*.ipynb))
# For the run without any data.
EMBEDDED ?= book/pictures/data.ipynb book/cnn/convolution.ipynb \
	book/vae/autoencoder.ipynb book/rnn/memory.ipynb
PAGES := $(shell find book tools -name '*.ipynb_checkpoints' -prune -o \
	-name '__pycache__' -prune -o -type f -print) _config.yml _toc.yml
NBVAL := -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=600

.DELETE_ON_ERROR:
.PHONY: help install book test lint unit notebooks embedded full test-browser \
	execute setup-cells clean

help:
	@echo "book          build the book to _build/html"
	@echo "test          lint, unit tests, built pages, every notebook, their records"
	@echo "test-browser  the built pages in Chromium: errors, requests, search, access"
	@echo "execute       run notebooks and store their outputs (NOTEBOOKS=...)"
	@echo "setup-cells   write the set-up cells that fit _config.yml"
	@echo "lint, unit, notebooks, embedded, full   single parts of the tests"
	@echo "clean         remove what was built, but not .venv"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 10) and \
		"This needs Python 3.10 or newer; say make PYTHON=python3.12 or the like.")'
	@echo "Installing into $(VENV); the first time takes some minutes."
	$(RUN) -m pip install --disable-pip-version-check --quiet \
		$(addprefix -c ,$(CONSTRAINTS)) -e ".[book,test]"
	@touch $@

book: $(BUILT)
	@echo "The book is ready. Open file://$(CURDIR)/_build/html/index.html"

$(BUILT): $(INSTALLED) $(PAGES)
	rm -rf _build/html
	$(VENV)/bin/jupyter-book build . --path-output . --all -n -W --keep-going
	@touch $@

test: lint unit notebooks

lint: $(INSTALLED)
	$(RUN) -m ruff check .

unit: $(INSTALLED) $(BUILT)
	$(RUN) -m pytest

# The same cells with the same steps as the printed pages, then what they recorded.
notebooks: $(INSTALLED)
	rm -rf $(RECORDS)
	COMPANION_RECORDS="$(RECORDS)" $(RUN) $(NBVAL) $(NOTEBOOKS)
	$(RUN) tools/compare_records.py "$(RECORDS)" $(NOTEBOOKS)

# Without any data and without the network.
embedded: export COMPANION_OFFLINE := 1
embedded: export COMPANION_DATA := $(CURDIR)/_build/no-data
embedded: $(INSTALLED)
	rm -rf "$(COMPANION_DATA)" && mkdir -p "$(COMPANION_DATA)"
	$(MAKE) notebooks NOTEBOOKS="$(EMBEDDED)" RECORDS="$(RECORDS)-embedded"
	$(RUN) -m pytest tests/test_data_*.py

# With the official files in COMPANION_DATA.
full: $(INSTALLED)
	$(RUN) -m pytest tests/full

test-browser: $(BUILT)
	$(RUN) -m pytest tests/browser

execute: $(INSTALLED)
	$(RUN) tools/execute.py $(NOTEBOOKS)

setup-cells: $(INSTALLED)
	$(RUN) tools/setup_cells.py

clean:
	rm -rf _build .pytest_cache .ruff_cache
