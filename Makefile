# `make help` says what there is. Everything that takes long is cached outside the clone (~/.cache/tokencache-operator).
SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(shell tests/target-dir)

.PHONY: help demo demo-down test truth bench lint image generate deny clean

help: ## Say what there is.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: ## A one-node cluster, the operator, a TokenCache, an entry written and read.
	@tests/demo up

demo-down: ## Remove what `make demo` made.
	@tests/demo down

test: ## All tests, on real Kubernetes, Redis and a real node.
	@tests/all

truth: ## Whether Ready says what applications feel: faults on a real node, one after the other, as a table.
	@tests/truth

bench: ## What the operator costs. BENCH="cold --caches 100" measures one part; BENCH=--help says which there are.
	@tests/bench $(BENCH)

lint: ## Formatting, clippy, and links in the documentation.
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

image: ## target/image.tar: the operator's image, for tests and the demo; PROFILE=release for a release.
	@tests/image

generate: ## Write the CRD, the chart's copy of it and its warnings, docs/reasons.md and docs/edits.md anew, all or none.
	@tests/prerequisites building
	@echo "building the generator (usually 2 min from nothing, seconds when little changed)"
	@new=$$(mktemp -d) && trap 'rm -rf "$$new"' EXIT && \
	cargo run --locked --quiet -- crd > "$$new/crd" && \
	cargo run --locked --quiet -- crd --chart > "$$new/template" && \
	cargo run --locked --quiet -- reasons > "$$new/reasons" && \
	cargo run --locked --quiet -- edits > "$$new/edits" && \
	cargo run --locked --quiet -- edits --chart > "$$new/warnings" && \
	cp "$$new/reasons" docs/reasons.md && \
	cp "$$new/edits" docs/edits.md && \
	cp "$$new/warnings" charts/tokencache-operator/templates/edits.yaml && \
	cp "$$new/crd" crds/tokencaches.yaml && \
	cp "$$new/template" charts/tokencache-operator/templates/crd.yaml

deny: ## Licences, sources and bans of all dependencies (installs cargo-deny where it is missing: 4 minutes).
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check bans licenses sources

clean: ## Remove what was cached outside the clone.
	rm -rf "$${TOKENCACHE_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/tokencache-operator}" target
