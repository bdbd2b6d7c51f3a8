# One command each. `make` alone prints this list.
PYTHON ?= python3
ARGS ?=
T ?= tests
# Most tests wait; a file's tests share servers; tests/conftest.py has the order of the files.
TWO_AT_A_TIME = --numprocesses 2 --dist loadfile --no-loadscope-reorder
CRASH_OPTIONS = $(if $(SEED),--seed $(SEED)) $(if $(HOURS),--hours $(HOURS)) $(if $(FOLDER),--folder $(FOLDER))

# What would send pip elsewhere, or have Python find other modules than those of .venv.
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_DRY_RUN PIP_NO_DEPS
unexport PYTHONHOME PYTHONPATH PYTHONUSERBASE PYTHONOPTIMIZE VIRTUAL_ENV

# Make the virtual environment. While .unfinished is there, packages may be there in part.
define VENV
command -v $(PYTHON) > /dev/null || { \
    echo "Python 3.11 or newer is needed, and there is no $(PYTHON): make PYTHON=python3.12" >&2; \
    exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
    "Python 3.11 or newer is needed: make PYTHON=python3.12")' || exit 1; \
$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
    echo "$(PYTHON) cannot make virtual environments: install python3-venv (apt install python3-venv)" >&2; \
    exit 1; }; \
if [ -e .venv/.unfinished ]; then echo "the last installation did not end: beginning anew"; rm -rf .venv; fi; \
mkdir -p .venv && touch .venv/.unfinished && $(PYTHON) -m venv .venv
endef

.DEFAULT_GOAL := help
.PHONY: help run test test-long crash crash-guards bench bench-long overload check fmt clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run-installed  ## boot everything, show one signed PayInOut, keep serving (ARGS="--port 8080")
	@exec .venv/bin/betcore up $(ARGS)

test: .venv/.dev-installed  ## all tests (T=tests/unit for a part)
	@.venv/bin/python -m pytest $(TWO_AT_A_TIME) $(T) $(ARGS)

test-long: .venv/.dev-installed  ## all tests, the generated ones with 20 times the examples
	@EXAMPLES_TIMES=20 .venv/bin/python -m pytest --timeout 3600 $(TWO_AT_A_TIME) $(T) $(ARGS)

crash: .venv/.dev-installed  ## break everything, 20 seeds (SEED=7 for one, HOURS=1 for a time)
	@.venv/bin/python -m tests.crash $(CRASH_OPTIONS) $(ARGS)

crash-guards: .venv/.dev-installed  ## take each guard away once: the oracle must notice (10 minutes)
	@.venv/bin/python -m tests.crash --without each $(CRASH_OPTIONS) $(ARGS)

bench: .venv/.dev-installed  ## ours against stock RQ and no queue, in 10 minutes (QUICK=1: in 2)
	@.venv/bin/python -m bench $(if $(QUICK),--quick) $(ARGS)

bench-long: .venv/.dev-installed  ## the benchmark with ten million bets, open loop and more, in an hour
	@.venv/bin/python -m bench --long $(ARGS)
	@.venv/bin/python -m bench --overload $(ARGS)

overload: .venv/.dev-installed  ## one and a half times what we can do for a minute, three times over
	@.venv/bin/python -m bench --overload $(ARGS)

check: .venv/.dev-installed  ## lint, format and types
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

fmt: .venv/.dev-installed  ## format, and mend what the linter can mend
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

clean:  ## remove the virtual environment and the embedded data
	rm -rf .venv .betcore

.venv/.run-installed: pyproject.toml .ci/install.py
	@echo "installing what running needs into .venv:"
	@$(VENV)
	@.venv/bin/python .ci/install.py embedded
	@rm .venv/.unfinished
	@touch $@

# All at once, so that a first `make test` does not install twice.
.venv/.dev-installed: pyproject.toml .ci/install.py
	@echo "installing what running and testing need into .venv:"
	@$(VENV)
	@.venv/bin/python .ci/install.py embedded,dev
	@rm .venv/.unfinished
	@touch .venv/.run-installed $@
