# reval: CPython 3.14's evaluation core in Rust. `make help` lists what can be made.

ifneq ($(words $(CURDIR)),1)
  $(error the path of this project must not contain spaces)
endif

# --- what is built: `make help` says what the words mean -------------------------------------------------------------

HOST ?= release
HOST_GIL ?= enabled
DISPATCH ?= tail
EXPERIMENTAL_JIT ?=
COMPILER ?= host
TARGET ?=
PREFIX ?= /usr/local

words_HOST := release debug
words_HOST_GIL := enabled disabled
words_DISPATCH := tail match
words_EXPERIMENTAL_JIT := no yes yes-off interpreter interpreter-off
words_COMPILER := host cranelift no
words_TARGET := aarch64-linux-gnu

comma := ,
listed = $(subst $() ,$(comma) ,$(words_$1))
$(foreach variable,HOST HOST_GIL DISPATCH COMPILER $(if $(EXPERIMENTAL_JIT),EXPERIMENTAL_JIT) $(if $(TARGET),TARGET), \
  $(if $(filter $($(variable)),$(words_$(variable))),, \
    $(error unknown $(variable)=$($(variable)): $(call listed,$(variable)))))

ifeq ($(COMPILER)$(filter interpreter interpreter-off,$(EXPERIMENTAL_JIT)),cranelift)
  $(error COMPILER=cranelift needs EXPERIMENTAL_JIT=interpreter: with another word, the host compiles traces)
endif

# Each kind has its own products, so that changing between them builds nothing twice.
kind := $(if $(HOST_PYTHON),other,$(HOST))$(TARGET:%=-%)$(patsubst %,-%,$(filter match,$(DISPATCH)))$(EXPERIMENTAL_JIT:%=-jit-%)$(patsubst %,-%,$(filter cranelift,$(COMPILER)))$(patsubst %,-compiler-%,$(filter no,$(COMPILER)))
BUILD := $(if $(filter release,$(kind)),build,build/$(kind))
target := $(if $(filter release,$(kind)),target,target/$(kind)-host)
dispatch_options := $(if $(filter match,$(DISPATCH)),--no-default-features)
cargo_options := $(dispatch_options) $(if $(filter cranelift,$(COMPILER)),--features jit)

# The host's settings, for one command. A library for the layouts of a free-threaded host reads the same headers as
# such a build would, and has its own products, too.
as_free_threaded := REVAL_HOST_GIL_DISABLED=1 REVAL_EXPERIMENTAL_JIT=no
hosted := . host/env.sh && read_host_env $(BUILD) &&
free_threaded := $(hosted) $(as_free_threaded)

ifeq ($(HOST_GIL),disabled)
  ifneq ($(filter-out help host lib install clean distclean,$(MAKECMDGOALS)),)
    $(error HOST_GIL=disabled is for make lib: no packaged host is free-threaded, see HOST_PYTHON)
  endif
  ifneq ($(filter-out no,$(EXPERIMENTAL_JIT)),)
    $(error EXPERIMENTAL_JIT=$(EXPERIMENTAL_JIT): a free-threaded host has no tier 2)
  endif
  target := target/gil-disabled
  hosted += export $(as_free_threaded) &&
endif

# Before a command of a recipe: only with a packaged host, only with another one, only without any of these words.
skip := @\#
if_packaged := $(if $(HOST_PYTHON),$(skip))
if_other := $(if $(HOST_PYTHON),,$(skip))
if_default := $(if $(filter target,$(target)),,$(skip))

root := $(CURDIR)
# The same messages, and the same order of names, wherever this is run.
export LC_ALL := C.UTF-8
unexport LANGUAGE
export HOST_PYTHON EXTRAS REPLACED C_OBJECTS root
export REVAL_EXPERIMENTAL_JIT := $(EXPERIMENTAL_JIT)
export REVAL_COMPILER := $(COMPILER)
export REVAL_HOST_TARGET := $(TARGET)
export CARGO_TARGET_DIR := $(CURDIR)/$(target)

