# The commands people use. Everything else is CMake: see CONTRIBUTING.md.
PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)

.PHONY: help setup build test demo bench fuzz soak sim netns asan tsan clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## install what is missing (apt), unpack the engine into .deps/
	@scripts/setup.sh

build: setup ## hearth, hearth-worker and hearth-sandbox into build/release/bin/
	@cmake --preset $(PRESET) --log-level=WARNING
	@cmake --build $(BUILD) -j $(JOBS) -- --quiet

demo: build ## prefill in one process, decode in another, compared with one process alone
	@$(BUILD)/bin/hearth demo

test: build ## every test
	@scripts/setup.sh --sdk
	@cd $(BUILD) && ctest --output-on-failure --label-exclude slow -j $(JOBS)

soak: build ## the long tests
	@cd $(BUILD) && ctest --output-on-failure --label-regex slow

SEEDS ?= 10000
sim: build ## a simulated cluster under faults: SEEDS=10000 of them
	@HEARTH_SIM_SEEDS=$(SEEDS) $(BUILD)/bin/sim_test --gtest_filter='ClusterSimulation.*'

netns: build ## a cluster in network namespaces (Linux, root): faults and measurements; JSON into build/bench/
	@scripts/setup.sh --netns
	@tests/netns/run.sh $(BUILD)

asan: setup ## every test under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory test PRESET=asan

# The runtime of g++ 12 does not start where addresses are more random than it knows.
NOT_RANDOM = $(shell setarch -R true 2>/dev/null && echo setarch -R)
tsan: setup ## every test under the thread sanitizer
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tests/support/tsan_suppressions.txt ignore_noninstrumented_modules=1" \
	  $(NOT_RANDOM) $(MAKE) --no-print-directory test PRESET=tsan

fuzz: setup ## 60 seconds of each fuzz target (clang-19)
	@scripts/fuzz.sh

bench: build ## measured against llama-bench and llama-server; JSON into build/bench/
	@scripts/bench.sh

clean: ## remove build/, keep .deps/
	@rm -rf build
