# Everything from nothing: each target makes its own environment first. Needs Python 3.11+, git, make and the network.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: report test coverage lint install docs bench study lock clean

# Count every published row, evaluate the bundled nets on drawn images, and write the diffed tables to results/.
report: $(INSTALLED)
	$(BIN)/cspbench demo

# The whole test suite on every processor. Files in order: xdist would put those of few tests last, which are the
# slowest, and leave processors idle at the end.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test: $(INSTALLED)
	$(PYTEST)

# The same with the coverage floor of pyproject.toml; tracing doubles the work.
coverage: $(INSTALLED)
	$(PYTEST) --cov

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture
	$(BIN)/mypy

install: $(INSTALLED)

# The documentation as a site, in site/.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# Times, memory and ratios of everything, to results/benchmarks.md: twenty minutes on an idle machine.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

# Four tables of tricks in miniature, 39 trainings, to results/studies and the report: within an hour on two idle
# processors. A study that was interrupted goes on.
STUDIED := imagenet-activation imagenet-augmentation imagenet-smoothing coco-loss
study: $(INSTALLED)
	$(BIN)/cspbench study $(STUDIED) --run study --processes 2 --save
	$(BIN)/cspbench report --save

# --no-deps: the lock is complete, and with hashes pip would want one for the torch it finds. torch's own pins bring
# the accelerator libraries where its build needs them; a variable TORCH_INDEX names an index with other builds of it.
$(INSTALLED): pyproject.toml requirements.lock requirements-torch.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "cspbench needs Python 3.11 or newer, and $(PYTHON) is older: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --no-deps --require-hashes -r requirements.lock
	$(PIP) install --quiet $${TORCH_INDEX:+--extra-index-url "$$TORCH_INDEX"} -r requirements-torch.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	$(PIP) check
	@touch $@

# Resolve the dependencies again (needs uv). Packages that only torch's accelerator builds need stay out.
ACCELERATOR := torch torchvision triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cccl \
  nvidia-cuda-cupti nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand \
  nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 \
  nvidia-nvtx
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --extra dev --extra plot --extra bench \
	  --extra export --extra tensorboard --extra slurm --extra docs \
	  --constraint requirements-torch.txt --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links $(ACCELERATOR:%=--no-emit-package %) --output-file requirements.lock --upgrade

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage site
