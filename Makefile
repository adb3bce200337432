# `make demo` and `make test` are all that a fresh machine needs: each makes .venv once, from the pinned and hashed
# requirements.lock, and then runs. ARGS="…" reaches the command; PYTHON=/path/to/python picks the interpreter.

VENV := .venv
STAMP := $(VENV)/.installed
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --no-input

# 3.11 first: the suite runs on it most. A name on the PATH may be a shim that fails, or a Debian Python without venv, so
# each candidate is tried and not only looked up.
PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3)
PROBE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# What `make lock` uses: Poetry apart from the project's own, because it needs plugins.
LOCK_ENV := build/lock
LOCK_TOOLS := poetry==2.5.1 poetry-plugin-export==1.10.1 poetry-plugin-pypi-mirror==0.6.5

.PHONY: help install demo test check bench start lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv and install everything pinned into it (once)

demo: $(STAMP) ## invert five bundled sounds in less than a minute (ARGS=--train: make a network of your own)
	$(VENV)/bin/python -m inversynth.demo $(ARGS)

test: $(STAMP) ## run the tests, file by file on all cores (ARGS="-n 0 -k …": some of them, in one process)
	$(VENV)/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP) ## ruff, ruff format, mypy and the import contract
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" task check

bench: $(STAMP) ## measure speed and memory, and rewrite docs/benchmarks.md
	$(VENV)/bin/python -m benchmarks $(ARGS)

start: $(STAMP) ## make .env and the data folders
	$(VENV)/bin/python -m inversynth.start $(ARGS)

$(STAMP): requirements.lock pyproject.toml
	@found=; if ! $(VENV)/bin/python -c '$(PROBE)' 2>/dev/null; then \
	    for candidate in $(PYTHONS); do \
	        if "$$candidate" -c '$(PROBE)' >/dev/null 2>&1; then found=$$candidate; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "A Python from 3.11 to 3.13 with venv is needed. Tried: $(PYTHONS). Name one: make PYTHON=/path/to/python" >&2; \
	        exit 2; \
	    fi; \
	    echo "making $(VENV) with $$found"; \
	    "$$found" -m venv --clear $(VENV); \
	fi
	@$(PIP) --version >/dev/null 2>&1 || $(VENV)/bin/python -m ensurepip # Poetry makes environments without pip
	$(PIP) install --no-compile --require-hashes -r requirements.lock
	@# pip compiles with one process; some packages hold files for other versions of Python, which fail
	-@$(VENV)/bin/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

lock: $(LOCK_ENV)/.installed ## for maintainers: pyproject.toml -> poetry.lock -> requirements.lock (ARGS=--regenerate: newest versions)
	$(LOCK_ENV)/bin/poetry lock --no-interaction $(ARGS)
	@# descriptions are prose of the packages' authors, some with addresses; nothing reads them here
	sed -i.bak 's/^description = ".*"$$/description = ""/' poetry.lock && rm poetry.lock.bak
	env -u POETRY_PYPI_MIRROR_URL $(LOCK_ENV)/bin/poetry export --with dev --output requirements.lock

$(LOCK_ENV)/.installed: $(STAMP)
	$(VENV)/bin/python -m venv --clear $(LOCK_ENV)
	$(LOCK_ENV)/bin/python -m pip --disable-pip-version-check install $(LOCK_TOOLS)
	@touch $@

clean: ## remove .venv, build outputs and caches; data, runs and .env stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
