# Everything that a person or CI runs; `make` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
LAB := $(PYTHON) molecule/lab/lab.py
SUITES := bookworm trixie forky
CHECKOUT := .build/ansible_collections/breakwater/docker
FAILED := .build/failed
ARTIFACT := .build/artifact/ansible_collections/breakwater/docker

export PATH := $(CURDIR)/.venv/dev/bin:$(CURDIR)/.venv/run/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.build
export PYTHONUNBUFFERED := 1
# What Ansible leaves lies where `make clean` finds it, but for its sockets: their paths must be short.
export ANSIBLE_HOME := $(CURDIR)/.build/ansible
export ANSIBLE_SSH_CONTROL_PATH_DIR := $(HOME)/.ansible/cp

# What runs beside others says so in each line.
NAMED = sed --unbuffered 's/^/$@: /'
title = @printf '\n== %s\n' "$(1)"

.PHONY: help
help: ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1 \t\2/p; s/^##@ (.*)/\n\1/p' Makefile | expand -t 26

##@ Use it
.PHONY: setup env lab demo
setup: .venv/run/.ready .venv/dev/.ready $(CHECKOUT) ## install every tool, under .venv/

env: .venv/run/.ready $(CHECKOUT) ## print the shell lines with which any playbook can use this checkout
	@echo 'export PATH="$(CURDIR)/.venv/run/bin:$$PATH"'
	@echo 'export ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/.build:$${ANSIBLE_COLLECTIONS_PATH:-$$HOME/.ansible/collections:/usr/share/ansible/collections}"'

lab: ## bring up the demo fleet: three Docker hosts; the last line is the path of its inventory
	@$(LAB) up --fleet demo $(SUITES)

demo: .venv/run/.ready $(CHECKOUT) lab ## declare networks on the demo fleet, prove them with packets; the last line is the report's path
	$(call title,site.yml: what is declared becomes true)
	@$(DEMO) playbooks/site.yml
	$(call title,switch_blue_green.yml: its users go over to green)
	@$(DEMO) playbooks/switch_blue_green.yml -e target=green
	$(call title,verify.yml: the proof)
	@$(DEMO) playbooks/verify.yml -e breakwater_verify_report=$(REPORT)
	@echo "$$WHERE_NEXT"
	@echo $(REPORT)/index.html

.PHONY: screenshots
screenshots: setup ## docs/report-*.png of the demo fleet's report, by Debian's chromium
	@python docs/screenshots.py $(REPORT)/index.html

REPORT := $(CURDIR)/.lab/demo/report
# The pair's own port 80 is the shop's here.
DEMO := ansible-playbook -i .lab/demo/inventory.yml -i inventories/demo -i inventories/patterns/blue-green.yml \
	-e breakwater_blue_green_port=8090
define WHERE_NEXT

Where to look next:
  what was declared        inventories/demo/group_vars/docker_hosts/
  run it again             make demo: nothing changes
  a shell of your own      eval "$$(make -s env)"
  switch them back         $(DEMO) playbooks/switch_blue_green.yml -e target=blue
  what a change would do   $(DEMO) playbooks/site.yml --check --diff
  step on to a host        python3 molecule/lab/lab.py exec --fleet demo trixie -- bash
  read a module's pages    ansible-doc breakwater.docker.topology
  put it all away          make clean
endef
export WHERE_NEXT

##@ Judge it
.PHONY: gates test bench
GATES := sanity lint types roles unit docs ansible-units
gates: setup ## run every gate that needs no lab
	@$(MAKE) --jobs=2 --output-sync=target $(GATES)

test: gates ## run the gates, then everything on lab hosts; CI runs this
	@: > $(FAILED)
	@$(MAKE) of-the-lab || { cat $(FAILED) >&2; false; }
	$(call title,lab: fleet test down)
	@$(LAB) down --fleet test

bench: setup ## measure against the peers and against the floor, on a lab host of its own
	@python -m tests.bench

