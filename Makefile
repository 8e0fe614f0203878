# One line a target; `make help` lists them. Everything runs in .venv, which the targets make when it is missing.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

IS_SUPPORTED := import sys; sys.exit(sys.version_info < (3, 11))
# The first interpreter that is new enough; name another with PYTHON=.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c '$(IS_SUPPORTED)' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
# Not empty where the environment has an older Python, or one that does not run any more: it is made anew.
UNUSABLE := $(shell [ ! -e $(VENV)/pyvenv.cfg ] || $(BIN)/python -c '$(IS_SUPPORTED)' 2>/dev/null || echo yes)
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/pytest -q --durations 10 --durations-min 2
BROWSER := $(VENV)/.browser
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
TOOLS := $(VENV)-tools
PINS := requirements/runtime.txt
# The same pins for every Python and system that is supported; uv keeps those that are there already.
COMPILE = $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-annotate --custom-compile-command 'make requirements' $(ARGS)
# The tests of a file run one after another, and files begin in the order of tests/conftest.py, the longest first.
WORKERS := --numprocesses 2 --dist loadfile --no-loadscope-reorder
# Those of the contract wait for programs and clocks more than they compute.
MORE_WORKERS := --numprocesses 3 --dist loadfile --no-loadscope-reorder
UNIT ?= tests/unit
ARGS ?=
export SHOPMESH_REVISION ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
COMPOSE := docker compose
LOCUST := $(VENV)-locust
KUBECTL ?= kubectl
OVERLAY ?= k8s/overlays/local
# What `make load` asks; another with URL=.
URL ?= http://127.0.0.1:8080
# The service that is called from outside, as compose.yaml names it; `shopmesh new --way-in` writes it there.
WAY_IN = $(shell sed -n 's|.*SHOPMESH_WAY_IN: http://\([a-z0-9]*\)\..*|\1|p' compose.yaml)

.PHONY: help setup setup-dev setup-locust setup-tools setup-browser demo demo-rollback up status new remove lint check load load-locust test test-unit test-contract test-k8s test-e2e test-floods fuzz-frames test-template test-package test-release docs test-docs test-browser screenshots test-bench test-containers images push compose-up compose-down compose-roll k8s-up k8s-down bench crds findings translations messages parity requirements release verify-release envoy audit clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

setup: $(RUNTIME) ## Install what running needs into .venv
	@$(if $(filter setup,$(MAKECMDGOALS)),echo 'ready: `make demo` plays the webinar; or `export PATH="$(abspath $(BIN)):$$PATH"` and `shopmesh up`')
setup-dev: $(DEV) ## Install what the checks and the tests need as well
setup-locust: $(LOCUST)/.done ## Install Locust, in an environment of its own
setup-tools: $(TOOLS)/.done ## Install the tools for the site and for releases, in an environment of their own
setup-browser: $(BROWSER) ## Install what drives a browser in tests

demo: setup ## Play the webinar: three services, two canaries, the verdict (ARGS="--rate 100")
	@$(BIN)/shopmesh demo $(ARGS)

demo-rollback: setup ## Play its second act: a bad version is rolled back, and what that costs
	@$(BIN)/shopmesh demo --rollback $(ARGS)

up: setup ## Start the mesh on this machine and stay in the foreground (ARGS="--empty")
	@$(BIN)/shopmesh up $(ARGS)

status: setup ## Show the running mesh at a glance
	@$(BIN)/shopmesh status $(ARGS)

new: setup ## Make a service of your own: make new NAME=inventory (ARGS="--calls product", ARGS="--canary 2.0")
	@test -n "$(NAME)" || { echo 'name the service: make new NAME=inventory' >&2; exit 2; }
	@$(BIN)/shopmesh new $(NAME) $(ARGS)

remove: setup ## Take services out again: make remove NAME=inventory (ARGS="--canary 2.0")
	@test -n "$(NAME)" || { echo 'name the service: make remove NAME=inventory' >&2; exit 2; }
	@$(BIN)/shopmesh remove $(NAME) $(ARGS)

lint: setup-dev ## Mend what the formatters can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: setup-dev ## Only check: style, types, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

load: setup ## Load a mesh and report who answered (ARGS="--rate 500 --for 60s --report load.html")
	@$(BIN)/shopmesh load $(URL) $(ARGS)

load-locust: $(LOCUST)/.done ## The same with Locust as the engine (ARGS="--headless --users 50 --run-time 30s")
	@$(LOCUST)/bin/locust -f tests/load/locustfile.py --host $(URL) $(ARGS)

