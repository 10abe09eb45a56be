# Debian 12, Python 3.11. `make test` is what CI runs; `make demo` shows what the project does.

PYTHON ?= python3
BIN := .venv/bin
# A command that the tests run (or, of gcc, that compiles what they test), and the package that brings it.
SYSTEM := gcc:gcc python3-config:python3-dev tcpdump:tcpdump tshark:tshark dumpcap:wireshark-common ip:iproute2 nginx:nginx curl:curl openssl:openssl chromium:chromium

.PHONY: venv system readers test lint demo report-ui report-ui-check bench attribution-bench fuzz corpus fixtures clean

venv: .venv/installed

.venv/installed: pyproject.toml src/pcapng_utils/attribution/_forward_backward.c
	test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ test "$$(id -u)" = 0 && apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv .venv; }
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev,lab]"
	touch $@

# Where it may not install, the tests that need a missing program are skipped and say so.
system:
	@missing=""; \
	for pair in $(SYSTEM); do command -v "$${pair%%:*}" >/dev/null || missing="$$missing $${pair##*:}"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then echo "not installed:$$missing" >&2; exit 0; fi; \
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: system venv readers lint
	@if $(MAKE) --silent report-ui/node_modules/.package-lock.json; then $(MAKE) --silent report-ui-check; \
	else echo "not checked, for want of npm or its packages: whether report-ui/ makes the page that ships" >&2; fi
	$(BIN)/pytest -n 2

# Programs of others that the tests have read a HAR. mitmproxy pins what we do not: it gets an environment of its own.
readers: .venv-mitmproxy/installed node_modules/har-schema/package.json

.venv-mitmproxy/installed:
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	-$(@D)/bin/pip install --quiet --disable-pip-version-check "mitmproxy>=11" && touch $@

node_modules/har-schema/package.json:
	-! command -v npm >/dev/null || npm install --silent --no-save --no-package-lock --no-audit --no-fund har-schema@2.0.0

demo: venv
	@mkdir -p out
	$(BIN)/pcapng-utils convert --force examples/experiment -o out/demo.har
	$(BIN)/pcapng-utils report --force --system-frames py.,truth. examples/experiment -o $(CURDIR)/out/demo.html

# The program of the report, from report-ui/ into one file that ships: needs Node 20 or later; nothing else does.
report-ui: report-ui/node_modules/.package-lock.json
	cd report-ui && npm run --silent check && npm run --silent build

# The file that ships is the one that the source makes.
report-ui-check: report-ui/node_modules/.package-lock.json
	cd report-ui && npm run --silent check && OUT_DIR=../out/report-ui npm run --silent build
	cmp out/report-ui/page.html src/pcapng_utils/report/page.html

report-ui/node_modules/.package-lock.json: report-ui/package-lock.json
	cd report-ui && npm ci --silent --no-audit --no-fund

# Half an hour, and 10 GB of disk. `.venv/bin/python -m benchmarks.speed --scale 0.05` is over in two minutes.
bench: venv system
	$(BIN)/python -m benchmarks.speed --write docs/benchmarks.md

# Attribution against the truth (records traffic: needs root, see lab/README.md); some twenty minutes.
attribution-bench: venv system
	$(BIN)/python -m benchmarks.attribution --write docs/attribution-bench.md

# FUZZ_SECONDS for each target, one after another.
FUZZ_SECONDS ?= 60
fuzz: venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[fuzz]"
	$(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS)

# Every capture below DIR, each within 10 s and 500 MB.
DIR ?= ../shared/captures
corpus: venv
	$(BIN)/python scripts/corpus.py $(DIR)

# The small captures of tests/fixtures, made anew (needs root): see tests/fixtures/README.md.
fixtures: venv system
	$(BIN)/python -m lab make all --fixtures -o tests/fixtures
	$(BIN)/python -m lab make experiment-small -o examples/experiment

clean:
	rm -rf .venv .venv-mitmproxy node_modules report-ui/node_modules out .mypy_cache .ruff_cache .pytest_cache .hypothesis
