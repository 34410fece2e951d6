# What `make test` runs is what a change must pass. `make` alone lists the targets.

CARGO ?= cargo
SEEDS ?= 20000
KILLS ?= 1000

.PHONY: help test quick tools format lint core tests docs sim kill bench
.NOTPARALLEL:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# In the order in which failing is cheapest.
test: tools format core lint docs tests ## Run everything that a change must pass

quick: tools format lint tests ## Run what is worth running before every commit

tools:
	@for tool in fmt clippy; do $(CARGO) $$tool --version >/dev/null 2>&1 || { \
		echo "cargo $$tool is missing: run 'rustup component add rustfmt clippy'" >&2; \
		exit 1; }; done

format: ## Check the formatting
	$(CARGO) fmt --all --check

lint: ## Check every target with clippy, warnings denied
	$(CARGO) clippy --workspace --all-targets -- -D warnings

core: ## Check core and fixed store alone, without an allocator
	$(CARGO) clippy -p holdwater --no-default-features -- -D warnings
	$(CARGO) clippy -p holdwater-fixed -- -D warnings

tests: ## Run the tests of all packages
	$(CARGO) test --workspace

# Libraries only: the binary `holdwater` would overwrite the pages of the core.
docs: ## Build the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --lib

sim: ## Simulate SEEDS failure schedules (20000)
	$(CARGO) run --release -p holdwater-sim -- --seeds $(SEEDS)

kill: ## Kill and resume the main job KILLS times (1000)
	HOLDWATER_KILLS=$(KILLS) $(CARGO) test --release -p holdwater-system --test kill -- --nocapture

bench: ## Measure against peers and limits
	$(CARGO) bench -p holdwater-bench
