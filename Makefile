# Two commands for a newcomer:
#
#     make demo    score the real events in examples/data and print who is engaged, and write a report
#     make test    run every test
#
# Both set up .venv with what they need, once. `make clean` takes away all that make has made.
# To choose the interpreter: make PYTHON=python3.12 ...   To pass options on: make test ARGS="-k decay"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: compiled-module-is-gone help demo test browser pictures notebooks bench lint format docs dist clean

PYTHON ?=
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --quiet --disable-pip-version-check
DONE := $(VENV)/done
DATA := examples/data/completejourney

# What the compiled module is made of, and what says how; Python files need no new installation.
CORE := setup.py pyproject.toml $(wildcard src/engagekit/*.pyx src/engagekit/*.pxi src/engagekit/*.h)

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

# --- .venv, and a stamp for each thing installed into it ------------------------------------------------

$(DONE)/venv:
	@python=$$(sh tools/find-python $(PYTHON)) && \
	echo "Setting up $(VENV) with $$python" && \
	"$$python" -m venv --clear $(VENV)
	@$(PIP) install --upgrade "pip>=25.1"
	@mkdir -p $(DONE) && touch $@

$(DONE)/package: $(DONE)/venv $(CORE) $(if $(wildcard src/engagekit/_core*.so),,compiled-module-is-gone)
	@echo "Compiling and installing engagekit into $(VENV)"
	@$(PIP) install --editable ".[files]" --group demo
	@touch $@

$(DONE)/test $(DONE)/browser $(DONE)/bench $(DONE)/lint $(DONE)/docs $(DONE)/build: $(DONE)/%: $(DONE)/venv pyproject.toml
	@echo "Installing what '$*' needs into $(VENV)"
	@$(PIP) install --group $*
	@touch $@

# --- what one does ---------------------------------------------------------------------------------------

demo: $(DONE)/package
	@mkdir -p build/demo
	@$(VENV)/bin/engagekit score $(DATA)/events.parquet --contacts $(DATA)/contacts.parquet \
	    --model examples/models/grocery.toml --at latest -o build/demo/scores.csv $(ARGS)
	@echo
	@$(VENV)/bin/engagekit report $(DATA)/events.parquet --contacts $(DATA)/contacts.parquet \
	    --model examples/models/grocery.toml --at latest --since 90d -o build/demo/report.html

test: $(DONE)/package $(DONE)/test
	@$(RUN) -m pytest --numprocesses auto --dist loadfile $(ARGS)

# What a browser shows; needs Chromium, and npm for the checker of accessibility.
AXE := build/browser/axe.min.js
browser: $(DONE)/package $(DONE)/browser $(AXE)
	@$(RUN) -m pytest tests/browser --numprocesses auto --dist loadfile $(ARGS)

$(AXE):
	@command -v npm >/dev/null || { echo "make browser needs npm (for apt: npm)" >&2; exit 1; }
	@mkdir -p $(@D)
	@cd $(@D) && npm pack --silent axe-core@4.10.3 >/dev/null && tar -xzf axe-core-*.tgz --strip-components=1 package/axe.min.js
	@touch $@

# The pictures of README and docs; their fonts are the machine's, so record them where Inter is installed.
pictures: $(DONE)/package $(DONE)/browser
	@$(RUN) tools/pictures.py

notebooks: $(DONE)/package $(DONE)/test
	@$(RUN) tools/notebooks.py

bench: $(DONE)/package $(DONE)/bench
	@$(RUN) -m pytest benchmarks -s -p no:cacheprovider --benchmark-quiet $(ARGS)

lint: export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
lint: $(DONE)/package $(DONE)/lint
	ruff check .
	ruff format --check .
	cython-lint src
	mypy
	stubtest engagekit._core
	repo-review --show errskip .

format: $(DONE)/lint
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(DONE)/package $(DONE)/docs
	@$(VENV)/bin/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

dist: $(DONE)/build
	@rm -rf dist
	@$(RUN) -m build --quiet --outdir dist .

clean:
	@rm -rf $(VENV) build dist docs/_build .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@rm -rf src/*.egg-info src/engagekit/_core.c src/engagekit/_core.html src/engagekit/*.so
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
