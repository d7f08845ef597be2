# What humans type. Each target is one script; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help release test check demo bench clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

release: ## build/release/rasteret.duckdb_extension
	@scripts/build

test: check ## everything that CI runs: the same as check

check: ## the one gate; `scripts/check NAME...` runs single steps, `scripts/check --list` names them
	@scripts/check

demo: ## index a few hundred real COGs over HTTP and look at the result
	@scripts/demo

bench: ## compare with Python Rasteret, obstore and rasterio on this machine
	@scripts/bench enrich

clean: ## remove everything that was built
	cargo clean
	rm -rf build
