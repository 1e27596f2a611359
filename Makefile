# The two commands are `make run` and `make test`. Both install their dependencies into .venv first.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
export PORT
WHEEL_TESTS := tests/contract/authentication tests/contract/carevalidate tests/contract/certiverse_promo \
	tests/contract/storefront tests/integration/test_pooler.py tests/migrations tests/cli/test_serving.py

GUIDE := guide/index.html
LINTED := hatch_build.py src migrations tests benchmarks docs

.PHONY: run test test-all test-wheel bench bench-organizations bench-history mutants attack drill docs upgrade-test check format lock clean
.DEFAULT_GOAL := run

run: $(BIN)/.runtime $(GUIDE)
	@exec $(BIN)/tessera serve --demo

# One process runs all tests of a file, so that the fixtures of a module are set up once. A third process uses the time in
# which the others wait. The order is that of tests/conftest.py. Python keeps the compiled tests.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder
KEEP_COMPILED := env -u PYTHONDONTWRITEBYTECODE
# One test in five takes three quarters of the time: it starts and kills processes or browsers, fills large tables, or
# sends thousands of requests.
THOROUGH := tests/attacks tests/cli tests/concurrency tests/demo tests/drills tests/migrations \
	$(patsubst %,tests/contract/document/test_%.py,docs_page generated_clients guide_site schemathesis) \
	tests/contract/management/test_erasures.py tests/integration/array_plans tests/integration/plans \
	$(patsubst %,tests/integration/test_%.py,embedded_postgres report_sums year_of_retention)

# All tests but the thorough ones.
test: $(BIN)/.development
	@$(KEEP_COMPILED) $(BIN)/pytest $(PARALLEL) $(addprefix --ignore=,$(THOROUGH))

# All tests. PASSED=... names tests to leave out.
test-all: $(BIN)/.development
	@$(KEEP_COMPILED) $(BIN)/pytest $(PARALLEL) $(addprefix --ignore=,$(PASSED))

# The documented APIs, the migrations and the server's start, on the built wheel instead of the sources. With
# POOLER=--pgbouncer, the connections of the application go through PgBouncer in transaction mode; PGBOUNCER=... names
# another version of it, such as that of .ci/newest-pgbouncer.
test-wheel: $(BIN)/.development
	@rm -rf .venv-wheel
	@$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir .venv-wheel/wheel .
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-wheel
	@$(BIN)/uv pip install --quiet --python .venv-wheel/bin/python --require-hashes -r requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python .venv-wheel/bin/python --no-deps .venv-wheel/wheel/*.whl
	@.venv-wheel/bin/python -c 'import tessera; assert "site-packages" in tessera.__file__, tessera.__file__'
	@$(KEEP_COMPILED) .venv-wheel/bin/pytest $(PARALLEL) $(POOLER) $(WHEEL_TESTS)

# Starts its own Postgres and servers; QUICK=1 takes less time and uses less data.
bench: $(BIN)/.development
	@$(BIN)/python -m benchmarks

# The cost of requests and of periodic tasks with 10,000 organizations, which takes some ten minutes; QUICK=1 has 1,000.
bench-organizations: $(BIN)/.development
	@$(BIN)/python -m benchmarks.many

# Verification, export and import of an organization with a million vouchers and redemptions; QUICK=1 has 20,000.
bench-history: $(BIN)/.development
	@$(BIN)/python -m benchmarks.history

# Plants slips in a copy, one at a time, and reports those that no test notices. MINUTES, SEED and JOBS are settings.
mutants: $(BIN)/.development
	@$(BIN)/python -m tests.mutants --minutes $(or $(MINUTES),30) --jobs $(or $(JOBS),2) $(if $(SEED),--seed $(SEED))

# Attacks a server of its own, and prints what an honest organization noticed. SECONDS=10 ONLY=imports,exports
attack: $(BIN)/.development
	@$(BIN)/python -m tests.attacks

# Lets processes, servers and networks fail under load, and checks that each acknowledged write exists once. It takes up to
# 20 minutes. ONLY=processes,patroni runs two groups of drills, and SEED=2 draws other writes.
drill: $(BIN)/.development
	@$(BIN)/python -m tests.drills

# Builds the guide, which the server has at /guide, and reports every broken link.
docs: $(BIN)/.development
	$(BIN)/python -m zensical build --strict

# An upgrade from the last release under load, on its own Postgres: no request may fail. It takes two minutes.
upgrade-test: $(BIN)/.development
	@$(BIN)/python -m tests.upgrade

check: $(BIN)/.development docs
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/ruff check $(LINTED)
	$(BIN)/lint-imports
	$(BIN)/mypy
	@$(BIN)/python -W error::UserWarning -m tests.migrations.lint

format: $(BIN)/.development
	$(BIN)/ruff format $(LINTED)
	$(BIN)/ruff check --fix $(LINTED)

# Pins every dependency and the extras with their hashes. Run it after a change to pyproject.toml; UPGRADE=--upgrade also
# upgrades.
lock: $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header $(UPGRADE) \
		--extra metrics --extra traces -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header $(UPGRADE) \
		-c requirements.lock --extra metrics --extra traces --group dev -o requirements-dev.lock pyproject.toml

clean:
	rm -rf .venv .venv-wheel .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Tessera needs Python 3.11 or newer." if sys.version_info < (3, 11) else 0)'
	@echo "Creating a Python environment in .venv ..."
	@$(PYTHON) -m venv .venv || { echo "Tessera needs Python's venv module (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check uv

$(BIN)/.runtime: requirements.lock pyproject.toml | $(BIN)/uv
	@echo "Installing the dependencies, which takes up to a minute the first time ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@# Compiles the modules now, so that the first start is fast even with PYTHONDONTWRITEBYTECODE.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c "import tessera.cli.server, tessera.cli.worker"
	@touch $@

# The build of the package builds the guide too, without the dependencies of development.
$(GUIDE): zensical.toml $(shell find docs -type f) | $(BIN)/.runtime
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --reinstall-package tessera-vouchers --editable .
	@touch $@

$(BIN)/.development: requirements-dev.lock $(BIN)/.runtime
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@
