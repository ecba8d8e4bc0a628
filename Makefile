# Two commands for a fresh machine: `make demo` and `make test`. Needed: python3 (3.11 or later) with venv, make, git.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet install
CHECK := $(VENV)/bin/tpllint check --offline

BROKEN := no-generation-prompt forgets-the-system-message ends-twice prints-python does-not-compile much-copied-tutorial waits-for-a-word
TYPED := tpllint rules tests benchmarks fuzz docs/generate.py
FUZZ_SECONDS ?= 600
GENERATE ?= tests/generate
# One more than there are cores: a quarter of the time tests wait for processes and servers.
WORKERS = $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

.PHONY: demo test test-browser test-generate lint docs docs-check bench fuzz clean

demo: $(VENV)/installed ## A good and several broken models; findings are what is expected of the broken ones.
	$(CHECK) examples/good
	$(CHECK) $(addprefix examples/,$(BROKEN)) || test $$? -eq 1

test: $(VENV)/installed-for-development
	$(VENV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test-browser: $(VENV)/installed-for-browser ## The pages that tpllint writes, in Chromium (Debian: chromium, chromium-driver).
	$(VENV)/bin/python -m pytest --override-ini 'norecursedirs=.*' tests/browser

test-generate: $(VENV)/installed-for-generation ## Models that answer, on the CPU.
	OMP_WAIT_POLICY=passive $(VENV)/bin/python -m pytest --override-ini 'norecursedirs=.*' --numprocesses $(WORKERS) $(GENERATE)

lint: $(VENV)/installed-for-development
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --strict $(TYPED)

docs: $(VENV)/installed-for-development
	$(VENV)/bin/python docs/generate.py

docs-check: $(VENV)/installed-for-development
	$(VENV)/bin/python docs/generate.py --check

bench: $(VENV)/installed-for-development
	$(VENV)/bin/python benchmarks/run.py

fuzz: $(VENV)/installed-for-fuzzing ## Looks for inputs that tpllint does not survive.
	$(VENV)/bin/python fuzz/run.py --seconds $(FUZZ_SECONDS)

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/installed-for-development: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[dev]'
	touch $(VENV)/installed $@

$(VENV)/installed-for-browser: $(VENV)/installed-for-development
	$(PIP) --editable '.[browser]'
	touch $@

$(VENV)/installed-for-generation: $(VENV)/installed-for-development
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[generate]'
	touch $@

$(VENV)/installed-for-fuzzing: $(VENV)/installed-for-development
	$(PIP) --editable '.[fuzz]'
	touch $@
