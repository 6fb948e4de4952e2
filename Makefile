# Each target builds .venv when it is missing and reuses it when it is current.
# Flags go in ARGS:  make train ARGS="--epochs 3"   make test ARGS="-k pool"   make bench ARGS=--quick

# The first of these that is Python 3.10 or newer; `make PYTHON=/path/to/python` names one.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11 python3.10

VENV := .venv
comma := ,
BIN := $(VENV)/bin
READY := $(VENV)/.installed
DEV := $(VENV)/.dev
ORACLES := $(VENV)/.oracles
JUPYTER := $(VENV)/.jupyter
SITE := $(VENV)/.site

# Only the tests use them, and do without: PyTorch, SciPy and scikit-learn to compare with, and
# NVIDIA's compiler for the CUDA sources. WITH_ORACLES=1 installs them, as .ci/run does.
TEST_NEEDS := $(DEV) $(if $(filter 1,$(WITH_ORACLES)),$(ORACLES))

# Two tests at a time, or four; one by one with ARGS="-n 0".
TOGETHER := -n auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
SET := build/imagenette-144
.PHONY: help train test lint bench fuzz notebooks site boxed clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

train: $(READY) ## Train AlexNet; flags in ARGS, for example ARGS="--epochs 3"
	$(info $(BIN)/alexnet train $(ARGS))
	@trap : INT; $(BIN)/alexnet train $(ARGS) || [ $$? -eq 130 ]  # Ctrl-C is no error

test: $(TEST_NEEDS) ## Run the tests, but the slow ones and those that need a GPU
	$(BIN)/python -m pytest -m "not slow and not gpu" $(TOGETHER) $(ARGS)

lint: $(DEV) ## Check style (ruff) and types (mypy)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin

bench: $(READY) ## Time a training step, here and in PyTorch; DEVICE=cuda: on the GPU
	$(BIN)/python benchmarks/$(if $(filter cuda,$(DEVICE)),gpu_)train_step.py $(ARGS)

# tests/fuzz/guided.py follows the code's branches; it wants pip install -e '.[fuzz]'.
fuzz: $(DEV) ## Change inputs at random until Ctrl-C; finds are kept in build/fuzz
	@trap : INT; $(BIN)/python tests/fuzz/run.py --forever $(ARGS)

notebooks: $(JUPYTER) ## Open the course in JupyterLab, in copies of your own
	@trap : INT; $(BIN)/alexnet learn $(ARGS)

site: $(SITE) ## Build the pages: notebooks, reference, JupyterLite; into build/site
	@echo "Building the pages: minutes ..."
	$(BIN)/python docs/site/build.py $(ARGS)

# Stopped, it goes on where it was. $(SET): another place, or name, for the prepared photographs.
boxed: $(READY) ## Train the network in alexnet_scratch/boxed again, on Imagenette: hours
	[ -e $(SET)/set.json ] || \
	  $(BIN)/alexnet prepare --download imagenette-160 --image-size 144 $(SET)
	if [ -e runs/boxed/last.safetensors ]; then $(BIN)/alexnet train $(SET) --resume runs/boxed; \
	else $(BIN)/alexnet train $(SET) --recipe boxed --out runs/boxed; fi
	$(BIN)/python benchmarks/boxed.py runs/boxed $(SET)
	$(BIN)/python docs/draw_inside.py

clean: ## Remove .venv and caches; runs/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Built anew when the interpreter behind it is gone or was upgraded.
$(BIN)/python:
	@found=; old=; \
	for python in $(PYTHON); do \
	  command -v "$$python" >/dev/null 2>&1 || continue; \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; \
	  then found=$$python; break; \
	  else old="$$old $$python ($$("$$python" --version 2>&1))"; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "make: no Python 3.10 or newer found; tried: $(PYTHON)." >&2; \
	  [ -z "$$old" ] || echo "make: too old or not working:$$old." >&2; \
	  echo "make: install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "make: $$found has no venv module; install it (Debian, Ubuntu: apt install python3-venv)." >&2; \
	  exit 1; \
	fi; \
	echo "Creating $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv --clear $(VENV)

# $(call install,EXTRAS,WHAT): say what is installed and how long that takes, and install it.
define install
@echo "Installing $(2)"
@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.$(1)'
@touch $@
endef

$(READY): $(BIN)/python setup.cfg pyproject.toml
	$(call install,,minigrad and alexnet_scratch into $(VENV): half a minute$(comma) 200 MB ...)

$(DEV): $(READY)
	$(call install,[dev],what the tests and lint need: half a minute$(comma) 210 MB ...)

$(JUPYTER): $(READY)
	$(call install,[notebooks],JupyterLab: a minute$(comma) 220 MB ...)

$(SITE): $(READY)
	$(call install,[site],what the site needs: a minute$(comma) 300 MB ...)

$(ORACLES): $(DEV)
	$(call install,[oracles],PyTorch$(comma) SciPy and scikit-learn to compare with: minutes$(comma) up to several GB ...)
