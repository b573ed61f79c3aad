# The task list. Everything a fresh machine needs is `make` and `python3` (3.11 or newer) with its venv module.
PYTHON ?= python3
BIN := .venv/bin
LOCKS := requirements-dev.lock requirements-bootstrap.lock pyproject.toml

.PHONY: setup run test faults lint types check fix bench lock docs

setup: .venv/.synced  ## only the environment, in .venv

.venv/.synced: $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "lgsp needs Python 3.11 or newer as '$(PYTHON)'. Install it, or name one: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "'$(PYTHON)' lacks its venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Installing the environment into .venv (once; a minute or so) ... | Đang cài đặt vào .venv (một lần, chừng một phút) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock requirements-bootstrap.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

run: setup  ## the demonstration province, until Ctrl+C
	@$(BIN)/lgsp demo

# Many tests wait for real time-outs, so two processes of them take half as long even on two cores.
test: setup  ## the whole suite, in two processes; a file's tests stay together
	@$(BIN)/python -m pytest -n 2 --dist loadfile

faults: setup  ## long fault rounds; LGSP_FAULT_ROUNDS sets how many (20)
	@LGSP_FAULT_ROUNDS=$${LGSP_FAULT_ROUNDS:-20} $(BIN)/python -m pytest -q -m faults tests/faults -s

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

types: setup
	@$(BIN)/mypy

check: lint types test  ## what CI runs

fix: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: setup  ## the pages that are made from the code
	@$(BIN)/python -m gateway.reference

bench: setup  ## against other proxies; nginx, haproxy and caddy where they are installed
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-bench.lock
	@$(BIN)/python -m bench

lock:  ## renew the locks (needs uv on the PATH)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --group bench -o requirements-bench.lock
	echo "uv" | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate - -o requirements-bootstrap.lock
