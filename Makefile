# One virtual environment in .venv; PYTHON chooses the interpreter it is made from, 3.10 to 3.14; tools/pythons.sh, if not.
PYTHON ?=
BIN := .venv/bin
ARGS ?=
# A worker a core, each with one thread: several threads in several workers would wait for each other.
# Each begins with a share of its own: what the tests of a file share is made once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

BENCHMARKS := rollout cores solver ant cloning pixels cluster

.DEFAULT_GOAL := help
.PHONY: help setup train test test-all check docs bench bench-quick chaos reference clean

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 19

setup: .venv/ready ## a virtual environment with everything, at the tested versions

.venv/ready: pyproject.toml constraints.txt tools/pythons.sh
	python=$$(tools/pythons.sh choose $(PYTHON)) && "$$python" -m venv --clear .venv
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install -q --disable-pip-version-check --use-pep517 -c constraints.txt -e '.[all]'
	@touch $@

train: setup ## train and evaluate cart-pole swing-up, about five minutes on two cores; ARGS="+experiment=pong" for others
	$(BIN)/python -m anx.run $(ARGS)

test: setup ## the tests, about nine minutes on two cores
	$(PYTEST) -m 'not exhaustive' $(ARGS)

test-all: setup ## and those that compile every component, start whole programs and train: fourteen minutes
	$(PYTEST) $(ARGS)

check: setup ## lint, format, types and the fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m 'not slow and not exhaustive'

docs: setup ## the documentation as a site, in site/; no link in it leads nowhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: setup .venv-evojax/ready ## speed against EvoJAX, in an environment of its own, plain loops, and one core
	@for name in $(BENCHMARKS); do $(BIN)/python -u benchmarks/$$name.py || exit 1; done

bench-quick: setup ## the same at small sizes, about two minutes; against EvoJAX where `make bench` has set it up
	@for name in $(BENCHMARKS); do $(BIN)/python -u benchmarks/$$name.py --quick || exit 1; done

chaos: setup ## ten minutes over local workers, one of which is killed every ten seconds: nothing is lost
	$(BIN)/python -u benchmarks/chaos.py $(ARGS)

.venv-evojax/ready: benchmarks/evojax-constraints.txt
	"$$(tools/pythons.sh choose $(PYTHON))" -m venv .venv-evojax
	.venv-evojax/bin/pip install -q --disable-pip-version-check -c $< evojax
	@touch $@

reference: .venv-evotorch/ready ## what EvoTorch's solvers do, for the tests of ours: tests/data/evotorch.npz
	.venv-evotorch/bin/python benchmarks/solver_reference.py

.venv-evotorch/ready: benchmarks/evotorch-constraints.txt
	"$$(tools/pythons.sh choose $(PYTHON))" -m venv .venv-evotorch
	.venv-evotorch/bin/pip install -q --disable-pip-version-check -c $< torch
	.venv-evotorch/bin/pip install -q --disable-pip-version-check -c $< evotorch
	@touch $@

clean: ## remove the environments
	rm -rf .venv .venv-evojax .venv-evotorch site
