# rustgrad: every command a contributor needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps

.PHONY: help setup demo test test-rust test-python lint format typecheck table stubs bench wheel memcheck loom clean
.DEFAULT_GOAL := help

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMPS)/venv: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/pip install -q 'maturin>=1.16,<2' 'numpy>=1.26' 'optree>=0.12' 'pytest>=8' 'hypothesis>=6.100' 'mpmath>=1.3' \
		'scipy>=1.11' 'scikit-learn>=1.4' 'matplotlib>=3.8' 'tqdm>=4.66' 'ruff==0.17.6' 'mypy==2.4.1'
	@mkdir -p $(STAMPS) && touch $@

RUST_SOURCES := $(shell find src -name '*.rs') Cargo.toml Cargo.lock
$(STAMPS)/extension: $(STAMPS)/venv $(RUST_SOURCES)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release -q
	@touch $@

setup: $(STAMPS)/extension ## Make the environment and build the extension into it

demo: $(STAMPS)/extension ## Run the examples, from first steps to a layer that is a fixed point
	$(BIN)/python examples/autograd.py
	$(BIN)/python examples/digits.py
	$(BIN)/python examples/newton_logistic.py
	$(BIN)/python examples/per_sample_gradients.py
	$(BIN)/python examples/sparse_hessian.py
	$(BIN)/python examples/implicit_layer.py

test: test-rust test-python ## All tests, Rust and Python

test-rust: ## Rust unit tests
	cargo test --lib -q

test-python: $(STAMPS)/extension ## Python tests
	$(BIN)/python -m pytest

lint: $(STAMPS)/venv ## Formatting and lints of both languages
	cargo fmt --check
	cargo clippy --all-targets -q -- -D warnings
	cargo clippy --lib --features python -q -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

typecheck: $(STAMPS)/extension ## Types of the Python package
	$(BIN)/mypy python/rustgrad
	$(BIN)/python tools/stubs.py --check

table: $(STAMPS)/extension ## Write the table of operators and modes anew
	$(BIN)/python tools/table.py

stubs: $(STAMPS)/extension ## Write the types of the compiled module anew
	$(BIN)/python tools/stubs.py

format: $(STAMPS)/venv ## Format both languages
	cargo fmt
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMPS)/extension ## Kernel benchmarks, then ratios to PyTorch and NumPy where installed
	cargo bench
	$(BIN)/python benches/compare.py

wheel: $(STAMPS)/venv ## Build the wheel into dist/
	$(BIN)/maturin build --release --compression-level 9 --out dist

memcheck: ## Arena, buffers and threads under valgrind
	sh tools/memcheck.sh

loom: ## Every interleaving of the hand-over between threads
	RUSTFLAGS='--cfg loom' cargo test --release --lib gate

clean: ## Remove everything that was built
	rm -rf $(VENV) $(STAMPS) target dist
