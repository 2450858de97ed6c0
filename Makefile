# GNU make 3.81 (macOS) is enough. `make` alone says what there is.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
CAP ?= 20
# One worker more than cores: a fifth of the suite's time is waiting for containers and processes.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
REQUIREMENTS := requirements.txt requirements-dev.txt constraints.txt pyproject.toml
INSTALLED := $(VENV)/.installed
# The emulator pins other versions of libraries that the tests use, so it has its own.
E2E_VENV := .venv-e2e
E2E_INSTALLED := $(E2E_VENV)/.installed
# The first Python that is new enough; PYTHON=… takes another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
	&& { echo $$python; break; }; done)

.PHONY: help up demo test check format clean token tokens revoke-token
.PHONY: screenshots package deploy destroy doctor verify e2e bench costs permissions

help:
	@echo "Try it on this machine"
	@echo "  make up       start a local stack (PORT=8000 ENGINE=auto|docker|process CAP=20 OUTPUT_MB=64)"
	@echo "                DEMO=1: with a dozen jobs and a month of runs; NOTIFY=http://127.0.0.1:9000/:"
	@echo "                a webhook that is told when jobs fail, recover or miss slots"
	@echo "                ORIGINS=http://localhost:3000: pages of that origin may call the API"
	@echo "                SPOT=20: each Spot task is interrupted after 20 s; SPOT=none: no Spot capacity"
	@echo "                MAX_RUNS=5 MAX_JOBS=20: quotas of a workspace, runs in flight and jobs"
	@echo "  make demo     two jobs on a stack of their own, and everything that happens to them"
	@echo
	@echo "Change it"
	@echo "  make check    lint, format and types"
	@echo "  make format   write the format that check wants"
	@echo "  make test     every test (ARGS=... goes to pytest)"
	@echo "  make e2e      deploy into an emulator of AWS and use it; needs Podman or Docker"
	@echo "  make bench    measure what it costs, in under ten minutes; ARGS=--write updates its page, ARGS=peers"
	@echo "  make costs    write docs/costs.md: what each operation and an idle stage cost"
	@echo "  make screenshots  pictures of the console for the documentation; needs Chromium"
	@echo "  make permissions  write infra/permissions.json: what each function calls in AWS"
	@echo "  make clean    remove the virtual environments and what was built"
	@echo
	@echo "Run a stage in AWS (with AWS credentials)"
	@echo "  make package  [RUNTIME_PYTHON=/path/to/python3.13] [BYTECODE=no]: what deploy puts into AWS"
	@echo "  make deploy   STAGE=prod [PARAMETERS='Key=Value ...']; again to upgrade"
	@echo "  make doctor   STAGE=prod [IMAGE=...]: what is wrong with a stage, a sentence each"
	@echo "  make verify   STAGE=prod [IMAGE=...]: try what users rely on; 12 minutes, some cents"
	@echo "  make destroy  STAGE=prod [DATA=delete] [CONFIRM=prod]; without DATA the data stays"
	@echo
	@echo "Give access (on a stage, or on the local stack after: . .local/env)"
	@echo "  make token    WORKSPACE=acme ROLE=read|run|write [PROJECTS=a,b] [EXPIRES=90d] [NAME=ci] [STAGE=prod]"
	@echo "  make tokens   [WORKSPACE=acme] [STAGE=prod]: list them"
	@echo "  make revoke-token  ID=... [STAGE=prod]: take one back"

up: $(INSTALLED)
	@exec $(BIN)/python -m infra.local --port $(PORT) --engine $(or $(ENGINE),auto) --cap $(CAP) \
	$(if $(OUTPUT_MB),--output-mb $(OUTPUT_MB)) $(if $(DEMO),--demo) \
	$(if $(NOTIFY),--notify "$(NOTIFY)") $(if $(ORIGINS),--origins "$(ORIGINS)") \
	$(if $(SPOT),--spot "$(SPOT)") \
	$(if $(MAX_RUNS),--max-runs $(MAX_RUNS)) $(if $(MAX_JOBS),--max-jobs $(MAX_JOBS))

demo: $(INSTALLED)
	@exec $(BIN)/python -m infra.local.demo --engine $(or $(ENGINE),process)

screenshots: $(INSTALLED)
	@exec $(BIN)/python -m infra.local.screenshots

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# With .local/env sourced they act on the local stack, else on STAGE (dev) in AWS.
token: $(INSTALLED)
	@$(BIN)/python -m infra.tokens --stage "$(STAGE)" create --workspace "$(WORKSPACE)" \
	--role "$(ROLE)" --projects "$(PROJECTS)" $(if $(EXPIRES),--expires "$(EXPIRES)") \
	$(if $(NAME),--name "$(NAME)")

tokens: $(INSTALLED)
	@$(BIN)/python -m infra.tokens --stage "$(STAGE)" list --workspace "$(WORKSPACE)"

revoke-token: $(INSTALLED)
	@$(BIN)/python -m infra.tokens --stage "$(STAGE)" revoke "$(ID)"

# Lambda's Python compiles what is packaged: RUNTIME_PYTHON=/path/to/it, or BYTECODE=no.
COMPILING = $(if $(BYTECODE),--bytecode "$(BYTECODE)") \
	$(if $(RUNTIME_PYTHON),--runtime-python "$(RUNTIME_PYTHON)")

package: $(INSTALLED)
	@$(BIN)/python -m infra.package $(COMPILING)

deploy: $(INSTALLED)
	@$(BIN)/python -m infra.deploy "$(STAGE)" $(PARAMETERS) $(COMPILING)

doctor: $(INSTALLED)
	@$(BIN)/python -m infra.doctor "$(STAGE)" $(if $(IMAGE),--image "$(IMAGE)")

verify: $(INSTALLED)
	@$(BIN)/python -m infra.verify "$(STAGE)" $(if $(IMAGE),--image "$(IMAGE)")

permissions: $(INSTALLED)
	@$(BIN)/python -m tests.deploy.permissions

destroy: $(INSTALLED)
	@$(BIN)/python -m infra.destroy "$(STAGE)" $(if $(DATA),--data "$(DATA)")

e2e: $(INSTALLED) $(E2E_INSTALLED)
	JOBYARD_E2E=1 $(BIN)/python -m pytest tests/deploy/e2e $(ARGS)

bench: $(INSTALLED)
	@$(BIN)/python -m bench $(ARGS)

costs: $(INSTALLED)
	@$(BIN)/python -m bench.cost_page

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(E2E_VENV) build .local .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): $(REQUIREMENTS)
	@$(or $(PYTHON),false) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || { \
	echo "Jobyard needs Python 3.11 or newer$(if $(PYTHON),: $(PYTHON) is not that,: none is in the PATH). \
	Name one: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	@$(PYTHON) -c "import venv, ensurepip" 2>/dev/null || { echo "$(PYTHON) lacks its venv module; \
	on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) (once; again when a requirement changes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--no-build-isolation --no-deps --editable .
	@touch $@

$(E2E_INSTALLED): requirements-e2e.txt $(INSTALLED)
	@echo "Installing the emulator into $(E2E_VENV) (once; again when a requirement changes)"
	@$(BIN)/python -m venv $(E2E_VENV)
	@$(E2E_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-e2e.txt
	@touch $@
