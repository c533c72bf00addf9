# make demo, make test: each does its own set-up in .venv. Nothing else to install by hand.
SHELL := /bin/bash
VENV ?= .venv
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
# PyTorch's own wheel index is tried first (its CPU build is small); elsewhere pip's configuration decides.
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl
TORCH_BUILD ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo cu130 || echo cpu)
UNPINNED = $(if $(filter cpu,$(TORCH_BUILD)),^$$,^(cuda|nvidia)-)
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
# Test files run side by side, in their order: those that start nodes first, because they take longest. Each process needs up to 2 GB.
TEST_PROCESSES ?= $(shell n=$$(nproc); echo $$((n < 4 ? n : 4)))
# A connection that breaks is taken up again (the second: pip 25.1 and later).
export PIP_RETRIES ?= 10
export PIP_RESUME_RETRIES ?= 10
READY = $(VENV)/.ready
PEERS = dcmtk dicom3tools orthanc orthanc-dicomweb libgdcm-tools ctn chromium postgresql gcc libc6-dev

.PHONY: docs help setup demo test coverage check bench campaign peers clean

help:
	@echo 'make demo   a study through a node and a PACS: what was found, and a picture'
	@echo 'make test   run the test suite'
	@echo 'make coverage  which lines the tests reach: a table, and pages in build/coverage/html'
	@echo 'make check  ruff, mypy, import contracts     make bench  side by side with SPINEPS'
	@echo 'make campaign  faults against a working node, 45 minutes at a time'
	@echo 'make wheel  one file for pip, models inside'
	@echo 'make image, make trial, make bundle   container image, trial PACS, installation without network'
	@echo 'make audit  known vulnerabilities and licences     make release  wheel, bundle, image, list of contents, checksums'
	@echo 'make peers  (root) foreign DICOM programs for the fuller tests'

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@[ "$$(uname -s)" = Linux ] || { echo "SPINEPS Node needs Linux (x86-64); this is $$(uname -s)." >&2; exit 1; }
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or 3.12 is missing: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	[ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -c 'import torch' 2>/dev/null \
	  || $(PIP) install --timeout 8 --retries 0 --index-url $(TORCH_INDEX)/$(TORCH_BUILD) $(TORCH) 2>/dev/null \
	  || $(PIP) install $(TORCH)
	@# A CUDA build of torch brings its own versions of NVIDIA's libraries.
	grep -vE '$(UNPINNED)' constraints.txt > $(VENV)/constraints.txt
	$(PIP) install -c $(VENV)/constraints.txt -e '.[dev,node,train]'
	@# nnunetv2 brings torchvision; where its build does not fit this torch it breaks imports, and nothing needs it.
	@$(VENV)/bin/python -W ignore -c 'import torchvision' >/dev/null 2>&1 || $(PIP) uninstall -y torchvision
	@# holoscan makes its library links at the first start of Python.
	@$(VENV)/bin/python -W ignore -c 'from app.run.bootstrap import prepare_process; prepare_process(); import holoscan.core'
	@touch $@

demo: $(READY)
	$(VENV)/bin/spine-node demo

test: $(READY)
	$(VENV)/bin/python -m pytest -q --timeout=900 --numprocesses=$(TEST_PROCESSES) --dist=loadfile --no-loadscope-reorder

# Slower than the tests alone. A process that a test kills leaves no figures.
coverage: $(READY)
	mkdir -p build/coverage
	set -o pipefail; $(VENV)/bin/python -m pytest -q --timeout=1800 --numprocesses=$(TEST_PROCESSES) --dist=loadfile --no-loadscope-reorder \
	  --cov --cov-report=html --cov-report=term | tee build/coverage/table.txt
	$(VENV)/bin/python -m tests.builders.untested_modules | tee build/coverage/without-a-test-of-their-own.txt | tail -n 1
	@echo 'build/coverage/table.txt   build/coverage/html/index.html'

check: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: $(READY)
	$(VENV)/bin/mkdocs build --strict

bench: $(READY)
	$(VENV)/bin/python -m tests.benchmarks.side_by_side

# Goes on where it stopped, 45 minutes at a time; SEEDS parts of every family of faults.
CAMPAIGN ?= campaign
SEEDS ?= 3
campaign: $(READY)
	$(VENV)/bin/python -m tests.benchmarks.campaign run --results $(CAMPAIGN) --seeds $(SEEDS)

peers:
	@if [ "$$(id -u)" = 0 ]; then apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(PEERS); \
	else echo 'as root: apt-get install $(PEERS)'; fi

clean:
	rm -rf $(VENV) build demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Containers: docker, podman or buildah, whichever answers; a docker without its daemon builds nothing.
CONTAINER ?= $(shell for p in docker podman buildah; do $$p info >/dev/null 2>&1 && echo $$p && break; done)
BUILDER = $(or $(CONTAINER),$(error no docker, podman or buildah answers here; CONTAINER=... names another))
IMAGE_FILE = dist/spine-node-$(VERSION)-image-cpu.tar
# BASE=IMAGE: another base than the Dockerfile's, with Python 3.11 and pip (a mirror, one's own Debian). BUILD_FLAGS: further words
# for the builder, such as the certificate of a proxy: --volume /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro
BASE ?=
BUILD_FLAGS ?=
OFFICIAL_BASE = $(shell awk '/^FROM/ {print $$2; exit}' Dockerfile)
BUILD = $(BUILDER) build $(if $(BASE),--build-context $(OFFICIAL_BASE)=docker-image://$(BASE) --build-arg BASE=$(BASE)) \
  $(BUILD_FLAGS) --build-arg TORCH=$(TORCH)

# Installs anywhere: pip install -c constraints.txt dist/spine_node-*.whl
.PHONY: wheel
wheel: $(READY)
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

.PHONY: wheelhouse debian-base image image-cuda trial trial-down bundle

wheelhouse: $(READY)
	$(PIP) download --no-deps --dest .ci/wheelhouse --timeout 8 --retries 0 --index-url $(TORCH_INDEX)/cpu $(TORCH) 2>/dev/null \
	  || $(PIP) download --no-deps --dest .ci/wheelhouse $(TORCH)

# Where no container registry is reached: root and debootstrap; then BASE=$(DEBIAN_BASE). DEBIAN_MIRROR=URL: another than Debian's.
DEBIAN_BASE = localhost/spine-node-base:bookworm
debian-base:
	rm -rf build/base && mkdir -p build/base
	debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm build/base/rootfs $(DEBIAN_MIRROR)
	tar --create --numeric-owner --file build/base/rootfs.tar --directory build/base/rootfs \
	  --exclude='./var/cache/apt/archives/*.deb' --exclude='./var/lib/apt/lists/*' .
	$(BUILDER) build $(BUILD_FLAGS) --file $(CURDIR)/app/deploy/debian-base.Dockerfile --tag $(DEBIAN_BASE) build/base
	rm -rf build/base

image:
	$(BUILD) --target cpu --build-arg TORCH_INDEX=$(TORCH_INDEX)/cpu --tag spine-node:cpu .

image-cuda:
	$(BUILD) --target cuda --build-arg TORCH_INDEX=$(TORCH_INDEX)/cu130 --tag spine-node:cuda .

# Where podman is the engine: COMPOSE=podman-compose
COMPOSE ?= docker compose
trial: $(READY)
	$(VENV)/bin/spine-node synthesize --output demo/trial-study --seed 20240
	TORCH_INDEX=$(TORCH_INDEX)/cpu $(COMPOSE) up --build --detach
	@echo 'viewer http://127.0.0.1:8043/ohif/   archive http://127.0.0.1:8043/   node http://127.0.0.1:8042/'

trial-down:
	$(COMPOSE) --profile postgres down --volumes

bundle: $(READY)
	TORCH_INDEX=$(TORCH_INDEX)/$(TORCH_BUILD) app/deploy/offline/bundle.sh $(VENV)/bin/python dist

# The tools that judge an environment stay outside of it.
.PHONY: audit sbom release image-file
PIP_AUDIT ?= pip-audit==2.10.1
CYCLONEDX ?= cyclonedx-bom==7.5.0
VERSION = $(shell $(VENV)/bin/python -c 'from app import __version__; print(__version__)')

audit: $(READY)
	$(VENV)/bin/python -m app.deploy.licences pyproject.toml
	$(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/pip install --quiet '$(PIP_AUDIT)'
	$(VENV)/bin/python -m app.deploy.image_packages pyproject.toml | sed 's/+cpu$$//' > $(VENV)/audit/shipped.txt
	$(VENV)/audit/bin/pip-audit --strict --disable-pip --no-deps --requirement $(VENV)/audit/shipped.txt

sbom: $(READY)
	$(PYTHON) -m venv $(VENV)/contents && $(VENV)/contents/bin/pip install --quiet '$(CYCLONEDX)'
	mkdir -p dist
	$(VENV)/contents/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
	  --output-format JSON --output-file dist/spine-node-$(VERSION).cdx.json $(VENV)/bin/python
	$(VENV)/bin/python -m app.deploy.contents pyproject.toml dist/spine-node-$(VERSION).cdx.json

release: wheel bundle sbom
	@if [ -n "$(CONTAINER)" ]; then $(MAKE) image image-file; \
	else echo 'no docker, podman or buildah answers here: the image is not part of this release folder'; fi
	cd dist && sha256sum spine?node-$(VERSION)* > SHA256SUMS && cat SHA256SUMS

image-file:
	rm -f $(IMAGE_FILE) $(IMAGE_FILE).gz
	case $(notdir $(BUILDER)) in \
	buildah) $(BUILDER) push --quiet spine-node:cpu docker-archive:$(IMAGE_FILE):spine-node:cpu;; \
	*) $(BUILDER) save --output $(IMAGE_FILE) spine-node:cpu;; esac
	gzip --fast $(IMAGE_FILE)
