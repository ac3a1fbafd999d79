# SPDX-License-Identifier: MIT
# `make run` shows what pyzram does on this machine, `make check` runs every test.
# The other targets are parts of these two. All build into .venv inside the tree.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
# -I: tests use the installed package, never the source tree beside it.
PYTEST := $(PY) -Im pytest

CC      ?= cc
CFLAGS_STRICT := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -Wall -Wextra -Wcast-qual -Wshadow \
	-Wundef -Wpointer-arith -Wstrict-prototypes -Wvla -Werror -O2

.PHONY: help run check build deps docs lint marks shell strict typed unit native kernel peers vm arches arches-short packaging fleet dashboard dist pypi deb \
	sanitize fuzz faults bench clean install-config install-vendor install-openrc install-systemd

help:
	@sed -n 's/^# `/`/p' Makefile; echo "Rings: unit native kernel peers vm arches packaging fleet. More: docs lint dist pypi deb sanitize fuzz bench clean."

$(VENV)/.ready: pyproject.toml tools/setup
	sh tools/setup $(PYTHON) $(VENV)
	touch $@

deps: $(VENV)/.ready

build: deps
	rm -rf build/lib* build/bdist*
	$(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --force-reinstall .

# The main job, on its own device if this user may have one; otherwise what can be shown.
run: build
	$(PY) -I tools/demo.py

clean:
	rm -rf build dist .cache *.egg-info .pytest_cache .mypy_cache .ruff_cache $(VENV)

lint: deps docs marks shell strict
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# What a merge leaves.
marks:
	! git grep -nE '^(<{7}|>{7}) ' 2>/dev/null

shell:
	$(VENV)/bin/shellcheck $$(grep --exclude-dir=__pycache__ -rlE '^#!(/bin/sh|/sbin/openrc-run)' .ci initscripts monitoring packaging tests tools)

strict:
	for file in csrc/*/*.c; do $(CC) $(CFLAGS_STRICT) -Icsrc -c "$$file" -o /dev/null || exit 1; done

# Types, as a user's checker sees them in the installed package: the examples strictly, every public
# name with pyright if available, mistakes that both must report, and what an editor shows.
typed: build
	cd examples && ../$(VENV)/bin/mypy --strict --config-file= \
		--python-executable ../$(VENV)/bin/python --cache-dir ../.mypy_cache/examples *.py
	-[ -x $(VENV)/bin/pyright ] || $(PY) -m pip install --quiet --disable-pip-version-check 'pyright[nodejs]'
	$(PY) -I tools/typed.py
	$(PY) -I tools/hovered.py

# The documentation as a site, in build/docs; warnings and fields that are not shown are errors.
docs: build
	$(PY) -Im sphinx -E -W --keep-going -q -b html docs build/docs
	$(PY) -I tools/shown.py

unit native kernel: build
	$(PYTEST) tests/$@

# Other tools' own programs against pyzram import, zram-generator's on thousands of files. Those of
# zram-init, zramen and others come from checkouts in the folder PYZRAM_PEER_SCRIPTS.
peers: build
	PYZRAM_PEER_EXAMPLES=$${PYZRAM_PEER_EXAMPLES:-2000} $(PYTEST) -s tests/peers

# If it is not available, the VM ring skips and says so.
$(VENV)/bin/vng: | deps
	-$(PY) -m pip install --quiet --disable-pip-version-check virtme-ng

# Once .cache/vm has the kernels, this needs no network.
vm: build $(VENV)/bin/vng
	$(PYTEST) -s tests/$@

# Kills pyzram tend two hundred times in all on three kernels, cuts its power, and leaves it alone for
# ten minutes.
.PHONY: kills
kills: build $(VENV)/bin/vng
	PYZRAM_KILLS=$${PYZRAM_KILLS:-200} $(PYTEST) -s tests/vm/test_tend.py tests/vm/test_tend_powercut.py -k "killed or power or calm"

# This tree on six other processors, with qemu-user, and on this one with Debian sid's Python and
# compiler: an hour or more, so what passed is not run again until the tree changes. ARCHES='i386 or riscv64'
# PARTS='unit/config or native' takes those only. arches-short runs parts of it on two, in minutes.
arches: build
	$(PYTEST) -s tests/arches -m long -k '($(or $(ARCHES),test)) and ($(or $(PARTS),test))'

arches-short: build
	$(PYTEST) -s tests/arches -m "not long"

# This takes minutes: every package is built with its tests. make check leaves out those marked long.
packaging: build
	$(PYTEST) tests/packaging

# What makes Grafana's dashboard, pinned so that everybody makes the same one.
$(VENV)/.grafana: | deps
	-$(PY) -m pip install --quiet --disable-pip-version-check 'grafana-foundation-sdk==1769699998!10.1.0' && touch $@

dashboard: $(VENV)/.grafana
	$(PY) -I tools/dashboard.py

# What runs the tests of the role and of Salt, pinned because results depend on the version; separate,
# because each brings many packages.
ANSIBLE := ansible-core==2.19.14 ansible-lint==26.10.1
SALT    := salt==3008.4

.cache/fleet/ansible/.ready: Makefile
	-mkdir -p .cache/fleet && $(PYTHON) -m venv .cache/fleet/ansible && \
		.cache/fleet/ansible/bin/pip install --quiet --disable-pip-version-check $(ANSIBLE) && touch $@

.cache/fleet/salt/.ready: Makefile
	-mkdir -p .cache/fleet && $(PYTHON) -m venv .cache/fleet/salt && \
		.cache/fleet/salt/bin/pip install --quiet --disable-pip-version-check $(SALT) && touch $@

# Textfiles through Debian's node_exporter and Prometheus, other collectors, and configuration
# management, each with the real program, on loopback, in a few minutes.
fleet: build $(VENV)/.grafana .cache/fleet/ansible/.ready .cache/fleet/salt/.ready
	$(PYTEST) tests/$@

# The release tarball, its wheel, and the recipes of packaging/ for it; the digest goes into the
# overlay's Manifest.
dist: deps
	rm -rf dist
	$(PY) tools/dist.py --manifest ebuilds/sys-block/pyzram/Manifest
	$(PY) -m build --wheel --no-isolation --outdir dist dist/pyzram-*.tar.gz
	sh tools/recipes dist/pyzram-*.tar.gz

# The wheel for PyPI, which includes its C libraries; needs Debian, for their licences.
pypi: dist
	$(PY) tools/manylinux.py dist/pyzram-*-linux_*.whl

# Debian's package, in dist/; lintian and an installation are in tests/packaging.
deb: deps
	tarball=$$($(PY) tools/dist.py) && sh tools/deb "$$tarball"

# For packages: the parts of the service, everything in their folders. Only zram.service is meant to
# be enabled; manual pages and completions are in the wheel.
SYSCONFDIR ?= /etc
UNITDIR    ?= /usr/lib/systemd/system
# Where the distribution's node_exporter looks for textfiles; docs/fleet.md says which looks where.
TEXTFILEDIR ?= /var/lib/prometheus/node-exporter
# Where pyzram looks for the distribution's defaults; if you change it, change
# pyzram/config/layers.py too, as Nix's package does.
VENDORDIR  := /usr/lib/pyzram

# Without /etc/conf.d/zram.d, which the administrator makes: Portage accepts no folder in conf.d.
install-config: install-vendor
	install -d $(DESTDIR)$(SYSCONFDIR)/conf.d
	for file in initscripts/openrc/*.confd; do \
		install -m 644 $$file $(DESTDIR)$(SYSCONFDIR)/conf.d/$$(basename $$file .confd) || exit 1; done
	install -D -m 644 -t $(DESTDIR)$(SYSCONFDIR)/sysctl.d initscripts/sysctl.d/*

install-vendor:
	install -D -m 644 -t $(DESTDIR)$(VENDORDIR) initscripts/vendor/*

install-openrc:
	install -d $(DESTDIR)$(SYSCONFDIR)/init.d
	for file in initscripts/openrc/*.initd; do \
		install -m 755 $$file $(DESTDIR)$(SYSCONFDIR)/init.d/$$(basename $$file .initd) || exit 1; done
	install -D -m 644 -t $(DESTDIR)$(SYSCONFDIR)/cron.d initscripts/cron/*
	sed -i 's|^DIRECTORY=.*|DIRECTORY=$(TEXTFILEDIR)|' $(DESTDIR)$(SYSCONFDIR)/cron.d/zram-textfile
	install -D -m 644 -t $(DESTDIR)$(SYSCONFDIR)/logrotate.d initscripts/logrotate.d/*

install-systemd:
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) initscripts/systemd/*
	sed -i -e 's|^Environment=DIRECTORY=.*|Environment=DIRECTORY=$(TEXTFILEDIR)|' \
		-e 's|^ReadWritePaths=.*|ReadWritePaths=-/var/lib -$(TEXTFILEDIR)|' \
		$(DESTDIR)$(UNITDIR)/zram-textfile.service $(DESTDIR)$(UNITDIR)/zram-estimate.service

# The native tests again, under AddressSanitizer and UndefinedBehaviorSanitizer.
sanitize: build
	tests/native/sanitize $(PY)

# One fault at every system call of the commands, on real devices; takes an hour or two. FAULTS='--every
# 50' takes a part of them. It has its own mount namespace, so that no other keeps what it mounts.
faults: build
	unshare --mount $(PY) -I tests/faults/walk.py $(FAULTS)

# Real programs, estimated and paged out for real: the table of docs/estimate-truth.md.
.PHONY: live
live: build
	$(PY) -I tests/live/run.py docs/estimate-truth.md

# FUZZ_SECONDS=3600 for a long run.
fuzz: deps
	tests/fuzz/run

# With root and a driver this run is meant to test the kernel, so it fails if it tested nothing.
check: export PYZRAM_REQUIRE_KERNEL := $(shell [ "$$(id -u)" = 0 ] && [ -d /sys/class/zram-control ] && echo 1)
check: lint typed $(VENV)/bin/vng $(VENV)/.grafana .cache/fleet/ansible/.ready .cache/fleet/salt/.ready
	$(PYTEST) tests/unit tests/native tests/peers
	tests/native/unprivileged $(PY)
	$(PYTEST) tests/kernel
	tests/native/sanitize $(PY)
	tests/fuzz/run
	$(PYTEST) -m "not long" tests/packaging
	$(PYTEST) tests/fleet
	$(PYTEST) -s tests/arches -m "not long"
	$(PYTEST) -s tests/vm -m "not long"
