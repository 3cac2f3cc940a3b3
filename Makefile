# Everything a developer runs. `make` alone lists the targets; each brings along what it needs.

PYTHON ?= python3
BIN := .venv/bin
PROTOC := .venv-protos/bin/python
ENV := .venv/.installed
IMAGE := out/protos.binpb
DATA_DIR ?= data
GRPC ?= 127.0.0.1:50051
REST ?= 127.0.0.1:8080

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_INPUT = 1

.DEFAULT_GOAL := help
.PHONY: help install demo test check lint types imports contract protos fmt bench chaos acceptance serve mock upgrade clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- environments ------------------------------------------------------------------------------------------------------------------

install: $(ENV) ## Make .venv with everything in it (Python 3.11 or newer; PYTHON=... names one)
	@echo "Ready: $(BIN)/lodestream --help"

# pip first: the one that Debian and pyenv bundle does not know dependency groups.
$(ENV): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Lodestream needs Python 3.11 or newer, and $(PYTHON) is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make install PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv with $$($(PYTHON) --version)"; \
	  $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }; }
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	@echo "Installing Lodestream and its tools (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt \
	  --editable '.[all]' --group dev
	@touch $@

.venv-protos/.installed: tools/protos-constraints.txt | $(ENV)
	@test -x $(PROTOC) || $(BIN)/python -m venv .venv-protos
	@echo "Installing the stub compiler"
	@$(PROTOC) -m pip install --quiet --constraint tools/protos-constraints.txt pip
	@$(PROTOC) -m pip install --quiet --requirement tools/protos-constraints.txt
	@touch $@

upgrade: ## Renew constraints.txt with the newest versions that pyproject.toml allows
	@rm -rf out/upgrade && $(PYTHON) -m venv out/upgrade
	@out/upgrade/bin/python -m pip install --quiet --upgrade pip
	@out/upgrade/bin/python -m pip install --quiet --editable '.[all]' --group dev hatchling
	@head -1 constraints.txt > out/constraints.txt
	@out/upgrade/bin/python -m pip freeze --all --exclude-editable | grep -v '^setuptools==' | LC_ALL=C sort -f >> out/constraints.txt
	@mv out/constraints.txt constraints.txt && rm -rf out/upgrade
	@git --no-pager diff --stat constraints.txt

# --- the daily round ---------------------------------------------------------------------------------------------------------------

demo: $(ENV) ## Real server, an operation, a job, a notebook and a report, live, downloads in out/demo (LOG=path takes your log)
	@$(BIN)/python -m tools.demo $(if $(LOG),--log "$(LOG)")

test: $(ENV) ## Run the tests, two files at a time (ARGS="-k word" picks some, ARGS="-n 0" runs one at a time)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: lint types imports contract ## Everything that is judged without running the program

lint: $(ENV) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(ENV) ## mypy --strict
	$(BIN)/mypy

imports: $(ENV) ## import-linter: who may import whom
	$(BIN)/lint-imports --no-logo

contract: .venv-protos/.installed $(ENV) ## buf lint, and the generated files fit the protos
	@mkdir -p $(dir $(IMAGE))
	$(PROTOC) -m tools.protos --image $(IMAGE)
	$(BIN)/buf lint $(IMAGE)
	$(PROTOC) -m tools.protos --check
	$(BIN)/python -m tools.openapi --image $(IMAGE) --check

fmt: $(ENV) ## Put the code into the house format and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

# Every generator has a line here and its --check in `contract`; the generated files are committed.
protos: .venv-protos/.installed $(ENV) ## Generate what comes from protos/ (commit the result)
	$(PROTOC) -m tools.protos
	$(PROTOC) -m tools.protos --image $(IMAGE)
	$(BIN)/python -m tools.openapi --image $(IMAGE)

# --- measuring and breaking --------------------------------------------------------------------------------------------------------

bench: $(ENV) ## Measure against bare anchors in the same run (ARGS="mining" picks one)
	@$(BIN)/python -m tools.bench $(ARGS)

chaos: $(ENV) ## Kill servers, workers and watchers at random while they work
	@$(BIN)/python -m pytest tests/acceptance -m chaos $(ARGS)

acceptance: $(ENV) ## The long proofs: other languages, third-party logs, the documentation's own programs
	@$(BIN)/python -m pytest tests/acceptance -m "not chaos" $(ARGS)

# --- running -----------------------------------------------------------------------------------------------------------------------

serve: $(ENV) ## Run the server (DATA_DIR=data GRPC=127.0.0.1:50051 REST=127.0.0.1:8080); address and token are in DATA_DIR/ready.json
	@mkdir -p "$(DATA_DIR)"
	@$(BIN)/lodestream serve --data-dir "$(DATA_DIR)" --grpc "$(GRPC)" --rest "$(REST)" --ready-file "$(DATA_DIR)/ready.json" $(ARGS)

mock: $(ENV) ## Run the mock server: the documentation, replayed
	@$(BIN)/lodestream mock serve $(ARGS)

clean: ## Remove caches and out/; the environments and your data stay
	@rm -rf out build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -path './.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
