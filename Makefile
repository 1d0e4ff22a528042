# Every target that builds installs the missing build tools, or names them.

CARGO ?= cargo
PREFIX ?= /usr/local
BIN = $(DESTDIR)$(PREFIX)/bin
MAN = $(DESTDIR)$(PREFIX)/share/man/man1
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
SHARE = $(DESTDIR)$(PREFIX)/share/resource-slot
BASH_COMPLETIONS = $(PREFIX)/share/bash-completion/completions
FISH_COMPLETIONS = $(PREFIX)/share/fish/vendor_completions.d
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/site-functions
# Directory from which containerd's configuration imports drop-ins.
CONTAINERD_CONF_D ?= /etc/containerd/conf.d
DROP_INS = $(DESTDIR)$(CONTAINERD_CONF_D)
# Directory of cargo's output: $CARGO_TARGET_DIR if it is set. Its directory PROFILE contains the
# programs to install.
TARGET = $(or $(CARGO_TARGET_DIR),target)
PROFILE = release
# Target of `make fuzz`, and its duration.
FUZZ ?= journal
SECONDS ?= 60
PROGRAMS = $(addprefix $(TARGET)/$(PROFILE)/,resource-slot-sandboxer loadgen slotplan)
SAMPLES = deploy/cni/* deploy/systemd/answer-probes.conf deploy/kubernetes/*.yaml deploy/kubernetes/*.json deploy/resource-slot-sandboxer.toml README.md

.PHONY: deb image deny workflows run plan overhead prove verdicts full-node scrape torture bars plan-bars scale soak fuzz test lint docs bench bench-compare instructions resource-slot install uninstall words pictures book setup clean

## run: send 2,000 pods through a sandboxer that loadgen starts; ARGS are passed to `loadgen run`
run: setup
	$(CARGO) build --release -p sandboxer -p loadgen
	$(TARGET)/release/loadgen run $(ARGS)

## plan: send 2,000 pods through a sandboxer, and say how many nodes they would have needed; ARGS are
## passed to `slotplan capacity`
plan: resource-slot
	scripts/plan $(TARGET)/release $(ARGS)

## overhead: measure the time that containerd and the sandboxer each add to a pod; ARGS are passed
## to `loadgen overhead`
overhead: resource-slot
	CONTAINERD_BIN=$$(scripts/containerd) $(TARGET)/release/loadgen overhead $(ARGS)

## prove: check loadgen's figures against sandboxers with known faults
prove: resource-slot
	scripts/prove $(TARGET)/release

## verdicts: count the verdicts of gate, compare and search in cases with a known right verdict,
## and compare the counts with their bars; takes one to four hours, and goes on after an interruption
verdicts: resource-slot
	scripts/verdicts $(TARGET)/release

## full-node: run 10,000 pods with containers that end and start again on the sandboxer alone
full-node: resource-slot
	scripts/full-node 10000 $(TARGET)/release

## scrape: measure the effect of Prometheus' scrapes on the latency of pods
scrape: resource-slot
	scripts/scrape 10 $(TARGET)/release

## torture: send kill -9 under load 1,080 times, in every mode; TORTURE_KILLS sets the number, and
## TORTURE_SEED repeats a run
torture: setup
	$(CARGO) build --workspace --bins
	$(CARGO) test -p tests --test crash -- --ignored --nocapture

## scale: measure 100,000 pods, 1,000,000 sandboxes and 10,000 connections at once
scale: resource-slot
	$(CARGO) test --release -p tests --test scale -- --ignored --nocapture --test-threads 1

## fuzz: fuzz one target from its seeds (FUZZ=journal, SECONDS=60), with a nightly compiler and
## cargo-fuzz; `make test` replays the seeds
fuzz: setup
	@scripts/setup fuzz
	mkdir -p $(TARGET)/corpus/$(FUZZ)
	$(CARGO) +nightly fuzz run --fuzz-dir fuzz/libfuzzer -s none $(FUZZ) \
		$(TARGET)/corpus/$(FUZZ) fuzz/seeds/$(FUZZ) -- \
		-max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=4096

## bars: compare the speed of the sandboxer with its bars, each a ratio of two measurements in turns
bars: resource-slot
	scripts/bars 11 $(TARGET)/release

## plan-bars: measure the planner with a million pods, and compare it with its bars
plan-bars: setup
	scripts/plan-bars

## test: check formatting, lints and documentation, and run every test
test: setup lint docs
	$(CARGO) build --workspace --bins
	$(CARGO) test --workspace --no-fail-fast
	$(CARGO) test -p models --features shuttle

## lint: check formatting, and run clippy with warnings as errors
lint:
	@scripts/setup lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy -p models --features shuttle --all-targets -- -D warnings

## deny: check licences, versions and sources of all dependencies against deny.toml
deny:
	scripts/deny

## workflows: lint the workflows of GitHub Actions with actionlint
workflows:
	scripts/workflows

## docs: build the API documentation; a broken link or a missing comment is an error
docs: setup
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

## bench: run every Criterion bench, each with its floor
bench: setup
	scripts/bench

## bench-compare: run the same benches, and compare the ratios with results/bench.json
bench-compare: setup
	scripts/bench --compare

## instructions: count the instructions of the pure paths, and compare them with
## results/instructions.json
instructions: setup
	scripts/instructions

## soak: load the sandboxer for ten minutes at half of its capacity, and check that it does not grow
soak: resource-slot
	scripts/soak 10 $(TARGET)/release

## resource-slot: build the three programs, optimised
resource-slot: setup
	$(CARGO) build --release -p sandboxer -p loadgen -p slotplan

## install: install the programs with their manual pages and completions, the systemd units, the
## containerd drop-in and the examples; the programs are built only if they are missing, so that
## `make resource-slot && sudo make install` builds nothing as root
install: $(PROGRAMS)
	install -d $(BIN) $(MAN) $(UNITS) $(DROP_INS) $(SHARE) $(DESTDIR)$(BASH_COMPLETIONS) \
		$(DESTDIR)$(FISH_COMPLETIONS) $(DESTDIR)$(ZSH_COMPLETIONS)
	install -m 0755 $(PROGRAMS) $(BIN)
	for program in $(PROGRAMS); do \
		name=$$(basename $$program) && $$program man $(MAN) && \
		$$program completions bash >$(DESTDIR)$(BASH_COMPLETIONS)/$$name && \
		$$program completions fish >$(DESTDIR)$(FISH_COMPLETIONS)/$$name.fish && \
		$$program completions zsh >$(DESTDIR)$(ZSH_COMPLETIONS)/_$$name || exit 1; \
	done
	for unit in service socket; do \
		sed 's|/usr/local/|$(PREFIX)/|g' deploy/systemd/kuasar-resource-slot.$$unit \
			>$(UNITS)/kuasar-resource-slot.$$unit && \
		chmod 0644 $(UNITS)/kuasar-resource-slot.$$unit || exit 1; \
	done
	install -m 0644 deploy/containerd/resource-slot.toml $(DROP_INS)
	install -m 0644 $(SAMPLES) $(SHARE)
	chmod 0755 $(SHARE)/resource-slot

$(PROGRAMS):
	$(MAKE) resource-slot

## uninstall: remove the installed files
uninstall:
	rm -f $(BIN)/resource-slot-sandboxer $(BIN)/loadgen $(BIN)/slotplan
	rm -f $(MAN)/resource-slot-sandboxer*.1 $(MAN)/loadgen*.1 $(MAN)/slotplan*.1
	for name in $(notdir $(PROGRAMS)); do \
		rm -f $(DESTDIR)$(BASH_COMPLETIONS)/$$name $(DESTDIR)$(FISH_COMPLETIONS)/$$name.fish \
			$(DESTDIR)$(ZSH_COMPLETIONS)/_$$name; \
	done
	rm -f $(UNITS)/kuasar-resource-slot.service $(UNITS)/kuasar-resource-slot.socket $(DROP_INS)/resource-slot.toml
	rm -rf $(SHARE)

## deb: pack the installed files as a package for Debian, in target/package
deb: resource-slot
	scripts/deb target/package

## image: build an image of a container with the programs, in target/package; needs buildah
image: resource-slot
	scripts/image target/package $(TARGET)/release

## words: count relative words and verb-first comments per 1,000 words of each document and crate
words:
	scripts/words

## pictures: draw the pictures of the documents again; needs tmux and chromium
pictures: resource-slot
	scripts/pictures $(TARGET)/release

## book: build docs/ as a site in target/book; needs mdbook (cargo install mdbook --locked)
book:
	mdbook build

## setup: install the missing build tools
setup:
	@scripts/setup

## clean: remove all build output
clean:
	$(CARGO) clean
