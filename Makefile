# livechat: `make run` serves, `make test` tests.  Everything they need is set up here.

PYTHON ?= python3
VENV ?= .venv
# More options for `make run`: make run ARGS="--interface 0.0.0.0"
ARGS ?=
# make run REDIS=1: with a Redis of its own, and two workers.
REDIS ?=
# More options for the tests: make test PYTEST="-k history"
PYTEST ?=
# Processes that run tests: they wait for daemons and browsers more than they compute.
PROCESSES ?= 4
# More options for the chaos: make chaos CHAOS="--seconds 30"
CHAOS ?=
# More options for the attack: make attack ATTACK="--seconds 20"
ATTACK ?=
# More options for the renewals: make upgrade UPGRADE="--clients 100 --only workers"
UPGRADE ?=
# More options for the benchmark: make bench BENCH="--quick --only rooms --peers ws"
BENCH ?=

BIN := $(VENV)/bin
# The tests of a file share daemons and browsers.
BY_FILE := --dist loadfile --no-loadscope-reorder
CLIENTS := tests/clients/node_modules
LOADGEN := bench/loadgen/build
NATIVE := livechat/net/_fast.abi3.so
NATIVE_SOURCES := $(wildcard livechat/net/_*.[ch])
PEERS := bench/peers/node_modules

# Hundreds of daemons start in the tests: without bytecode each compiles all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run check test soak attack lint ruff chaos upgrade sanitize deb deb-test bench bench-test bench-peers clean

help:
	@echo "make run          set up and serve on https://localhost:10443/"
	@echo "make run REDIS=1  the same with two workers and a Redis"
	@echo "make check        lint, types, and the tests that need no daemon, browser or npm"
	@echo "make test         set up and run all checks and tests"
	@echo "make soak         run the tests that take a minute each"
	@echo "make lint         ruff and mypy only"
	@echo "make sanitize     run the tests of the C part under AddressSanitizer and UBSan"
	@echo "make attack       attack it in all ways at once, while a hundred people chat, and measure"
	@echo "make chaos        kill workers and Redis under 200 clients for two minutes, and count"
	@echo "make upgrade      restart it, and renew its workers, under 500 clients, and count"
	@echo "make deb          make a Debian package, in dist/"
	@echo "make deb-test     install that, and what deploy/Containerfile does, in Debians of their own"
	@echo "make bench        measure livechat, and what is there of the servers it is compared with"
	@echo "make bench-peers  install those servers"
	@echo "make clean        remove what the others have made (not certs/ and state/)"

run: $(VENV)/.run
	$(if $(REDIS),deploy/with-redis )$(BIN)/twistd --nodaemon --pidfile= livechat $(ARGS)

# mypy runs beside the tests, which leave it time; what it says comes behind what they say.
# The second argument is an exit code that is as good as 0.
define typed_and_tested
	@$(BIN)/mypy >$(VENV)/.mypy 2>&1 & types=$$!; \
	$(BIN)/pytest $(1) $(PYTEST); tested=$$?; \
	wait $$types; typed=$$?; cat $(VENV)/.mypy; \
	[ $$typed -eq 0 ] && { [ $$tested -eq 0 ] || [ $$tested -eq $(or $(2),0) ]; }
endef

# The tests that start no daemon, browser or npm.
check: ruff $(NATIVE)
	$(call typed_and_tested,-n auto --dist worksteal -m "not processes and not soak and not bench and not debian")
	@echo "Left out: what needs daemons, browsers or npm (make test)"

# Exit code 5: of these no test was asked for.
test: ruff $(CLIENTS)/.done
	@$(MAKE) --silent --no-print-directory $(NATIVE)
	$(call typed_and_tested,-n $(PROCESSES) $(BY_FILE) -m "not soak and not bench and not debian and not alone",5)
	$(BIN)/pytest -n $(PROCESSES) $(BY_FILE) -m "alone and not soak" $(PYTEST) || [ $$? -eq 5 ]
	@echo "Left out: what takes a minute (make soak), Debians (make deb-test), the benchmark (make bench-test)"

# On a disk: files in memory can be written whatever chattr says.
soak: lint $(CLIENTS)/.done
	TMPDIR="$${TMPDIR:-/tmp}" $(BIN)/pytest -m soak -s $(PYTEST)
	$(BIN)/pytest -n $(PROCESSES) $(BY_FILE) -m "hypothesis and not soak and not bench and not debian" \
		--hypothesis-profile=soak $(PYTEST) || [ $$? -eq 5 ]

lint: ruff
	$(BIN)/mypy

ruff: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

sanitize: $(VENV)/.test
	$(BIN)/pytest -q -s -p no:xdist tests/net/test_sanitizers.py

chaos: lint
	$(BIN)/python -m tests.tools.chaos $(CHAOS)

upgrade: lint
	$(BIN)/python -m tests.tools.upgrade $(UPGRADE)

attack: lint
	$(BIN)/python -m tests.tools.attack $(ATTACK)

deb:
	deploy/debian/build

# As root: it mounts, and makes users in folders.
deb-test: $(VENV)/.test $(CLIENTS)/.done
	tests/debian/install
	$(BIN)/pytest -v -p no:xdist -m debian tests/debian $(PYTEST)

# The benchmark's own tests.
bench-test: $(VENV)/.test
	@$(MAKE) --silent --no-print-directory -C bench/loadgen
	$(BIN)/pytest -q -n auto -m bench tests/bench

bench: bench-test
	$(BIN)/python -m bench.run $(BENCH)

bench-peers: .bench/.peers

.bench/.peers: bench/peers/install bench/peers/requirements.txt bench/peers/package.json \
		bench/peers/package-lock.json
	PYTHON="$(PYTHON)" bench/peers/install
	@touch $@

# Of a venv that is not whole the target goes: the next run would take it, and fail for another reason.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "livechat needs Python 3.11 or later: make PYTHON=python3.12 says which one" >&2; exit 1; }
	@echo "Setting up $(VENV): a minute or two"
	@$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip --version >/dev/null || { rm -f $(BIN)/python; \
		echo "No virtual environment was made. On Debian: sudo apt-get install python3-venv python3-pip" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.run: $(BIN)/python setup.py pyproject.toml $(NATIVE_SOURCES)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.test: $(BIN)/python setup.py pyproject.toml $(NATIVE_SOURCES)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.run

# An install goes on without a compiler; the tests do not.
$(NATIVE): $(NATIVE_SOURCES) | $(VENV)/.test
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@for each in $^; do \
		test $@ -nt $$each && continue; \
		echo "The tests need a C compiler and Python's headers: gcc, python3-dev" >&2; exit 1; \
	done

$(CLIENTS)/.done: tests/clients/install tests/clients/package.json tests/clients/package-lock.json
	PYTHON="$(PYTHON)" tests/clients/install
	@touch $@

clean:
	rm -rf $(NATIVE) $(VENV) $(CLIENTS) clients/js/dist clients/js/LICENSE .bench .debian .soak $(PEERS) $(LOADGEN) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
