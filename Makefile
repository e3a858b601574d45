# Two commands: `make` sets up .venv and runs the main job, `make test` runs the tests. `make help` lists the rest.
.DEFAULT_GOAL := reproduce
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV    := .venv
PY      := $(VENV)/bin/python
STAMP   := $(VENV)/.installed
PROFILE ?= default
ARGS    ?=
EXTRAS  ?=
# Test files side by side: most of a test keeps one core busy, some of them two.
BESIDE  ?= 2

# The first of these that is Python 3.11 or newer and can make virtual environments; override with PYTHON=/path/to/python.
CANDIDATES := $(or $(PYTHON),python3.11 python3 python3.12 python3.13 python3.14 python)

.PHONY: reproduce setup test smoke systems bench check lab lock clean distclean help

reproduce: $(STAMP)  ## set up, then reproduce every claim of a profile (PROFILE=default)
	$(PY) -m utils all --profile $(PROFILE)

setup: $(STAMP)  ## only set up .venv from requirements.lock

test: $(STAMP)  ## run the tests (ARGS="-k lattice" for some; BESIDE=1: one after the other; EXTRAS=1 in CI: whatever is missing is a failure)
	INTERACTIONS_EXTRAS=$(EXTRAS) $(PY) -m pytest -n $(BESIDE) --dist loadgroup $(ARGS)

smoke: $(STAMP)  ## every notebook on tiny settings, under 5 minutes
	$(PY) -m utils all --profile smoke

systems: $(STAMP)  ## every notebook on every system that is on this machine, at the smallest scale (hours; resumes)
	$(PY) -m utils systems $(ARGS)

bench: $(STAMP)  ## run the benchmarks
	$(PY) -m benchmarks $(ARGS)

check: $(STAMP)  ## compare the last run with the committed results (PROFILE=default)
	$(PY) -m utils check --profile $(PROFILE)

lab: $(STAMP)  ## open the notebooks in JupyterLab
	$(PY) -m jupyterlab --notebook-dir=notebooks

lock: $(STAMP)  ## write requirements.lock from what .venv has installed
	$(PY) .ci/lock.py > requirements.lock.new
	mv requirements.lock.new requirements.lock

# The stamp is written last, so an installation that was stopped half-way is taken up again. pip writes a package's
# INSTALLER file after all its others: a package without one is incomplete, and pip is made to forget that it has it.
$(STAMP): requirements.lock pyproject.toml
	@set -e; \
	if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	    found=; seen=; \
	    for candidate in $(CANDIDATES); do \
	        version=$$($$candidate -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	        seen="$$seen $$candidate ($$version)"; \
	        if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	            found=$$candidate; break; \
	        fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "No Python 3.11 or newer with the venv module was found; seen:$${seen:- none}." >&2; \
	        echo "Install one (Debian: apt-get install python3.11 python3.11-venv), or name it: make PYTHON=/path/to/python3.11" >&2; \
	        exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$found (Python $$version)"; \
	    "$$found" -m venv --clear $(VENV); \
	fi
	@find $(VENV)/lib/python*/site-packages -maxdepth 1 -name '*.dist-info' -type d \
	    ! -exec test -e '{}/INSTALLER' ';' -print -exec rm -rf '{}' + | sed 's/^/Half installed, again: /'
	@echo "Installing $$(grep -c '==' requirements.lock) pinned packages (on Linux torch's default wheels are about 3 GB; minutes)"
	$(PY) -m pip install --disable-pip-version-check -r requirements.lock
	$(PY) -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

clean:  ## remove results (not results/committed), the job cache and the tools' caches; .venv and data/cache stay
	find results -mindepth 1 -maxdepth 1 ! -name committed -exec rm -rf {} + 2>/dev/null || true
	rm -rf .cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find utils tests benchmarks -name __pycache__ -type d -exec rm -rf {} + 2>/dev/null || true

distclean: clean  ## clean, and remove .venv too
	rm -rf $(VENV) *.egg-info

help:  ## this list
	@echo "make TARGET [PROFILE=smoke|default|reference|paper] [ARGS=...] [PYTHON=...]"
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
