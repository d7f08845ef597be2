# Each target runs a script; `make help` lists them.
.DEFAULT_GOAL := help

# DuckDB's extension CI uses its own targets with the same names.
ifneq ($(wildcard extension-ci-tools/makefiles/c_api_extensions/base.Makefile),)
include community.mk
else

.PHONY: help release dist test check demo docs-site bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

release: ## build the extension: build/release/rasteret.duckdb_extension
	@scripts/build

dist: ## package a release for this platform, with checksums and notes: build/dist
	@scripts/package.py dist

test: check ## run everything that CI runs; the same as check

check: ## run all checks; `scripts/check NAME...` runs single steps, `scripts/check --list` lists them
	@scripts/check

demo: ## index a few hundred COGs over HTTP, compute NDVI without clouds, compare with rasterio
	@scripts/demo

docs-site: ## build the documentation site and check its links: build/site
	@scripts/docs-site

bench: ## compare with Python Rasteret, obstore and rasterio on this machine
	@scripts/bench enrich

clean: ## remove all build results
	cargo clean
	rm -rf build

endif