# Debian's name of the machine for which it is built, and Rust's.
triple := $(TARGET:%-linux-gnu=%-unknown-linux-gnu)
libreval := $(target)/$(triple:%=%/)release/libreval.a
# The extension module, as wheels have it, and with all of its functions, for tests.
core := $(target)/attach/release/libreval.so
whole_core := $(target)/attach/debug/libreval.so
attach_options := --features "$$(core_features $(DISPATCH))" --target-dir $(target)/attach $(dispatch_options)
python := $(BUILD)/bin/python3.14
reference := $(BUILD)/bin/python3.14-ref
link := host/link host/cc host/env.sh host/main.c host/prefix.c host/tier2.c $(wildcard host/hacl/*.* host/hacl/src/*)

# For the scripts of tests/ and bench/.
export REVAL_BUILD := $(CURDIR)/$(BUILD)
export REVAL_PYTHON := $(CURDIR)/$(python)
export REVAL_REFERENCE := $(CURDIR)/$(reference)
export REVAL_DISTRIBUTION := $(CURDIR)/$(BUILD)/bin/python3.14-dist
export REVAL_CORE := $(CURDIR)/$(core)

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@echo
	@echo 'HOST=debug                    the packaged --with-pydebug host, in build/debug/'
	@echo 'HOST_PYTHON=/path/python3.14  any other host, in build/other/'
	@echo 'EXTRAS="tk gdbm"              a packaged host with tkinter, turtle and IDLE; with dbm.gnu'
	@echo 'DISPATCH=match                one loop around a match, for stable Rust, in build/release-match/'
	@echo 'EXPERIMENTAL_JIT=WORD         tier 2 as in configure --enable-experimental-jit, else as the host has it:'
	@echo '                              $(call listed,EXPERIMENTAL_JIT); in build/release-jit-WORD/'
	@echo 'COMPILER=cranelift            with EXPERIMENTAL_JIT=interpreter: hot traces become machine code, an experiment'
	@echo 'COMPILER=no                   core and wheel only: without the compiler, in build/release-compiler-no/'
	@echo 'TARGET=$(words_TARGET)      built for another machine and run in an emulator, in build/release-TARGET/'
	@echo 'HOST_GIL=disabled             lib only: for the layouts of a free-threaded host'
	@echo 'C_OBJECTS="ceval.o ..."       link these from C after all, to find out which one misbehaves'

# What a target needs of this machine is looked for before anything is done.
need-build need-test:
	@host/need $(@:need-%=%)

host: need-build ## find or fetch the CPython to build for
	@host/fetch $(HOST) $(BUILD)

$(BUILD)/host.env: host ;

lib: $(BUILD)/host.env ## libreval.a, libreval.so and include/reval.h
	$(hosted) cargo build --release $(cargo_options)
	$(if_default)@cmp -s $(target)/release/reval.h include/reval.h || cp $(target)/release/reval.h include/

$(libreval): lib ;

core: $(BUILD)/host.env ## the extension module for an unmodified host
	$(hosted) cargo build --release $(attach_options)

wheel: $(reference) ## the same as a wheel for pip, in $(BUILD)/wheel/: needs PyPI; for more hosts HEADERS="/path/include/python3.14 ..."
	$(hosted) CARGO_TARGET_DIR=$(root)/$(target)/pip host/wheel $(BUILD) $(reference) $(HEADERS)

python: $(python) $(reference) ## python3.14 with reval, and python3.14-ref with the C evaluator

$(python): $(libreval) $(BUILD)/host.env $(BUILD)/link/settings $(wildcard host/replaced*.txt) $(link)
	host/link $(BUILD) reval $(libreval)

$(reference): $(BUILD)/host.env $(link)
	host/link $(BUILD) ref

# A host that was built again at the same place has the same host.env.
$(python) $(reference): $(shell sed -n 's/^REVAL_HOST_ARCHIVE=//p' $(BUILD)/host.env 2>/dev/null)

# Changes when the objects chosen on the command line do.
$(BUILD)/link/settings: FORCE
	@mkdir -p $(@D)
	@echo 'REPLACED=$(REPLACED) C_OBJECTS=$(C_OBJECTS)' | cmp -s - $@ || \
	  echo 'REPLACED=$(REPLACED) C_OBJECTS=$(C_OBJECTS)' > $@

run: python ## a demonstration
	@$(python) host/demo.py

symbols: python ## compare reval's symbols with those of the objects that it replaces
	host/symbols $(BUILD) $(libreval)

test: need-test python symbols ## what a developer wants to know in a few minutes
	@tests/tested begin
	cargo fmt --check
	cargo fmt --check --manifest-path host/hacl/Cargo.toml
	tests/architecture
	$(hosted) cargo clippy --all-targets -- -D warnings
	$(hosted) cargo test
	$(if_packaged)$(free_threaded) cargo clippy --all-targets --target-dir target/gil-disabled -- -D warnings
	$(if_packaged)$(free_threaded) cargo test --target-dir target/gil-disabled
	tests/handlers $(libreval)
	tests/unwinding --quick
	tests/thresholds
	tests/traces
	tests/daily
	tests/bench
	tests/specialized --quick
	$(if_packaged)tests/events --quick
	$(if_packaged)tests/events --quick --hot
	$(hosted) c-tests/run
	$(if_default)tests/readme
	$(if_default)tests/tsan/run 10
	$(if_packaged)tests/fuzz --seconds 30 --programs 400 --seed 1
	tests/faults --quick
	$(if_default)$(MAKE) core
	$(if_default)host/licenses --check
	$(if_default)tests/attach $(core) $(whole_core) Symbols Switching Refusals Compiler --quick
	tests/run-quick
	$(if_default)@tests/tested end

# With QUICK=1 without what `make test` has done, also in a shorter form, and with fewer tests for other forms of the library.
if_thorough := $(if $(QUICK),$(skip))

test-full: need-test python ## CPython's whole test suite, the debug host, programs that embed Python: after `make test`, QUICK=1 will do
	$(if_thorough)tests/unwinding
	$(if_packaged)tests/walk
	$(if_thorough)tests/specialized
	tests/run-full $(if $(QUICK),--rest)
	tests/faults
	$(if_packaged)$(if_thorough)tests/events
	$(if_packaged)tests/fuzz --self-test
	$(if_packaged)$(if_thorough)tests/fuzz --seconds 45 --programs 300 --seed 10001
	$(if_default)$(if_thorough)tests/tsan/run 60
	$(if_default)$(MAKE) test-attach QUICK=1
	$(if_default)tests/embedders
	$(if_default)$(MAKE) test-windows
	$(if_default)$(MAKE) TARGET=aarch64-linux-gnu test-target
	$(if_default)$(MAKE) HOST=debug $(if $(QUICK),test-leaks,test-modules)
	$(if_default)$(MAKE) DISPATCH=match $(if $(QUICK),test-tier2,test-modules)
	$(if_default)$(MAKE) EXPERIMENTAL_JIT=no $(if $(QUICK),python,test-tier2)
	$(if_default)tests/handlers --same $(libreval) target/release-jit-no-host/release/libreval.a
	$(if_default)$(MAKE) HOST=debug EXPERIMENTAL_JIT=interpreter test-tier2 test-traces test-micro-ops test-faults-hot
	$(if_default)$(MAKE) COMPILER=cranelift EXPERIMENTAL_JIT=interpreter test-traces test-explain
	$(if_default)$(if_thorough)$(MAKE) HOST=debug COMPILER=cranelift EXPERIMENTAL_JIT=interpreter test-traces
	$(if_other)tests/run-quick

test-modules: python ## only the CPython test modules of `make test`
	tests/run-quick

test-leaks: python ## a hunt for leaked references in some of them: with HOST=debug
	tests/run-quick --leaks

test-tier2: python ## only those of them that run with tier 2
	tests/run-quick --tier2

test-tier2-full: python ## CPython's whole test suite with tier 2: half an hour
	tests/run-full --tier2

test-traces: python ## programs with and without tier 2: with EXPERIMENTAL_JIT=interpreter, traces lead further
	tests/traces

test-explain: python ## `python -m reval explain`: with COMPILER=cranelift EXPERIMENTAL_JIT=interpreter
	tests/explain

test-compiler: python ## the compiler: with COMPILER=cranelift EXPERIMENTAL_JIT=interpreter
	$(hosted) cargo clippy --all-targets $(cargo_options) -- -D warnings
	$(hosted) cargo test $(cargo_options) -- jit code_memory explain
	tests/traces
	tests/lowerings
	tests/explain
	tests/run-quick --tier2

test-micro-ops: python ## that every micro-op runs: with HOST=debug EXPERIMENTAL_JIT=interpreter
	tests/micro_ops

test-events: python ## the streams of all events of programs and test modules, on reval and on the reference
	tests/events

test-clients: python ## coverage.py (its test suite, too), debuggers, profilers, pip, tkinter: 20 minutes, needs PyPI
	tests/clients
	tests/daily --online

test-attach: python core ## the extension module in the distribution's unmodified interpreter, with CPython's suite: QUICK=1
	$(hosted) cargo clippy $(attach_options) -- -D warnings
	$(hosted) cargo build $(attach_options)
	tests/attach $(core) $(whole_core) $(if $(QUICK),--quick)

test-attach-clients: wheel ## programs of numpy, Django, IPython and others, with REVAL=1, REVAL=jit and without: needs PyPI; ten minutes
	tests/attach-clients $(BUILD)/wheel/*.whl

# A wheel with two cores.
test-wheel: $(BUILD)/host.env ## the wheel for the packaged hosts, the source distribution, `pip install .`: needs PyPI; half an hour
	$(MAKE) HOST=debug build/debug/bin/python3.14-ref
	$(MAKE) wheel HEADERS="$$(sed -n 's/^REVAL_HOST_INCLUDE=//p' build/debug/host.env)"
	tests/wheel $(BUILD)/wheel/*.whl

test-tsan: python ## threads of a free-threaded host, as far as bytecode goes, under ThreadSanitizer: two minutes
	tests/tsan/run

test-target: host ## with TARGET=: what was built for another machine, in the emulator
	@grep -qx REVAL_HOST_STD=0 $(BUILD)/host.env || $(MAKE) python
	tests/target $(libreval)

test-windows: need-test $(BUILD)/host.env ## the library for Windows, as far as wine and mingw can tell, and build.bat: fetches both; some minutes
	tests/build-bat
	tests/windows

test-faults: python ## only the storms: threads, signals, forks, interpreters, ends of programs
	tests/faults

test-faults-hot: python ## the quick form of them, with tier 2 and every loop a trace at once
	tests/faults --quick --hot

fuzz: python ## generated programs on reval and on the reference: SECONDS=600 SEED=1 MODE="off jit hot"
	tests/fuzz $(SECONDS:%=--seconds %) $(SEED:%=--seed %) $(if $(MODE),--mode $(MODE))

# Where python3.15 cannot be fetched, bench/run says so, and leaves its column out.
bench: need-test python ## reval, reference and distribution side by side; also what else there is: make core, python3.15
	@host/python3.15 > /dev/null || true
	bench/run $(if $(ONLY),--only $(ONLY)) $(if $(COLUMNS),--columns $(COLUMNS)) $(if $(QUICK),--quick)

bench-picture: ## draws what the last `make bench` has found as bench/speed.svg, which README shows: RESULT=file.json
	bench/picture $(RESULT)

bench-monitoring: python ## what being watched costs, side by side
	bench/monitoring

bench-gil: python ## the GIL of the three: fairness, delays, what a switch costs
	bench/gil

bench-threads: python ## what more threads get done on a free-threaded host, on reval and on the reference
	bench/threads

coverage: need-test python ## how much of the evaluator's time tier 2 takes over: ONLY="go float" QUICK=1 REASONS=1
	bench/coverage $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(if $(REASONS),--reasons)

install: ## what `make python` has built for C programs, into $(DESTDIR)$(PREFIX); reval.pc says how to link it
	DESTDIR='$(DESTDIR)' host/install $(BUILD) $(libreval) '$(PREFIX)'

clean: ## remove what was built; the fetched host stays
	rm -rf target $(filter-out build/trees% build/sysroot% build/tools,$(wildcard build/* build/.prefix))

distclean: clean ## remove the fetched host too
	rm -rf build

test-newcomer: ## clean clones in a minimal Debian userland, as README says: needs root and debootstrap, QUICK=1
	tests/newcomer $(if $(QUICK),--quick)

FORCE:
.PHONY: help need-build need-test host lib core wheel python run symbols test test-full test-attach test-attach-clients \
  test-wheel test-modules test-leaks test-tier2 test-tier2-full test-traces test-explain test-compiler test-micro-ops test-events test-clients test-faults \
  test-faults-hot test-tsan test-target test-windows test-newcomer fuzz bench bench-picture bench-monitoring bench-gil bench-threads coverage \
  install clean distclean FORCE
.DELETE_ON_ERROR:
# Two links at once would make the same things twice; cargo and the tests are parallel by themselves.
.NOTPARALLEL:
