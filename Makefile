# What `make test` runs is what a change must pass. `make` alone lists the targets.

CARGO ?= cargo
SEEDS ?= 20000
SECONDS ?= 60
TARGETS ?= evolving manifest snapshot walker
KILLS ?= 1000

.PHONY: help test quick tools objects serve sql sql-lint rocksdb libclang format lint core tests docs \
	sim smoke planted planted-table models crash-points bare-metal wasm kill bench fuzz golden corpus
.NOTPARALLEL:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# In the order in which failing is cheapest: what is missing for RocksDB is told at once, and that it
# is compiled, for minutes and once, comes last.
test: tools libclang format core lint docs tests objects serve sql smoke planted wasm bare-metal rocksdb ## Run everything that a change must pass

quick: tools format lint tests ## Run what is worth running before every commit

# RocksDB is compiled once, in minutes: every command builds it with the same features and flags.
ROCKS = -p holdwater-rocksdb -p holdwater-any --features rocksdb
ROCKS_JOBS = -p holdwater-system --features rocksdb
# It waits for the disk at each change to its set of files, and a test opens many: those tests take a
# quarter of the time in memory, where there is room.
IN_MEMORY = $(shell [ "$$(df -Pk /dev/shm 2>/dev/null | awk 'END { print $$4 + 0 }')" -gt 4000000 ] \
	&& echo TMPDIR=/dev/shm)

rocksdb: libclang ## Check and test the store on RocksDB, and jobs that run on it
	$(CARGO) clippy -p holdwater-cli -p holdwater-bench $(ROCKS) $(ROCKS_JOBS) --all-targets \
		-- -D warnings
	$(IN_MEMORY) $(CARGO) test $(ROCKS)
	$(IN_MEMORY) $(CARGO) test $(ROCKS_JOBS) --test kill --test run --test windows -- backend kill
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(ROCKS) --no-deps --lib

# A client with TLS, which nobody compiles who does not use it. The server is one for tests.
objects: ## Check and test checkpoints in object stores, on an S3 server on loopback
	tests/s3/install "$${CARGO_TARGET_DIR:-target}/moto"
	$(CARGO) clippy -p holdwater-objects -p holdwater-cli -p holdwater-system --all-targets \
		--features holdwater-objects/cloud,holdwater-cli/objects,holdwater-system/objects \
		-- -D warnings
	$(CARGO) test -p holdwater-objects --features cloud
	$(CARGO) test -p holdwater-system --features objects --test objects

# A server, which nobody compiles who does not use it; a browser looks at its page.
serve: ## Check and test the server, and its page in a browser
	tests/bare-metal/install curl:curl chromium:chromium
	$(CARGO) clippy -p holdwater-serve -p holdwater-cli -p holdwater-system --all-targets \
		--features holdwater-serve/http,holdwater-cli/serve,holdwater-system/serve -- -D warnings
	$(CARGO) test -p holdwater-serve --features http
	$(CARGO) test -p holdwater-system --features serve --test serve
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc -p holdwater-serve --features http --no-deps --lib

# DataFusion and Arrow, which nobody compiles who does not use them. To lint what uses them takes as
# long as to compile them again: that is a target of its own, for those who change it.
sql: ## Check SQL over checkpoints
	$(CARGO) test -p holdwater-table --features sql
	$(CARGO) test -p holdwater-system --features sql --test processor -- sql queries

sql-lint: ## Check with clippy what is built with SQL, and its documentation
	$(CARGO) clippy -p holdwater-table --all-targets --features sql -- -D warnings
	$(CARGO) clippy -p holdwater-cli --features sql -- -D warnings
	$(CARGO) clippy -p holdwater-system --features sql --test processor -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc -p holdwater-table --features sql --no-deps --lib

tools:
	@for tool in fmt clippy; do $(CARGO) $$tool --version >/dev/null 2>&1 || { \
		echo "cargo $$tool is missing: run 'rustup component add rustfmt clippy'" >&2; \
		exit 1; }; done

