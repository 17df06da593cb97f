# The same commands by hand and in CI. Each target installs what it lacks (scripts/dev/need.sh).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TARGET := x86_64-unknown-linux-musl
BINARY := target/$(TARGET)/release/pgmarch
IMAGE ?= pgmarch
NEED := scripts/dev/need.sh
LINTERS := .cache/linters/bin
SCRIPTS = $(shell find . \( -name target -o -name .cache -o -name .git \) -prune -o -name '*.sh' -print) .ci/run

# Version and revision as Cargo and git know them: nobody types them twice.
VERSION = $(shell cargo pkgid | sed 's/.*[#@]//')
REVISION = $(shell git rev-parse --verify --quiet HEAD || echo unknown)
build-image = docker build --file docker/Dockerfile --target prebuilt-$(1) --tag $(2) \
	--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) .

.PHONY: help build demo test faults lint fmt image clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the static release binary and check that it is static
	@$(NEED) musl
	cargo build --release --locked --target $(TARGET)
	@scripts/dev/check-static.sh $(BINARY)

demo: build ## Watch pgmarch wait for a throwaway server, migrate it and let a dependent start
	@$(NEED) postgres
	@scripts/dev/demo.sh $(BINARY)

test: ## Run all tests, against real throwaway servers
	@$(NEED) cargo postgres
	cargo test --locked

faults: ## Disturb runs in every way there is, and print which survived (20 minutes at most)
	@$(NEED) cargo postgres pgbouncer
	PGMARCH_FAULTS=all timeout 20m cargo test --locked --test faults

lint: ## Check format, code, docs, dependencies, scripts and Dockerfile
	@$(NEED) linters
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps --document-private-items
	scripts/dev/lint-dependencies.sh
	$(LINTERS)/shellcheck $(SCRIPTS)
	$(LINTERS)/hadolint docker/Dockerfile

fmt: ## Format the code
	@$(NEED) cargo
	cargo fmt

image: build ## Build the two images, tagged dev, around that binary
	@$(NEED) docker
	$(call build-image,pgmarch,$(IMAGE):dev)
	$(call build-image,marchproxy,$(IMAGE)-marchproxy:dev)
	docker images --filter reference='$(IMAGE)*:dev'

clean: ## Remove what was built, and the cached linters
	@$(NEED) cargo
	cargo clean
	rm -rf .cache