##@ One gate at a time
.PHONY: $(GATES) artifact fleet integration integration-fleet scenarios of-the-lab of-all-hosts test-vm
lint: setup ## style of Python, YAML, roles and playbooks
	$(call title,lint: ruff)
	@ruff check
	@ruff format --check
	$(call title,lint: vermin: plugins/ run on Python 3.9)
	@vermin --quiet --no-tips --target=3.9- --violations --no-parse-comments plugins
	$(call title,lint: yamllint)
	@yamllint --strict .
	$(call title,lint: ansible-lint)
	@ansible-lint

types: setup ## mypy, strict
	$(call title,types: mypy)
	@mypy --python-version 3.10 $(CHECKOUT)/plugins  # the oldest that mypy knows
	@mypy molecule/lab tests/gates

roles: setup ## argument_specs of each role against its defaults
	$(call title,roles: argument_specs and defaults)
	@python tests/gates/argument_specs.py

unit: setup ## unit tests, and the coverage of _model and _plan
	$(call title,unit: pytest tests/unit)
	@pytest tests/unit --cov

artifact: setup ## the built tarball: installs, imports, is documented
	$(call title,artifact: build and install the tarball)
	@python tests/gates/artifact.py

# antsibull-docs asks git which files there are; git must not tell it that .build and .venv are ignored.
docs: export GIT_CEILING_DIRECTORIES := $(CURDIR)
docs: artifact ## documentation as the docsite would build it: schema, markup, references
	$(call title,docs: antsibull-docs)
	@antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=dependent --disallow-unknown-collection-refs $(ARTIFACT)

sanity: artifact ## ansible-test sanity
	$(call title,sanity: ansible-test sanity)
	@python tests/gates/ansible_test.py sanity

ansible-units: artifact ## unit tests as ansible-test runs them
	$(call title,ansible-units: ansible-test units)
	@python tests/gates/ansible_test.py units

fleet: ## the lab hosts that the tests below run on
	$(call title,lab: fleet test up)
	@$(LAB) up --fleet test $(SUITES)

integration: setup fleet ## lab tests, judged on the engines themselves
	$(call title,integration: pytest tests/integration)
	@$(MAKE) --jobs=$(words $(SUITES)) $(SUITES:%=integration-%)

$(SUITES:%=integration-%): integration-%: # one host: they are tested side by side
	@BREAKWATER_HOST=$* pytest -v -rP --durations=10 tests/integration --ignore-glob='*/test_fleet_*' --ignore-glob='*/test_machine_*' | $(NAMED)

integration-fleet: setup fleet ## lab tests of what joins hosts
	$(call title,integration-fleet: pytest tests/integration/test_fleet_*)
	@pytest -v -s tests/integration/test_fleet_*.py

scenarios: setup fleet ## molecule scenarios
	$(call title,scenarios: molecule test)
	@molecule test --all

of-the-lab: integration
	@$(MAKE) --jobs=2 of-all-hosts test-vm

# Each takes all lab hosts for itself, and waits more than it works: the machines go beside them.
of-all-hosts:
	@$(MAKE) integration-fleet
	@$(MAKE) scenarios

test-vm: setup ## lab tests on virtual machines with Debian's own kernel
	$(call title,lab: virtual machines up)
	@$(LAB) vm-up --machines 2
	$(call title,test-vm: pytest tests/integration/test_machine_*)
	@pytest -v tests/integration/test_machine_*.py | $(NAMED)
	@$(LAB) vm-down

##@ Leave
.PHONY: clean
clean: ## leave nothing behind: fleets, tools, caches
	@test ! -e molecule/lab/lab.py || $(LAB) clean
	@rm -rf .build .venv .lab .hypothesis tests/bench/results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# How the tools come to be. A stamp lets the second run cost nothing; pip talks to stderr, for `make env` prints shell alone.
.venv/%/.ready: requirements/%.txt
	@echo 'installing $< into .venv/$*' >&2
	@$(PYTHON) -m venv .venv/$* >&2 || { apt-get update && apt-get install -y python3-venv && $(PYTHON) -m venv .venv/$*; } >&2
	@.venv/$*/bin/python -m pip install -qq --no-compile --disable-pip-version-check -r $< >&2
	@touch $@
.venv/dev/.ready: requirements/run.txt

# This checkout under the name by which Ansible and Python import it.
$(CHECKOUT):
	@mkdir -p $(@D) && ln -sfn ../../.. $@