# RocksDB is C++, and libclang reads its header.
libclang:
	@c++ --version >/dev/null 2>&1 && { [ -n "$$LIBCLANG_PATH" ] || \
		ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/libclang*.so* /usr/lib64/libclang*.so* \
			/usr/lib/*/libclang*.so* 2>/dev/null | grep -qv libclang-cpp; } || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && apt-get install -y -qq libclang-dev g++; } || { \
		echo "a C++ compiler or libclang is missing: run 'apt-get install libclang-dev g++'" >&2; \
		exit 1; }

# With what compiles in little time and nobody gets who does not ask for it.
ALL = --workspace --features holdwater-threads/instruments

format: ## Check the formatting
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path tests/bare-metal/Cargo.toml

lint: ## Check every target with clippy, warnings denied
	$(CARGO) clippy $(ALL) --all-targets -- -D warnings

core: ## Check core and fixed store alone, without an allocator
	$(CARGO) clippy -p holdwater --no-default-features -- -D warnings
	$(CARGO) clippy -p holdwater-fixed -- -D warnings

tests: ## Run the tests of all packages
	$(CARGO) test $(ALL)

# Libraries only: the binary `holdwater` would overwrite the pages of the core.
docs: ## Build the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(ALL) --no-deps --lib

crash-points: ## Crash at every step, and again at each of those that follow (some 15 minutes)
	$(CARGO) run --release -p holdwater-sim -- --crash-points 2

sim: ## Simulate SEEDS failure schedules (20000), and a crash at every step
	$(CARGO) run --release -p holdwater-sim -- --crash-points
	$(CARGO) run --release -p holdwater-sim -- --without-syncs
	$(CARGO) run --release -p holdwater-sim -- --seeds $(SEEDS)

smoke:
	$(CARGO) run --release -p holdwater-sim -- --seeds 2000

# A build of its own: no other has a bug in it.
planted: ## Plant each known bug, and see that the simulator finds it
	RUSTFLAGS="--cfg holdwater_planted" $(CARGO) run --release -p holdwater-sim \
		--target-dir "$${CARGO_TARGET_DIR:-target}/planted" -- --planted all
	RUSTFLAGS="--cfg holdwater_planted" $(CARGO) test --release -p holdwater-models \
		--target-dir "$${CARGO_TARGET_DIR:-target}/planted" --test planted

models: ## Check every run of small worlds, larger ones than `make tests` does (some minutes)
	$(CARGO) run --release -p holdwater-models --example wide

planted-table: ## Write docs/planted-bugs.md: how each planted bug is found
	RUSTFLAGS="--cfg holdwater_planted" $(CARGO) run --release -p holdwater-sim \
		--target-dir "$${CARGO_TARGET_DIR:-target}/planted" -- --planted all \
		--table docs/planted-bugs.md

# A workspace of its own: compilers that are older build it, with older versions of libraries.
METAL = --manifest-path tests/bare-metal/Cargo.toml --target-dir "$${CARGO_TARGET_DIR:-target}/bare-metal"

bare-metal: ## Run a firmware in an emulator, and cut its power
	$(CARGO) clippy $(METAL) -- -D warnings
	tests/bare-metal/install qemu-system-arm:qemu-system-arm
	firmware=$$(tests/bare-metal/build thumbv7m-none-eabi firmware --features firmware) && \
		$(CARGO) run $(METAL) --bin emulate -- "$$firmware"

wasm: ## Run core and heap in WebAssembly, under Node
	tests/bare-metal/install node:nodejs
	module=$$(tests/bare-metal/build wasm32-unknown-unknown module) && \
		node tests/bare-metal/src/module/run.mjs "$$module.wasm"

kill: ## Kill and resume the main job KILLS times (1000)
	HOLDWATER_KILLS=$(KILLS) $(CARGO) test --release -p holdwater-system --test kill --test windows kill -- --nocapture

bench: ## Measure against peers and limits
	$(CARGO) bench -p holdwater-bench

# Named, so that the flags are not for the programs that run while building.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
# The coverage that libFuzzer steers by, as cargo-fuzz asks for it; any toolchain has it.
FUZZ_FLAGS = --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks

fuzz: ## Fuzz each of TARGETS (all) for SECONDS (60)
	cd fuzz && RUSTFLAGS="$(FUZZ_FLAGS)" $(CARGO) build --release --target-dir target --target $(HOST)
	mkdir -p fuzz/artifacts fuzz/target/found
	for target in $(TARGETS); do mkdir -p fuzz/target/found/$$target && \
		fuzz/target/$(HOST)/release/$$target -max_total_time=$(SECONDS) -dict=fuzz/dictionary \
		-rss_limit_mb=1024 -malloc_limit_mb=64 -timeout=5 -max_len=65536 -print_final_stats=1 \
		-artifact_prefix=fuzz/artifacts/$$target- \
		fuzz/target/found/$$target fuzz/corpus/$$target || exit 1; done

golden: ## Write the golden checkpoints of this version, once and for ever
	$(CARGO) run -p holdwater-conformance --example golden

corpus: ## Write the files of a real checkpoint, and values with schemas, into the corpus of the fuzz targets
	$(CARGO) run -p holdwater-damage --example corpus
