# From a fresh machine: `make train` trains, evaluates and reports; `make test` runs the tests.

PYTHON ?= python3
TASK ?= hanger
PRESET ?= laptop
SEED ?= 0
TRIALS ?= 100
STARTED := $(shell date +%s)
NAME := gps-$(subst :,-,$(subst /,-,$(TASK)))-$(PRESET)-seed$(SEED)-$(shell date +%Y%m%d-%H%M%S)

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --no-compile -c constraints.txt
INSTALLED := .venv/.installed
FOR_TESTS := .venv/.installed-for-tests

# What the whole method of ppo-gail is compared with, at one budget: some 70 minutes each on two cores.
BASELINES := full reinforcement imitation no-demonstrations cloning
STEPS ?= 10000000
COMPARED := runs/stacking-$(STEPS)
SETTINGS_full := --total-steps $(STEPS)
SETTINGS_reinforcement := --total-steps $(STEPS) --imitation.weight 0
SETTINGS_imitation := --total-steps $(STEPS) --imitation.weight 1
SETTINGS_no-demonstrations := --total-steps $(STEPS) --imitation.weight 0 --curriculum.random-start-fraction 1
SETTINGS_cloning := --total-steps 0 --behavior-cloning.num-updates 40000 --behavior-cloning.renders-per-demo 32

.PHONY: help install train test mutations fuzz kills baselines

help:
	@echo 'make train [TASK=$(TASK)] [PRESET=$(PRESET)] [SEED=$(SEED)]   install, train, evaluate, report'
	@echo 'make test                                            install, run the tests'
	@echo "make mutations [MUTATIONS='badmm-*']                 apply known faults to a copy: the tests must fail"
	@echo 'make fuzz                                            ten times as many damaged files and settings as the tests try'
	@echo 'make kills                                           kill training 200 times: nothing may be lost'
	@echo 'make baselines                                       ppo-gail on stacking, whole and in parts: six hours'
	@echo 'make install                                         only make .venv, with visuomotor in it'

install: $(INSTALLED)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11'; exit 1; }
	$(PYTHON) -m venv .venv

# The stamps are as new as the last complete installation; an interrupted one is done again.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	touch $@

$(FOR_TESTS): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	touch $(INSTALLED) $@

train: $(INSTALLED)
	$(BIN)/visuomotor train gps $(TASK) --preset $(PRESET) --seed $(SEED) --name $(NAME) --no-share
	$(BIN)/visuomotor evaluate runs/$(NAME) --split all --trials $(TRIALS) --video
	$(BIN)/visuomotor report runs/$(NAME)
	@seconds=$$(( $$(date +%s) - $(STARTED) )); \
		printf '{"bench": "make-train", "seconds": %d, "command": "make train TASK=$(TASK) PRESET=$(PRESET) SEED=$(SEED)"}\n' $$seconds \
			> runs/$(NAME)/results/bench-make-train.json; \
		echo "make train took $$seconds s, with what it had to install"

# One process a core, so one thread each.
test: $(FOR_TESTS)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

mutations: $(FOR_TESTS)
	$(BIN)/python tests/mutate.py $(MUTATIONS)

fuzz: $(FOR_TESTS)
	VISUOMOTOR_FUZZ=10 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto tests/fuzz

kills: $(FOR_TESTS)
	OMP_NUM_THREADS=1 $(BIN)/python tests/kill.py

baselines: $(BASELINES:%=$(COMPARED)/%/.evaluated)
	$(BIN)/visuomotor compare $(^D) --legend names --out docs/figures/stacking_baselines.png
	$(BIN)/visuomotor tables

# A run that was interrupted goes on where it was.
$(COMPARED)/%/.evaluated: | $(INSTALLED)
	if test -d $(@D); then $(BIN)/visuomotor train ppo-gail --resume $(@D); \
		else $(BIN)/visuomotor train ppo-gail stacking --demos demos/stacking.hdf5 \
			--root $(COMPARED) --name $* $(SETTINGS_$*); fi
	$(BIN)/visuomotor evaluate $(@D) --trials 200 --results results
	touch $@
