# What humans type. Each target is one script; `make help` lists them.
.DEFAULT_GOAL := help

# DuckDB's extension CI has targets of its own for the same names.
ifneq ($(wildcard extension-ci-tools/makefiles/c_api_extensions/base.Makefile),)
include community.mk
else

.PHONY: help release dist test check demo docs-site bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

release: ## build/release/rasteret.duckdb_extension
	@scripts/build

dist: ## build/dist: the archive of a release for this platform, with checksums and notes
	@scripts/package.py dist

test: check ## everything that CI runs: the same as check

check: ## the one gate; `scripts/check NAME...` runs single steps, `scripts/check --list` names them
	@scripts/check

demo: ## index a few hundred real COGs over HTTP and look at the result
	@scripts/demo

docs-site: ## build/site: the documentation as a site, its links checked
	@scripts/docs-site

bench: ## compare with Python Rasteret, obstore and rasterio on this machine
	@scripts/bench enrich

clean: ## remove everything that was built
	cargo clean
	rm -rf build

endif
