# Every target installs what it needs, or says what to install.

CARGO ?= cargo
PREFIX ?= /usr/local
BIN = $(DESTDIR)$(PREFIX)/bin
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
SHARE = $(DESTDIR)$(PREFIX)/share/resource-slot
# Where containerd's configuration imports drop-ins from.
CONTAINERD_CONF_D ?= /etc/containerd/conf.d
DROP_INS = $(DESTDIR)$(CONTAINERD_CONF_D)
# Where cargo puts its output: $CARGO_TARGET_DIR if it is set.
TARGET = $(or $(CARGO_TARGET_DIR),target)
# What is fuzzed, and for how long.
FUZZ ?= journal
SECONDS ?= 60
PROGRAMS = $(TARGET)/release/resource-slot-sandboxer $(TARGET)/release/loadgen

.PHONY: deny workflows run overhead prove full-node scrape torture bars scale soak fuzz test lint docs bench bench-compare instructions resource-slot install uninstall words pictures book setup clean

## run: 2,000 pods through a sandboxer of its own; ARGS are passed to `loadgen run`
run: resource-slot
	$(TARGET)/release/loadgen run $(ARGS)

## overhead: what containerd and the sandboxer each add to a pod; ARGS are passed on
overhead: resource-slot
	CONTAINERD_BIN=$$(scripts/containerd) $(TARGET)/release/loadgen overhead $(ARGS)

## prove: against sandboxers at fault in known ways, that loadgen's figures are right
prove: resource-slot
	scripts/prove $(TARGET)/release

## full-node: whether the sandboxer alone bears 10,000 pods with containers that end and start again
full-node: resource-slot
	scripts/full-node 10000 $(TARGET)/release

## scrape: what it costs to have the sandboxer's metrics fetched
scrape: resource-slot
	scripts/scrape 10 $(TARGET)/release

## torture: 1,080 times kill -9 under load, in every mode; TORTURE_KILLS and
## TORTURE_SEED say how often and repeat a run
torture: setup
	$(CARGO) build --workspace --bins
	$(CARGO) test -p tests --test crash -- --ignored --nocapture

## scale: 100,000 pods, 1,000,000 sandboxes and 10,000 connections at once
scale: resource-slot
	$(CARGO) test --release -p tests --test scale -- --ignored --nocapture --test-threads 1

## fuzz: goes on from the seeds of a target, FUZZ=journal, for SECONDS=60, with a nightly compiler
## and cargo-fuzz; `make test` replays the seeds
fuzz: setup
	@scripts/setup fuzz
	mkdir -p $(TARGET)/corpus/$(FUZZ)
	$(CARGO) +nightly fuzz run --fuzz-dir fuzz/libfuzzer -s none $(FUZZ) \
		$(TARGET)/corpus/$(FUZZ) fuzz/seeds/$(FUZZ) -- \
		-max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=4096

## bars: whether the sandboxer is as fast as it is to be, each by a ratio
bars: resource-slot
	scripts/bars 11 $(TARGET)/release

## test: formatting, lints (of benches, too), docs, every test
test: setup lint docs
	$(CARGO) build --workspace --bins
	$(CARGO) test --workspace --no-fail-fast
	$(CARGO) test -p models --features shuttle

lint:
	@scripts/setup lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy -p models --features shuttle --all-targets -- -D warnings

## deny: the licences, versions and sources of all dependencies, against deny.toml
deny:
	scripts/deny

## workflows: those of GitHub Actions, by actionlint
workflows:
	scripts/workflows

docs: setup
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

## bench: every Criterion group, each beside its floor
bench: setup
	scripts/bench

## bench-compare: the same, its ratios beside those of results/bench.json
bench-compare: setup
	scripts/bench --compare

## instructions: whether the pure paths need more instructions than they did
instructions: setup
	scripts/instructions

## soak: ten minutes at half of what it can do, after which it is as small as before
soak: resource-slot
	scripts/soak 10 $(TARGET)/release

## resource-slot: the two binaries, optimised
resource-slot: setup
	$(CARGO) build --release -p sandboxer -p loadgen

## install: both binaries to $(PREFIX)/bin; built only if they are missing, so
## that `make resource-slot && sudo make install` builds nothing as root
install: $(PROGRAMS)
	install -d $(BIN) $(UNITS) $(DROP_INS) $(SHARE)
	install -m 0755 $(PROGRAMS) $(BIN)
	sed 's|/usr/local/|$(PREFIX)/|g' deploy/systemd/kuasar-resource-slot.service >$(UNITS)/kuasar-resource-slot.service
	chmod 0644 $(UNITS)/kuasar-resource-slot.service
	install -m 0644 deploy/containerd/resource-slot.toml $(DROP_INS)
	install -m 0644 deploy/kubernetes/*.yaml README.md $(SHARE)

$(PROGRAMS):
	$(MAKE) resource-slot

uninstall:
	rm -f $(BIN)/resource-slot-sandboxer $(BIN)/loadgen
	rm -f $(UNITS)/kuasar-resource-slot.service $(DROP_INS)/resource-slot.toml
	rm -rf $(SHARE)

## words: relative words and verb-first comments per 1,000 words of each document and crate
words:
	scripts/words

## pictures: those of the documents, anew; needs tmux and chromium
pictures: resource-slot
	scripts/pictures $(TARGET)/release

## book: docs/ as a site in target/book; needs mdbook (cargo install mdbook --locked)
book:
	mdbook build

setup:
	@scripts/setup

clean:
	$(CARGO) clean
