# `make local` runs the main job, `make test` the tests; both set up .venv first when it is missing or stale.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/.packages
STAMP := $(VENV)/.complete
BENCH := $(VENV)/.bench
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check

# Written last, so a set-up that was interrupted starts again.
$(PACKAGES): constraints.txt build-constraints.txt
	@python=""; \
	for candidate in $(PYTHON) python3.11 python3.12 python3 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; \
	  then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Expected Python 3.11 or 3.12, found none: install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$python" --version): pinned packages, about a minute, once"; \
	rm -rf $(VENV); \
	"$$python" -m venv $(VENV)
	@$(PIP) pip==26.3
	@PIP_BUILD_CONSTRAINT=build-constraints.txt $(PIP) --require-hashes --requirement constraints.txt
	@touch $@

# The project itself, anew whenever its entry points may have changed.
$(STAMP): $(PACKAGES) pyproject.toml
	@PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 16

.PHONY: venv
venv: $(STAMP) ## Set up .venv and nothing else

.PHONY: local
local: $(STAMP) ## Run the main job: train on MNIST, gate, pack, deploy to the simulated account, predict, clean up
	$(BIN)/pytest -m local experiments $(ARGS)

.PHONY: test
test: $(STAMP) ## Run the tests
	$(BIN)/pytest tests -n 2 --dist loadfile $(ARGS)

# Engine xla where MXNet is not: whatever JAX and numpy are current. Not pinned, on purpose, and not part of CI.
.PHONY: test-current-jax
test-current-jax: $(STAMP) ## Run engine xla's own tests beside the current JAX and numpy, without MXNet
	$(BIN)/python -m venv --clear .venv-jax
	.venv-jax/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[xla]' hypothesis pytest-timeout
	.venv-jax/bin/python -c 'import jax, numpy; print("jax", jax.__version__, "numpy", numpy.__version__)'
	.venv-jax/bin/pytest tests/train/xla/test_xla_{without_mxnet,memory,resident,compilation}.py $(ARGS)

.PHONY: test-operators
test-operators: $(STAMP) ## Hold every operator of engine xla to MXNet, 300 cases each: about ten minutes
	$(BIN)/pytest tests/train/xla/test_xla_operators.py --hypothesis-profile=long --timeout=0 $(ARGS)

.PHONY: test-tarballs
test-tarballs: $(STAMP) ## Hold tarballs to MXNet: 500 random models there and back, thousands of shapes: about five minutes
	$(BIN)/pytest tests/tarball/test_tarball_{roundtrip,shapes,real_models}.py --hypothesis-profile=long --timeout=0 $(ARGS)

.PHONY: mutants
mutants: $(STAMP) ## Try 10,000 mutants of valid tarballs on the verifier, AWS's handler as judge: about twenty minutes
	$(BIN)/python -m benchmarks.tarball_mutants $(ARGS)

# Its packages are the fuzzer's alone, and only the readers' own besides: not pinned with the rest, and not part of CI.
.PHONY: fuzz
fuzz: $(STAMP) ## Fuzz the readers of tarballs, guided by coverage, ten minutes each
	$(BIN)/python -m venv --clear .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check atheris==3.0.0 'numpy<2' packaging platformdirs
	.venv-fuzz/bin/python -m benchmarks.tarball_fuzzing params $(ARGS)
	.venv-fuzz/bin/python -m benchmarks.tarball_fuzzing archive $(ARGS)

.PHONY: leaks
leaks: $(STAMP) ## Try every fault and every death at every call of a deployment: nothing may be left; about half an hour
	$(BIN)/python -m benchmarks.leak_campaign $(ARGS)

.PHONY: drawing
drawing: $(STAMP) ## Draw traced digits of MNIST through the page, and time its bars in Chromium: about five minutes
	$(BIN)/python -m benchmarks.drawn_digits $(ARGS)
	$(BIN)/python -m benchmarks.draw_latency $(ARGS)

.PHONY: test-leaks
test-leaks: $(STAMP) ## Let runs deploy, crash, expire and be reaped in 1,000 random sequences: about ten minutes
	$(BIN)/pytest tests/cloud/test_cloud_leak_machine.py --hypothesis-profile=long --timeout=0 $(ARGS)

.PHONY: lint
lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: $(STAMP) ## Rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(BENCH): $(STAMP)
	@if $(PIP) --no-build-isolation --editable '.[bench]'; then touch $@; \
	else echo "PyTorch or matplotlib could not be installed: make bench leaves out what needs them" >&2; fi

.PHONY: bench
bench: $(BENCH) ## Measure the engines beside the notebook's loop, PyTorch and JAX, interleaved in one run
	$(BIN)/python -m benchmarks.engine_speed $(ARGS)

.PHONY: agreement
agreement: $(STAMP) ## Compare the accuracy that both engines reach on MNIST, from the same starts
	$(BIN)/python -m benchmarks.engine_agreement $(ARGS)

.PHONY: calibrate
calibrate: $(STAMP) ## Measure the regression gate's false alarms and power on thousands of comparisons: half an hour
	$(BIN)/python -m benchmarks.gate_calibration $(ARGS)

.PHONY: aws
aws: $(STAMP) ## Run the experiments against a real AWS account: costs money
	$(BIN)/pytest -m aws experiments $(ARGS)

# Needs uv (https://docs.astral.sh/uv/) on the PATH; records names, versions and hashes, not where they came from.
.PHONY: lock
lock: ## Write constraints.txt anew from pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --extra dev --no-emit-package byom-harness pyproject.toml --output-file constraints.txt

.PHONY: clean
clean: ## Remove .venv and everything generated
	rm -rf $(VENV) .venv-jax .venv-fuzz build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
