# Everything a developer runs. Each target sets up what it needs in .venv; stamp files make the second run quick.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUST_FILES := $(shell find src -name '*.rs')
TRIPLE = $(shell rustc -vV | sed -n 's/^host: //p')
# Where unsafe code lives: blocks of memory, the arena of nodes, the hand-off between threads.
UNSAFE_TESTS := array:: graph:: kernels::pool
export MPLBACKEND ?= Agg

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Set-up -------------------------------------------------------------------------------------------------------------

$(STAMPS)/venv:
	@command -v cargo >/dev/null || { echo "a Rust toolchain is needed (cargo was not found): https://rustup.rs" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# Requirements of the package itself and of one of its extras: $(STAMPS)/examples, $(STAMPS)/test, $(STAMPS)/dev
$(STAMPS)/examples $(STAMPS)/test $(STAMPS)/dev: $(STAMPS)/%: pyproject.toml tools/requirements.py | $(STAMPS)/venv
	$(BIN)/python tools/requirements.py build $* > $(STAMPS)/$*.txt
	$(PIP) install -r $(STAMPS)/$*.txt
	@touch $@

# An editable install: python/rustgrad is used where it lies, with the compiled module beside it.
$(STAMPS)/extension: $(RUST_FILES) Cargo.toml Cargo.lock pyproject.toml | $(STAMPS)/examples
	VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/maturin develop --release --locked
	@touch $@

.PHONY: setup build stubs
setup: $(STAMPS)/dev build ## Create .venv with everything a developer needs

build: $(STAMPS)/extension ## Compile the extension module and install it into .venv

stubs: build ## Write python/rustgrad/_core.pyi from the compiled module
	$(BIN)/python tools/stubs.py

# The main job and the tests -----------------------------------------------------------------------------------------

.PHONY: demo test test-rust test-python bench bench-rust
demo: build ## Run the examples: derivatives of a formula and a fit, then train on real digits
	$(BIN)/python examples/autograd.py
	$(BIN)/python examples/digits.py

test: test-rust test-python ## Run all tests, Rust and Python

test-rust: ## Run the Rust tests
	cargo test --locked

test-python: $(STAMPS)/test build ## Run the Python tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: build ## Compare with PyTorch and NumPy, where they are installed in .venv
	$(BIN)/python benches/compare.py $(BENCH_ARGS)

bench-rust: ## Measure kernels, tape and sweep
	cargo bench --locked

# Checks -------------------------------------------------------------------------------------------------------------

.PHONY: format format-check lint typecheck memcheck miri deny
format: $(STAMPS)/dev ## Format Rust and Python
	cargo fmt --all
	$(BIN)/ruff check --fix-only --quiet --select I .
	$(BIN)/ruff format .

format-check: $(STAMPS)/dev ## Check the format without changing anything
	cargo fmt --all --check
	$(BIN)/ruff format --check .

lint: $(STAMPS)/dev ## Lint Rust, Python and shell
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --features python -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/shellcheck .ci/run

typecheck: $(STAMPS)/dev build ## Check types, and the stub file against the compiled module
	$(BIN)/python tools/stubs.py --check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest rustgrad._core

memcheck: ## Run the tests of unsafe code under valgrind
	CARGO_TARGET_$(shell echo $(TRIPLE) | tr a-z- A-Z_)_RUNNER="valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite" \
	  cargo test --locked --lib -- $(UNSAFE_TESTS)

miri: ## Run the tests of unsafe code under Miri (needs a nightly toolchain)
	MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked --lib -- $(UNSAFE_TESTS)

deny: ## Check licences and sources of the dependencies (needs cargo-deny)
	cargo deny check

# Packages -----------------------------------------------------------------------------------------------------------

.PHONY: wheel wheel-check clean
wheel: $(STAMPS)/examples ## Build a wheel into dist/
	rm -rf dist
	$(BIN)/maturin build --release --locked --out dist

wheel-check: wheel ## Install the wheel into an empty virtual environment and run the main job there
	$(BIN)/python tools/check_wheel.py dist/*.whl

clean: ## Remove everything that was built, .venv included
	rm -rf $(VENV) dist build target examples/output .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f python/rustgrad/_core*.so python/rustgrad/_core*.pyd
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
