# The build by DuckDB's extension CI, which puts github.com/duckdb/extension-ci-tools beside this file. Its makefiles define `configure_ci`,
# the steps of `release`, and `set_duckdb_version`; the result is build/release/extension/rasteret/rasteret.duckdb_extension.
EXTENSION_NAME := rasteret
# The C API that the footer names; as in scripts/footer.py, so that one binary serves every DuckDB from 1.4 on.
TARGET_DUCKDB_VERSION := v1.2.0
USE_UNSTABLE_C_API := 0
PYTHON_BIN ?= python3
EXTENSION_VERSION := v$(shell $(PYTHON_BIN) -c "import re; print(re.search('\nversion = \"(.*)\"', open('Cargo.toml').read()).group(1))")

include extension-ci-tools/makefiles/c_api_extensions/base.Makefile
include extension-ci-tools/makefiles/c_api_extensions/rust.Makefile

.PHONY: configure debug release test test_debug test_release clean clean_all

configure: venv platform extension_version

debug: build_extension_library_debug build_extension_with_metadata_debug

release: build_extension_library_release build_extension_with_metadata_release

# Not their runner of test/sql: most of those files need the servers of scripts/sqltest.py.
test: test_release

test_debug: check_configure
	$(PYTHON_VENV_BIN) scripts/smoke.py build/debug/$(EXTENSION_FILENAME)

test_release: check_configure
ifeq ($(SKIP_TESTS),1)
	@echo "Skipping tests.."
else
	$(PYTHON_VENV_BIN) scripts/smoke.py build/release/$(EXTENSION_FILENAME)
endif

clean: clean_build clean_rust

clean_all: clean_configure clean
