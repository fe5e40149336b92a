# Needs Python 3.11+, make and git; the rest it fetches itself.
PYTHON ?= python3
TOOLS  := .tools
UV     := $(TOOLS)/bin/uv
RUN    := $(UV) run --frozen --no-sync
# Suites run side by side, since they mostly wait; and in processes of their own, since Prefect's
# clients remember the first server that they met.
JOBS         ?= 8
# Hypothesis, which none of these needs, takes a second to import for its summary at the end.
TEST         := $(RUN) pytest -p no:hypothesispytest
WITH_PREFECT := blocks cli crash journeys watch browser
OUTSIDE      := frameio outlet sandbox sandbox_agent
LEDGER       := ledger page delivery
JOURNEY       = $(patsubst %,tests/journeys/test_%.py,$(1))
FAULTS       := $(call JOURNEY,cancelled faults midway prefect_view stumbling_ledger)
RUNS         := $(call JOURNEY,again busy_ledger clean_up dead_runs deployment heartbeat many own_flow queue \
                shared signed_out stacked staying told two_webhooks upload_result waits)
# The longest first, so that both cores have work to the end.
SUITES       := test-faults test-crash test-journeys test-runs test-cli test-outside test-watch test-blocks \
                test-plain test-ledger types conformance lint docs
TOGETHER     := --jobs=$(JOBS) --keep-going $(if $(filter output-sync,$(.FEATURES)),--output-sync)
OLDEST       := 'prefect==3.8.8' 'sqlalchemy<2.1'
export UV_PYTHON_DOWNLOADS = never
# Else each process compiles all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test check lint types docs pictures words conformance oldest bench apt clean

help:  ## What can be made.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(UV):
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check uv

.venv/.complete: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

# The lock's versions, but for the oldest Prefect that we allow and what it needs (CONTRIBUTING.md).
.venv-oldest/.complete: pyproject.toml uv.lock Makefile | $(UV)
	UV_PROJECT_ENVIRONMENT=.venv-oldest $(UV) sync --frozen --quiet --python $(PYTHON)
	$(UV) pip install --quiet --python .venv-oldest $(OLDEST)
	@touch $@

setup: .venv/.complete  ## Make the environment from the lock file.

demo: setup  ## Deliver a real clip into the sandbox (KEEP=1 stays up, DIRECT=1 needs no tunnel).
	$(RUN) postflow demo $(if $(KEEP),--keep) $(if $(DIRECT),--direct)

apt:  ## Debian's ffmpeg and chromium, where absent (tests only).
	./.ci/install-packages

test: setup apt  ## The whole suite.
	$(MAKE) $(TOGETHER) $(SUITES)

test-journeys: setup
	$(TEST) tests/journeys $(addprefix --ignore=,$(FAULTS) $(RUNS))

test-faults: setup
	$(TEST) $(FAULTS)

test-runs: setup
	$(TEST) $(RUNS)

test-blocks: setup
	$(TEST) tests/blocks tests/browser tests/test_canary.py

test-plain: setup
	$(RUN) pytest $(addprefix --ignore=tests/,$(WITH_PREFECT) $(LEDGER) $(OUTSIDE) test_canary.py)

test-ledger: setup
	$(RUN) pytest $(addprefix tests/,$(LEDGER))

test-outside: setup
	$(RUN) pytest $(addprefix tests/,$(OUTSIDE))

test-%: setup
	$(TEST) tests/$*

lint: setup
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: setup
	$(RUN) mypy

# Of a copy of all that the pages link to, so that each link leads to the same here and there.
docs: setup  ## The documents as a site (build/site), its links checked.
	rm -rf build/docs build/site
	mkdir -p build/docs
	cp -r README.md README.fr.md CONTRIBUTING.md CHANGELOG.md prefect.yaml docs examples build/docs
	$(RUN) zensical build --strict

pictures: setup apt  ## The documents' pictures anew, of a studio in the sandbox.
	$(RUN) python -m tests.browser.pictures

words: setup  ## Bring the catalogues up to date; what is new is translated by hand, then once more.
	mkdir -p build
	$(RUN) python -m babel.messages.frontend extract -F pyproject.toml -k N_ --no-location -o build/postflow.pot postflow flows tasks
	$(RUN) python -m babel.messages.frontend update -D postflow -d postflow/locale -i build/postflow.pot --no-wrap \
		--ignore-obsolete --no-fuzzy-matching --ignore-pot-creation-date
	$(RUN) python -m babel.messages.frontend compile -D postflow -d postflow/locale

conformance: setup  ## The official Frame.io SDK against the sandbox.
	./conformance/run.sh

oldest: .venv-oldest/.complete  ## The journeys on the oldest Prefect that we allow.
	.venv-oldest/bin/pytest tests/journeys

bench: setup  ## Speed, as ratios taken in one run.
	$(RUN) python -m benchmarks

clean:
	rm -rf .venv .venv-conformance .venv-oldest .tools .demo build .cache .mypy_cache .ruff_cache .pytest_cache
