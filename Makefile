# `make` alone prints the list of commands.
PYTHON ?= python3
ARGS ?=
T ?= tests
# Most tests wait; a file's tests share servers; tests/conftest.py has the order of the files.
SOME_AT_A_TIME = --numprocesses 3 --dist loadfile --no-loadscope-reorder
CRASH_OPTIONS = $(if $(SEED),--seed $(SEED)) $(if $(HOURS),--hours $(HOURS)) $(if $(FOLDER),--folder $(FOLDER))

# These could redirect pip, or make Python find modules outside .venv.
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_DRY_RUN PIP_NO_DEPS
unexport PYTHONHOME PYTHONPATH PYTHONUSERBASE PYTHONOPTIMIZE VIRTUAL_ENV

# Make the virtual environment. The file .unfinished means that packages may be incomplete.
define VENV
command -v $(PYTHON) > /dev/null || { \
    echo "Python 3.11 or newer is needed, but there is no $(PYTHON): run make PYTHON=python3.12" >&2; \
    exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
    "Python 3.11 or newer is needed: run make PYTHON=python3.12")' || exit 1; \
$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
    echo "$(PYTHON) cannot make virtual environments: install python3-venv (apt install python3-venv)" >&2; \
    exit 1; }; \
if [ -e .venv/.unfinished ]; then echo "the last installation did not finish: starting again"; rm -rf .venv; fi; \
mkdir -p .venv && touch .venv/.unfinished && $(PYTHON) -m venv .venv
endef

.DEFAULT_GOAL := help
.PHONY: help run test test-long crash crash-guards bench bench-long overload check fmt lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run-installed  ## start everything, show one signed PayInOut, keep serving (ARGS="--port 8080")
	@exec .venv/bin/betcore up $(ARGS)

test: .venv/.dev-installed  ## all tests but the longest (T=tests/unit for one folder or file)
	@.venv/bin/python -m pytest $(SOME_AT_A_TIME) $(T) $(ARGS)

test-long: .venv/.dev-installed  ## really all tests; generated ones with 20 × the examples
	@EXAMPLES_TIMES=20 .venv/bin/python -m pytest --timeout 3600 $(SOME_AT_A_TIME) $(T) $(ARGS)

crash: .venv/.dev-installed  ## crash campaign with 20 seeds (SEED=7: one seed, HOURS=1: for one hour)
	@.venv/bin/python -m tests.crash $(CRASH_OPTIONS) $(ARGS)

crash-guards: .venv/.dev-installed  ## disable each safety check once: the oracle must detect it (15 minutes)
	@.venv/bin/python -m tests.crash --without each $(CRASH_OPTIONS) $(ARGS)

bench: .venv/.dev-installed  ## compare with stock RQ and with no queue, in 10 minutes (QUICK=1: 2)
	@.venv/bin/python -m bench $(if $(QUICK),--quick) $(ARGS)

bench-long: .venv/.dev-installed  ## benchmark with ten million bets, open loop and more, in one hour
	@.venv/bin/python -m bench --long $(ARGS)
	@.venv/bin/python -m bench --overload $(ARGS)

overload: .venv/.dev-installed  ## 1.5 × our capacity for one minute, three times
	@.venv/bin/python -m bench --overload $(ARGS)

check: .venv/.dev-installed  ## lint, format and types
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

fmt: .venv/.dev-installed  ## format, and fix what the linter can fix
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

# No name of a registry may be in these files: a machine's own configuration names it.
LOCK = .venv/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade

lock: .venv/.dev-installed  ## renew the lock files of the container image
	@$(LOCK) pyproject.toml --output-file requirements.lock
	@echo "setuptools>=77" | $(LOCK) - --output-file requirements-build.lock

clean:  ## remove the virtual environment and the embedded data
	rm -rf .venv .betcore .betcore-sandbox

.venv/.run-installed: pyproject.toml kit/pyproject.toml .ci/install.py
	@echo "installing the packages for running into .venv:"
	@$(VENV)
	@.venv/bin/python .ci/install.py embedded
	@rm .venv/.unfinished
	@touch $@

# One installation for both, so that a first `make test` does not install twice.
.venv/.dev-installed: pyproject.toml kit/pyproject.toml .ci/install.py
	@echo "installing the packages for running and testing into .venv:"
	@$(VENV)
	@.venv/bin/python .ci/install.py embedded,dev
	@rm .venv/.unfinished
	@touch .venv/.run-installed $@