test: check test-unit test-contract test-k8s test-e2e test-template ## Everything that a laptop with Python can prove
	@echo 'left out: test-bench, fuzz-frames, test-floods (Linux), test-browser (needs chromium) and test-containers (needs a Docker engine)'

test-unit: setup-dev ## Pure logic; sockets and processes are blocked
	$(PYTEST) $(UNIT) $(WORKERS) --disable-socket --allow-unix-socket $(ARGS)

test-contract: setup-dev ## Over loopback: boto3 and the aws CLI, unmodified, as the oracle
	$(PYTEST) tests/contract $(MORE_WORKERS) $(ARGS)

test-k8s: setup-dev ## The manifests, as kustomize in kubectl renders them
	$(PYTEST) tests/k8s $(WORKERS) $(ARGS)

test-e2e: setup-dev ## Whole meshes of real Envoys
	$(PYTEST) tests/e2e $(WORKERS) $(ARGS)

test-floods: setup-dev ## What strangers can take: memory, connections, file descriptors (about 90 s)
	$(PYTEST) tests/floods $(ARGS)

fuzz-frames: setup-dev ## Ten million frames, right and wrong, for our own carrier of xDS (about ten minutes; ARGS="--seed 2")
	$(BIN)/python -m tests.contract.carriers.fuzzing $(ARGS)

test-template: setup-dev ## Services made from the templates, in a clone: their checks, their tests, their mesh
	$(PYTEST) tests/template $(WORKERS) $(ARGS)

test-package: setup-dev ## The package as users install it: its files, and the demo from an empty folder
	$(PYTEST) tests/package $(ARGS)

docs: $(TOOLS)/.done ## Build the documentation as a site, for reading and searching offline: build/site/index.html
	@$(TOOLS)/bin/python -m website.build build/site

test-docs: setup-dev docs ## The site: every page is in its navigation, every link leads somewhere
	$(PYTEST) tests/site $(ARGS)

test-release: setup-dev ## Releases as maintainers make them and users check them, in clones
	$(PYTEST) tests/release $(WORKERS) $(ARGS)

test-browser: setup-browser ## The pages, in Debian's chromium, which must be there (apt-get install chromium)
	$(PYTEST) tests/browser $(WORKERS) $(ARGS)

screenshots: $(BROWSER) ## Pictures of every page of the console, to be looked at: build/screenshots (ARGS="--scene demo")
	@$(BIN)/python -m tests.browser.screenshots build/screenshots $(ARGS)

images: ## Build all images
	@$(COMPOSE) build $(ARGS)

push: ## Build them for two kinds of machine and push them: make push REGISTRY=registry.example/team
	@test -n "$(REGISTRY)" || { echo 'name the registry: make push REGISTRY=registry.example/team' >&2; exit 2; }
	SHOPMESH_REGISTRY=$(REGISTRY)/ docker buildx bake -f compose.yaml --set '*.platform=linux/amd64,linux/arm64' --push $(ARGS)

compose-up: ## Run the mesh in containers, until compose-down
	@$(COMPOSE) up --build --detach $(ARGS)
	@$(if $(WAY_IN),$(COMPOSE) exec -T control-plane shopmesh wait $(WAY_IN)-vn-1)

compose-down: ## Stop the containers; with ARGS=--volumes their mesh and keys are gone too
	@$(COMPOSE) --profile '*' down $(ARGS)

compose-roll: ## Replace the replicas of a workload one by one, losing nothing: make compose-roll SERVICE=product
	@compose/roll.sh $(SERVICE)

k8s-up: ## Run the mesh on the cluster that kubectl means, and wait for it (OVERLAY=k8s/overlays/local)
	@$(KUBECTL) apply -k $(OVERLAY)
	@$(KUBECTL) -n shopmesh-system rollout status deployment/control-plane --timeout=5m
	@for name in $$($(KUBECTL) -n default get deployments -l shopmesh.dev/virtual-node -o name); do \
	  $(KUBECTL) -n default rollout status $$name --timeout=5m; done

k8s-down: ## Take it away again, with its meshes and keys
	@kubectl delete -k $(OVERLAY) --ignore-not-found

test-containers: setup-dev ## Everything in containers; needs a Docker engine
	$(PYTEST) tests/containers -n 0 $(ARGS)

test-bench: setup-dev ## Whether every benchmark still works and prints its figures (about a minute)
	$(BIN)/python -m tests.bench --brief $(ARGS)

