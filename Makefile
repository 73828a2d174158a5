# make book    install into .venv, build the book to _build/html, say where to open it
# make test    install, then lint, unit tests, tests of the built pages, every notebook
# make help    the other targets
#
# An environment of your own, for instance conda's:  make VENV="$CONDA_PREFIX" book
# Another Python for .venv:                           make PYTHON=python3.12 book
# Keep the versions that are installed already:       make CONSTRAINTS= book
# Four tests at a time:                               make JOBS=4 test
#
# The folder's own name may hold spaces: paths are relative or stand in quotes.

PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
JOBS ?= 2
# What to install of PyTorch, if not what the constraints say.
TORCH :=
# Some notebooks, if not all of _toc.yml.
NOTEBOOKS ?=
# For the run without any data.
EMBEDDED := book/pictures/data.ipynb book/vae/autoencoder.ipynb
# Cheap ones first.
STAGES := install lint unit pages notebooks

# As names of files, in which make takes a space for an end.
space := $(subst ,, )
as_files = $(subst $(space),\ ,$(1))

RUN := "$(VENV)/bin/python3"
INSTALLED := $(call as_files,$(VENV)/.learning-to-draw)
BUILT := _build/html/.built
RECORDS := _build/records
PAGES := $(shell find book tools -name '*.ipynb_checkpoints' -prune -o \
	-name '__pycache__' -prune -o -type f -print | sed 's/ /\\ /g') _config.yml _toc.yml
PYTEST := $(RUN) -m pytest -n $(JOBS)
NBVAL := --dist loadscope --no-loadscope-reorder \
	--nbval-lax --nbval-current-env --nbval-cell-timeout=1200

# As in tools/processes.py: the processes share the cores, their threads do not.
export COMPANION_THREADS := 1
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export VECLIB_MAXIMUM_THREADS := 1
export MALLOC_MMAP_THRESHOLD_ := 33554432
export MALLOC_TRIM_THRESHOLD_ := 4294967296

.DELETE_ON_ERROR:
.PHONY: help install book test lint unit pages notebooks embedded full test-browser \
	test-versions test-gpu execute setup-cells clean

help:
	@echo "book           build the book to _build/html"
	@echo "test           lint, unit tests, built pages, every notebook, their records"
	@echo "test-browser   the built pages in Chromium: errors, requests, search, access"
	@echo "test-versions  the unit tests with the oldest PyTorch and with Colab's"
	@echo "test-gpu       the unit tests, a recipe and three notebooks on a GPU"
	@echo "execute        run notebooks and store their outputs (NOTEBOOKS=...)"
	@echo "setup-cells    write the set-up cells that fit _config.yml"
	@echo "lint, unit, pages, notebooks, embedded, full   single parts of the tests"
	@echo "clean          remove what was built, but not .venv"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml $(call as_files,$(CONSTRAINTS))
	@test -x $(RUN) || "$(PYTHON)" -m venv "$(VENV)"
	@$(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 10) and \
		"This needs Python 3.10 or newer; say make PYTHON=python3.12 or the like.")'
	@echo "Installing into $(VENV); the first time takes some minutes."
	$(RUN) -m pip install --disable-pip-version-check --quiet \
		$(if $(CONSTRAINTS),-c "$(CONSTRAINTS)") $(TORCH) -e ".[book,test]"
	@touch "$@"

book: $(BUILT)
	@$(RUN) -c 'from pathlib import Path; print("The book is ready. Open", \
		Path("_build/html/index.html").resolve().as_uri())'

$(BUILT): $(INSTALLED) $(PAGES)
	rm -rf _build/html
	"$(VENV)/bin/jupyter-book" build . --path-output . --all -n -W --keep-going
	@touch $@

test:
	@"$(PYTHON)" tools/stages.py "$(MAKE)" $(STAGES)

lint: $(INSTALLED)
	$(RUN) -m ruff check .

unit: $(INSTALLED)
	$(PYTEST) --dist loadfile --ignore=tests/test_book_pages.py

pages: $(INSTALLED) $(BUILT)
	$(RUN) -m pytest tests/test_book_pages.py

# The same cells with the same steps as the printed pages, then what they recorded.
notebooks: $(INSTALLED)
	rm -rf "$(RECORDS)"
	paths=$$($(RUN) tools/longest_first.py $(NOTEBOOKS)) && \
		COMPANION_RECORDS="$$PWD/$(RECORDS)" $(PYTEST) $(NBVAL) $$paths
	$(RUN) tools/compare_records.py "$(RECORDS)" $(NOTEBOOKS)

# Without any data and without the network.
embedded: export COMPANION_OFFLINE := 1
embedded: export COMPANION_DATA := $(CURDIR)/_build/no-data
embedded: $(INSTALLED)
	rm -rf _build/no-data && mkdir -p _build/no-data
	$(MAKE) notebooks NOTEBOOKS="$(EMBEDDED)" RECORDS="$(RECORDS)-embedded"
	$(PYTEST) --dist loadfile tests/test_data_*.py

# With the official files in COMPANION_DATA.
full: $(INSTALLED)
	$(PYTEST) --dist loadfile tests/full

test-browser: $(BUILT)
	$(PYTEST) --dist worksteal tests/browser

# In environments of their own, of some gigabytes each.
test-versions:
	$(MAKE) unit VENV=_build/torch-2.6 CONSTRAINTS= \
		TORCH="torch~=2.6.0 torchvision~=0.21.0"
	$(MAKE) unit VENV=_build/torch-2.11 CONSTRAINTS= \
		TORCH="torch~=2.11.0 torchvision~=0.26.0"

# Some minutes: the unit tests, a recipe, three notebooks.
test-gpu: export COMPANION_DEVICE := cuda
test-gpu: $(INSTALLED)
	@$(RUN) -c 'import sys, torch; torch.cuda.is_available() or \
		sys.exit("PyTorch finds no GPU with CUDA here.")'
	$(MAKE) unit
	rm -rf _build/gpu-run
	$(RUN) -m companion train cgan_digits --steps 2000 --out _build/gpu-run
	$(MAKE) notebooks RECORDS="$(RECORDS)-gpu" NOTEBOOKS="book/vae/vae.ipynb \
		book/gan/conditional.ipynb book/rnn/drawing.ipynb"

execute: $(INSTALLED)
	$(RUN) tools/execute.py $(NOTEBOOKS)

setup-cells: $(INSTALLED)
	$(RUN) tools/setup_cells.py

clean:
	rm -rf _build .pytest_cache .ruff_cache
