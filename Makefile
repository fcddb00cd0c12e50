# Everything a contributor types. Each target makes .venv by itself; `make help` lists them.
# PYTHON=/path/to/python chooses the interpreter; otherwise the newest suitable one on the path is found.

.DEFAULT_GOAL := help
SHELL := /bin/sh

PY := .venv/bin/python
READY := .venv/.ready
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

# Environments with MLflow: it bounds versions, so they are of their own.
AUTOLOG_PY := .cache/autolog-venv/bin/python
AUTOLOG_READY := .cache/autolog-venv/.ready
MLFLOW_PY := .cache/mlflow-venv/bin/python
MLFLOW_READY := .cache/mlflow-venv/.ready

PROTO_FILES := $(wildcard proto/headrace_proto/v1/*.proto)
PROTO_PY := .cache/proto-venv/bin/python
PROTO_READY := .cache/proto-venv/.ready
# The oldest generator that is supported: its output loads on protobuf 5.27 and all later ones.
PROTO_TOOLS := grpcio-tools==1.66.2 setuptools==75.1.0
PROTOC = $(PROTO_PY) -m grpc_tools.protoc -Iproto

##@ Use

.PHONY: run
run: $(READY) ## Start a daemon, train in 4 processes, show what was logged
	@$(PY) examples/distributed_digits.py

.PHONY: serve
serve: $(READY) ## Start a daemon on ./data, port 7070
	@$(PY) -m headrace server --data data

##@ Develop

.PHONY: test
test: $(READY) ## Run all tests (ARGS="-k name" passes options to pytest; "-n 0" keeps to one process)
	@$(PY) -m pytest -n auto --dist loadgroup $(ARGS)

.PHONY: test-autolog
test-autolog: $(AUTOLOG_READY) ## Train with MLflow's autologging of scikit-learn, XGBoost and LightGBM, here and at MLflow
	@HEADRACE_TEST_AUTOLOG="sklearn xgboost lightgbm" $(AUTOLOG_PY) -m pytest tests/autolog $(ARGS)

.PHONY: test-mlflow
test-mlflow: $(MLFLOW_READY) ## Compare with MLflow itself: all calls, its guides' examples, and autologging of all frameworks
	@HEADRACE_TEST_AUTOLOG="sklearn xgboost lightgbm statsmodels lightning keras" \
	    $(MLFLOW_PY) -m pytest tests/mlflow tests/reference_examples tests/autolog $(ARGS)

.PHONY: test-artifacts
test-artifacts: $(READY) ## Cut uploads and downloads at 100 random bytes; measure 2 GiB and 10,000 small files
	@HEADRACE_TEST_CUTS=100 $(PY) -m pytest tests/shipping/test_uploads.py $(ARGS)
	@$(PY) -m benchmarks artifacts-large artifacts-small

.PHONY: interleavings
interleavings: $(READY) ## Play simulated schedules of faults (SEED=1 COUNT=1000000)
	@PYTHONPATH=tests/support $(PY) tests/support/sim_campaign.py $(or $(SEED),1) $(or $(COUNT),20000)

.PHONY: lint
lint: $(READY) ## Check style, format and import layers
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@.venv/bin/lint-imports

.PHONY: format
format: $(READY) ## Format, and fix what can be fixed
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

.PHONY: types
types: $(READY) ## Check types, strictly
	@$(PY) -m mypy

.PHONY: bench
bench: $(READY) ## Run the benchmarks, fail if slower than stored (ARGS="series --runs 5")
	@$(PY) -m benchmarks --check $(ARGS)

.PHONY: bench-peers
bench-peers: $(READY) ## Compare with other trackers (PEERS="wandb mlflow-async"; all by default)
	@$(PY) -m benchmarks.peers.install $(PEERS) || true
	@$(PY) -m benchmarks --runs 3 --peers "$(if $(PEERS),$(shell echo $(PEERS) | tr ' ' ','),all)" $(ARGS)

.PHONY: bench-mlflow
bench-mlflow: $(READY) ## MLflow's client on its server and on ours, by REST and plugin (ARGS="log-metric --rounds 5")
	@$(PY) -m benchmarks.peers.install mlflow-sync
	@$(PY) -m benchmarks.mlflow_clients $(ARGS)

RESULTS := docs/benchmarks/results

.PHONY: bench-page
bench-page: $(READY) ## Measure all of docs/benchmarks anew (ARGS="series scalar": only these)
	@$(PY) -m benchmarks --runs 5 --store --update --json $(RESULTS)/ours.json $(ARGS)
	@$(if $(ARGS),,$(MAKE) bench-peers ARGS="--update --json $(RESULTS)/peers.json")
	@$(if $(ARGS),,$(MAKE) bench-mlflow ARGS="--update --json $(RESULTS)/mlflow.json")
	@$(MAKE) bench-plots

.PHONY: bench-plots
bench-plots: $(READY) ## Draw docs/benchmarks/results, and fill in the page's tables
	@$(PY) -m benchmarks --plot

.PHONY: overload
overload: $(READY) ## Offer the daemon twice what it takes (ARGS="--minutes 10"), and draw the memory
	@$(PY) -m benchmarks.overload --plot out/overload.png $(ARGS)

.PHONY: faults
faults: $(READY) ## Break everything for MINUTES (3), replaying SEED if given; prints the matrix (ARGS="--json FILE")
	@$(PY) tests/faults --minutes $(or $(MINUTES),3) $(if $(SEED),--seed $(SEED)) $(ARGS)

##@ Protocol

.PHONY: proto
proto: $(PROTO_READY) ## Generate the Python code of the .proto files
	@$(PROTOC) --python_out=proto --pyi_out=proto --grpc_python_out=proto $(PROTO_FILES)

.PHONY: proto-check
proto-check: $(PROTO_READY) ## Fail if the committed generated code is stale
	@rm -rf .cache/proto && mkdir -p .cache/proto
	@$(PROTOC) --python_out=.cache/proto --pyi_out=.cache/proto --grpc_python_out=.cache/proto $(PROTO_FILES)
	@for new in .cache/proto/headrace_proto/v1/*; do \
	    cmp -s $$new proto/headrace_proto/v1/$${new##*/} \
	        || { echo "proto/headrace_proto/v1/$${new##*/} is stale: run make proto" >&2; exit 1; }; \
	done
	@echo "generated code is fresh"

##@ House

.PHONY: setup
setup: $(READY) ## Make .venv with everything above needs

.PHONY: clean
clean: ## Remove the environments, caches and build output (not ./data)
	@rm -rf .venv .cache build dist out .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} \
	    /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	    /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@sh tools/make_venv .venv $(PYTHON)
	@echo "installing into .venv ..."
	@PIP_CONSTRAINT=constraints.txt $(PY) $(PIP_INSTALL) -e '.[examples,lint,test]'
	@touch $@

$(AUTOLOG_READY) $(MLFLOW_READY): .cache/%-venv/.ready: pyproject.toml constraints-mlflow.txt
	@sh tools/make_venv .cache/$*-venv $(PYTHON)
	@echo "installing into .cache/$*-venv ..."
	@PIP_CONSTRAINT=constraints-mlflow.txt .cache/$*-venv/bin/python $(PIP_INSTALL) -e '.[test,test-$*]'
	@touch $@

$(PROTO_READY): Makefile
	@sh tools/make_venv .cache/proto-venv $(PYTHON)
	@$(PROTO_PY) $(PIP_INSTALL) $(PROTO_TOOLS)
	@touch $@
