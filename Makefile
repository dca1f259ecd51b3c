# Two commands for a fresh machine with Python 3.11+, git and make: `make demo` and `make test`.
PYTHON ?= python3

.PHONY: demo test lint format bench bootstrap clean

demo: .venv/.installed
	.venv/bin/ecsplan demo

test: .venv/.installed
	script/test

lint: .venv/.installed
	script/lint

bench: .venv/.installed
	script/bench

format: .venv/.installed
	script/format

bootstrap: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt script/bootstrap
	PYTHON=$(PYTHON) script/bootstrap
	touch $@

clean:
	rm -rf .venv .bench .mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
