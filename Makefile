# SPDX-License-Identifier: Apache-2.0
# Thin wrappers over meson and the scripts in tools/. `make help` lists them.
#
#   make            the release, build/culver
#   make run        install what is missing, build, start on loopback (OFFSET=2000, below ./run)
#   make deb        the Debian package, build/culver_VERSION_ARCH.deb
#   make deb-test   that package in a clean Debian that boots (root; minutes the first time)
#   make test       install what is missing, build in build/test, run every test

OFFSET = 2000
PREFIX = /usr/local
MESON  = /usr/bin/meson
PYTHON = /usr/bin/python3

.PHONY: all help deps deps-run deps-test deps-bench run test asan tsan fuzz sim bench format lint docs \
	install clean deb deps-deb deb-test

all:
	@tools/build release

help:
	@echo 'make [all|run|deb|deb-test|test|asan|tsan|fuzz|sim|bench|format|lint|docs|install|clean|deps]; see HACKING.md'

# Debian packages, each list on its own (tools/deps).
deps: deps-run deps-test deps-bench
deps-run:
	@tools/deps run
deps-test:
	@tools/deps run test
deps-bench:
	@tools/deps run bench

deps-deb:
	@tools/deps run deb

# The Debian package.
deb: deps-deb
	@tools/build release
	@tools/deb

deb-test: deb
	@tools/deps run deb deb-test
	@tools/deb-test

run: deps-run
	@tools/build release
	@tools/run $(OFFSET)

test: deps-test
	@tools/test

# Unit tests under AddressSanitizer and UndefinedBehaviorSanitizer; under ThreadSanitizer.
asan: deps-test
	@tools/test asan
tsan: deps-test
	@tools/test tsan

# Every fuzz target for SECONDS each.
SECONDS = 60
fuzz: deps-test
	@tools/fuzz $(SECONDS)

# The simulation: SEED=n is one run with its trace, RUNS=n many.
SEED = 1
RUNS = 300
sim: deps-test
ifeq ($(origin SEED) $(origin RUNS),command line file)
	@tools/sim --seed $(SEED) --trace
else
	@tools/sim --seed $(SEED) --runs $(RUNS) --shrink
endif

bench: deps-bench
	@tools/build release
	@bench/run

format:
	@tools/lint format
lint: deps-test
	@tools/lint

docs:
	@tools/docs

install: all
	@$(MESON) configure build --prefix=$(PREFIX)
	@$(MESON) install -C build

clean:
	rm -rf build
