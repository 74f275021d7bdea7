# Every target sets up what it needs: a virtual environment and the pinned packages.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo-run

# Relative, since pip splits this at spaces and the checkout may lie in a folder with one.
export PIP_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test lint format bench clean

demo: $(VENV)/.ready-all
	$(BIN)/compress demo --run "$(DEMO)" $(DEMO_FLAGS)

test: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -W error -n auto --dist loadfile $(TEST_FLAGS)

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Less than 20 minutes of two idle cores; models/*.wren take part where they are. What needs more
# time or data of yours (graph, proxies, scan) keeps the figures of its last run.
bench: $(VENV)/.ready-dev
	$(BIN)/python benchmarks/latency.py --passes 2
	$(BIN)/python benchmarks/coldstart.py --repetitions 5
	$(BIN)/python benchmarks/where_time_goes.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/size.py
	$(BIN)/python benchmarks/throughput.py --repetitions 3
	$(BIN)/python benchmarks/soak.py models/vulnerability-c.wren --predictions 20000
	$(BIN)/python benchmarks/latency_model.py --unseen 16
	$(BIN)/python benchmarks/lsp.py --edits 20
	$(BIN)/python benchmarks/search.py --seeds 20
	$(BIN)/python benchmarks/report.py

clean:
	rm -rf $(VENV) demo-run run build dist

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready-%: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[$*]'
	touch $@