bench: setup-dev ## Measure, and write docs/benchmarks.md anew
	$(BIN)/python -m tests.bench $(ARGS)

crds: setup ## Write the CustomResourceDefinitions anew, after botocore's model has changed
	@$(BIN)/shopmesh crds > k8s/base/crds/definitions.yaml

findings: setup-dev ## Write the table of docs/doctor.md anew from the registered findings
	$(BIN)/python -m tests.doctor

translations: setup-dev ## Write docs/translation anew: what each feature of a mesh becomes in Envoy
	$(BIN)/python -m tests.translations

messages: setup-dev ## Write docs/messages.md anew: every sentence that users can see
	$(BIN)/python -m tests.messages

parity: setup-dev ## Write docs/parity.md anew from the marks of the tests
	$(BIN)/python -m tests.parity

requirements: $(TOOLS)/.done ## Write the pinned requirements anew, after a change of an .in file (ARGS=--upgrade: the newest)
	$(COMPILE) pyproject.toml --extra kubernetes --output-file $(PINS)
	for name in tools dev image locust browser; do $(COMPILE) requirements/$$name.in --output-file requirements/$$name.txt; done
	$(COMPILE) services/requirements.in --constraint $(PINS) --output-file services/requirements.txt

release: setup-dev ## Make dist/VERSION of a tree that has passed .ci/run, signed: make release RELEASE_KEY=~/.ssh/release (REGISTRY=…: with images)
	@test -n "$(RELEASE_KEY)" || { echo 'name the SSH key that signs: make release RELEASE_KEY=~/.ssh/release' >&2; exit 2; }
	@$(BIN)/python -m release make --key $(RELEASE_KEY) $(if $(REGISTRY),--registry $(REGISTRY)) $(ARGS)

verify-release: setup ## Check a release that was fetched: make verify-release DIR=dist/0.1.0 SIGNERS=allowed_signers
	@test -n "$(DIR)" -a -n "$(SIGNERS)" || { \
	  echo 'name the folder and the allowed signers: make verify-release DIR=dist/0.1.0 SIGNERS=allowed_signers' >&2; exit 2; }
	@$(BIN)/python -m release verify $(DIR) --signers $(SIGNERS)

envoy: setup-dev ## Change the version of Envoy everywhere, and run all tests with it: make envoy VERSION=1.99.0
	@test -n "$(VERSION)" || { echo 'name the version: make envoy VERSION=1.99.0' >&2; exit 2; }
	@$(BIN)/python -m release envoy $(VERSION)
	@.ci/run

audit: setup ## Compare the pins with stored advisories in OSV's form: make audit DIR=advisories
	@test -n "$(DIR)" || { echo 'name the folder with the advisories: make audit DIR=advisories' >&2; exit 2; }
	@$(BIN)/python -m release audit $(DIR)

clean: ## Remove what the targets made
	rm -rf $(VENV) $(LOCUST) $(TOOLS) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

ifneq ($(UNUSABLE),)
# What was installed into it goes with it.
$(BIN)/python $(RUNTIME) $(LOCUST)/.done $(TOOLS)/.done: remake
.PHONY: remake
remake:
endif

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'shopmesh needs Python 3.11 or later; name one: make setup PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c '$(IS_SUPPORTED)' || { \
	  echo "$$($(PYTHON) --version 2>/dev/null || echo 'No $(PYTHON)') found, 3.11 or later needed:" \
	  'make setup PYTHON=/path/to/python3' >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(if $(UNUSABLE),--clear) $(VENV)

$(RUNTIME): $(PINS) pyproject.toml | $(BIN)/python
	@echo 'installing what running needs (once; about half a minute)'
	@$(PIP) --require-hashes -r $(PINS)
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(LOCUST)/.done: requirements/locust.txt pyproject.toml | $(BIN)/python
	@echo 'installing Locust into an environment of its own (once)'
	@$(BIN)/python -m venv $(LOCUST)
	@$(LOCUST)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/locust.txt
	@$(LOCUST)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS)/.done: requirements/tools.txt | $(BIN)/python
	@echo 'installing the tools for releases into an environment of their own (once)'
	@$(BIN)/python -m venv $(TOOLS)
	@$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@touch $@

$(BROWSER): requirements/browser.txt $(DEV)
	@$(PIP) --require-hashes -r requirements/browser.txt
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	@echo 'installing what the checks and the tests need (once)'
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
