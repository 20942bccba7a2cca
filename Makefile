# Everything runs from .venv, which the first target makes and later ones reuse while it is current.
# PYTHON=/path/to/python3 chooses the interpreter; ARGS="…" is handed to the command.

BIN := .venv/bin
ROOMS := schemas ledger edge_agent exchange firmware_sim haulproof

.PHONY: help demo test check pytest test-long lock clean venv

help:
	@echo "make demo       play a recorded drive from the truck to the insurer, in a temporary folder"
	@echo "make test       every check and every test, about twelve minutes on two cores"
	@echo "make check      ruff, mypy and the import contracts only"
	@echo "make test-long  the tests that take longer as well"
	@echo "make lock       work out requirements.lock again from pyproject.toml"
	@echo "make clean      remove .venv and everything else that was made"
	@echo "The environment is kept in .venv; PYTHON=… chooses the Python, ARGS=\"…\" adds arguments."

venv:
	@sh .ci/venv

demo: venv
	@$(BIN)/haulproof demo $(ARGS)

check: venv
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports >.lint-imports.log 2>&1 || { cat .lint-imports.log; exit 1; }

# Tests wait for servers more than they compute, so the checks run beside them.
test: venv
	@$(MAKE) --no-print-directory --jobs=2 check pytest

pytest: venv
	$(BIN)/python -m pytest $(ARGS)

test-long: check
	$(BIN)/python -m pytest -m "" $(ARGS)

lock:
	@sh .ci/lock

clean:
	rm -rf .venv .node .aics .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
		.lint-imports.log build dist *.egg-info
	find $(ROOMS) tests -name __pycache__ -type d -prune -exec rm -rf {} +
