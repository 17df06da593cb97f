# The same commands by hand and in CI. Each target installs what it lacks (scripts/dev/need.sh).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# amd64 or arm64; the other one than the machine's is cross-built.
ARCH ?= amd64
TARGET := $(if $(filter arm64,$(ARCH)),aarch64-unknown-linux-musl,x86_64-unknown-linux-musl)
BINARY := target/$(TARGET)/release/pgmarch
IMAGE ?= pgmarch
NEED := scripts/dev/need.sh
LINTERS := .cache/linters/bin
SCRIPTS = $(shell find . \( -name target -o -name .cache -o -name .git \) -prune -o -name '*.sh' -print) .ci/run

# Version and revision, from Cargo and git.
VERSION = $(shell cargo pkgid | sed 's/.*[#@]//')
REVISION = $(shell git rev-parse --verify --quiet HEAD || echo unknown)
SOURCE ?= unknown
build-image = docker build --file docker/Dockerfile --target prebuilt-$(1) --tag $(2) --platform linux/$(ARCH) \
	--build-arg ARCH=$(ARCH) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg SOURCE=$(SOURCE) .

AGAIN := target/again
export CC_aarch64_unknown_linux_musl ?= aarch64-linux-gnu-gcc

.PHONY: help build again bench bench-quick demo test test-released docs-test docs faults matrix matrix-quick fuzz lint fmt stage image engines e2e clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the static release binary and check that it is static (ARCH=arm64: the other one)
	@$(NEED) musl $(ARCH)
	scripts/release/compile.sh $(TARGET)
	@scripts/dev/check-static.sh $(BINARY)

# From nothing but what docker/Dockerfile compiles from. The files keep their times, so cargo builds only what changed.
again: ## Build the same from a copy of the sources in another folder, and show both digests
	@$(NEED) musl $(ARCH)
	@rm -rf $(AGAIN)/src $(AGAIN)/crates $(AGAIN)/scripts
	@mkdir -p $(AGAIN)
	@cp --archive --parents Cargo.toml Cargo.lock LICENSE rust-toolchain.toml scripts/release src crates/*/Cargo.toml crates/*/src $(AGAIN)
	$(AGAIN)/scripts/release/compile.sh $(TARGET)
	@sha256sum $(wildcard $(BINARY)) $(AGAIN)/$(BINARY)

bench: build ## Measure pgmarch beside its peers, into docs/benchmarks.md (15 minutes; the peers are fetched first)
	@$(NEED) postgres peers
	@python3 scripts/bench $(BINARY)

bench-quick: build ## The same in two minutes, without the slow peers and without the report
	@$(NEED) postgres peers
	@python3 scripts/bench --quick $(BINARY)

demo: build ## Watch pgmarch wait for a throwaway server, migrate it and let a dependent start
	@$(NEED) postgres
	@scripts/dev/demo.sh $(BINARY)

test: ## Run all tests, against real throwaway servers (docs-test is among them)
	@$(NEED) cargo postgres proxies orms
	@scripts/dev/earlier-release.sh >/dev/null
	cargo test --locked --workspace --features test-support

# The tests of tests/docs/, which are scenarios like the others.
docs-test: ## Compare the documents with the program: tables, examples, links, names, messages
	@$(NEED) cargo postgres
	cargo test --locked --features test-support --test scenarios docs::

docs: ## Write the parts of the documents that come from the code and from the catalog
	@$(NEED) cargo postgres
	PGMARCH_WRITE_DOCS=1 cargo test --locked --features test-support --test scenarios -- docs::tables docs::schema

faults: build ## Disturb runs in every way there is, and print which survived (20 minutes at most)
	@$(NEED) cargo postgres proxies
	cargo test --locked --features test-support --test faults --no-run
	PGMARCH_TEST_BINARY=$(abspath $(BINARY)) PGMARCH_FAULTS=all timeout 25m cargo test --locked --features test-support --test faults

MAJORS ?=
matrix: ## Run the scenarios on PostgreSQL 13 to 18 (MAJORS="13 18" for some of them)
	@$(NEED) cargo postgres npm orms
	@scripts/dev/earlier-release.sh >/dev/null
	PGMARCH_TEST_TENANTS=all scripts/dev/postgres-majors.sh $(MAJORS)

test-released: build ## Run all scenarios with the released binary
	@$(NEED) cargo postgres proxies orms
	@scripts/dev/earlier-release.sh >/dev/null
	PGMARCH_TEST_BINARY=$(abspath $(BINARY)) cargo test --locked --features test-support --test scenarios

# What no server has a say in, or takes long, is left to `make test`, on one major.
SKIPPED := alembic:: import:: leaks:: harness:: scripts:: garbage:: reading:: recipes:: random:: a_thousand_tables
matrix-quick: ## The same on the oldest and the newest alone, without what is slow (8 minutes)
	@$(NEED) cargo postgres npm
	@scripts/dev/earlier-release.sh >/dev/null
	PGMARCH_MATRIX_TESTS="$(SKIPPED:%=--skip %)" scripts/dev/postgres-majors.sh 13 18
	@# The last major that lets every login create objects in public, as it comes.
	PGMARCH_MATRIX_TESTS=planted_ scripts/dev/postgres-majors.sh 14

SECONDS_EACH ?= 60
fuzz: ## Feed garbage to all that reads, a minute each (SECONDS_EACH=3600 for longer)
	@$(NEED) fuzz
	scripts/dev/fuzz.sh $(SECONDS_EACH)

lint: ## Check format, code, docs, dependencies, scripts, Dockerfile and workflows
	@$(NEED) linters
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --all-features -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps --document-private-items
	scripts/dev/lint-dependencies.sh
	$(LINTERS)/shellcheck $(SCRIPTS)
	$(LINTERS)/hadolint docker/Dockerfile fuzz/oss-fuzz/Dockerfile
	$(LINTERS)/zizmor --offline --quiet .github/workflows

fmt: ## Format the code
	@$(NEED) cargo
	cargo fmt --all

stage: build ## Lay out what the images hold: binary, licences, SBOM, revisions (target/image)
	@scripts/release/stage.sh $(ARCH) $(BINARY)

image: ## Build the two images, tagged dev, around that binary
	@$(NEED) docker
	@$(MAKE) --no-print-directory stage
	$(call build-image,pgmarch,$(IMAGE):dev)
	$(call build-image,marchproxy,$(IMAGE)-marchproxy:dev)
	docker images --filter reference='$(IMAGE)*:dev'

engines: ## Get Docker Engine, compose and podman, and try whether containers can run here; needs root and apt
	@$(NEED) cargo engines
	@tests/e2e/run.sh --engines

e2e: engines stage ## Run the images in Docker Compose and in pods; needs root and apt (a line for each scenario)
	@$(MAKE) --no-print-directory stage ARCH=arm64
	@tests/e2e/run.sh

clean: ## Remove what was built, and the cached linters
	@$(NEED) cargo
	cargo clean
	rm -rf .cache
