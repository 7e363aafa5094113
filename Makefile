# Two commands matter: `make demo` (train, generate, evaluate, report) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready
CHECKS = $(BIN)/ruff check t2t tests benchmarks launch.sh && $(BIN)/ruff format --check t2t tests benchmarks && $(BIN)/mypy

.PHONY: demo test faults check setup clean

$(READY): constraints.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt setuptools torch
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation --editable '.[dev]'
	touch $@

setup: $(READY)

demo: $(READY)
	PATH="$(BIN):$$PATH" $(BIN)/t2t demo

# One thread a process: two workers with two threads each, and the processes that they start, only wait for each other.
# mypy has one thread for a minute, so the tests do not wait for it.
test: $(READY)
	( $(CHECKS) ) & checked=$$!; \
	PATH="$(BIN):$$PATH" OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2; tested=$$?; \
	wait $$checked && exit $$tested

# Kills, corruptions, full disks and odd files by chance, for about MINUTES minutes: SEED=2 draws others.
MINUTES ?= 10
SEED ?= 1
faults: $(READY)
	PATH="$(BIN):$$PATH" OMP_NUM_THREADS=1 FAULTS_MINUTES=$(MINUTES) FAULTS_SEED=$(SEED) $(BIN)/python -m pytest -n 2 -rP tests/faults

check: $(READY)
	$(CHECKS)

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache
