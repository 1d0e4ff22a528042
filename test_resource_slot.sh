#!/bin/sh
# Tries a built or installed resource-slot-sandboxer in about a second: starts it in a temporary
# directory, makes an example pod, checks the log lines and resource_info.json, restarts it,
# checks that all is still there, and stops it. Prints each check; exit code 0 if all pass, else 1.
#
#   ./test_resource_slot.sh
#   BIN=/usr/local/bin ./test_resource_slot.sh
#
# BIN is the directory of resource-slot-sandboxer and loadgen. Without it the programs in
# target/release, target/debug, bin (of an unpacked release) or on the PATH are tried, whichever
# comes first.
set -u

HERE=$(CDPATH= cd "$(dirname "$0")" && pwd)
ID=test-sandbox
# Longest wait for the daemon, in tenths of a second.
PATIENCE=300

fail() {
    printf 'FAILED: %s\n' "$1" >&2
    [ -s "${log:-/dev/null}" ] && sed 's/^/  log: /' "$log" >&2
    exit 1
}

pass() { printf 'passed: %s\n' "$1"; }

# has_both DIR: whether both programs are in the directory.
has_both() { [ -x "$1/resource-slot-sandboxer" ] && [ -x "$1/loadgen" ]; }

find_programs() {
    if [ -n "${BIN:-}" ]; then
        has_both "$BIN" || fail "BIN=$BIN does not contain resource-slot-sandboxer and loadgen"
        bin=$BIN
        return
    fi
    target=${CARGO_TARGET_DIR:-$HERE/target}
    for bin in "$target/release" "$target/debug" "$HERE/bin"; do
        has_both "$bin" && return
    done
    found=$(command -v resource-slot-sandboxer) && bin=$(dirname "$found") && has_both "$bin" && return
    fail "there are no programs; build them with make resource-slot, or set BIN to their directory"
}

find_pod() {
    for pod in "$HERE/deploy/kubernetes/pod.json" "$bin/../share/resource-slot/pod.json"; do
        [ -r "$pod" ] && return
    done
    fail "there is no pod.json"
}

# start WHAT: starts the daemon, and waits until it serves.
start() {
    : >"$log"
    "$bin/resource-slot-sandboxer" --listen "$work/rs.sock" \
        --dir "$work/state" --log-level debug --streaming-listen 127.0.0.1:0 2>"$log" &
    daemon=$!
    waited=0
    until grep -q 'Serving' "$log"; do
        kill -0 "$daemon" 2>/dev/null || fail "$1: the sandboxer ended"
        [ "$waited" -lt "$PATIENCE" ] || fail "$1: the sandboxer does not serve"
        waited=$((waited + 1))
        sleep 0.1
    done
    pass "$1"
}

# stop: ends the daemon by SIGTERM, and waits for it.
stop() {
    kill -TERM "$daemon"
    wait "$daemon" || fail "the sandboxer ended with exit code $?"
    daemon=
    [ ! -e "$work/rs.sock" ] || fail "the sandboxer left its socket file"
    pass "it ends with exit code 0 and removes its socket"
}

# logged WORDS: checks that the log has a line with the words, and shows the line.
logged() {
    line=$(grep -F "$1" "$log") || fail "no line in the log has: $1"
    printf '%s\n' "$line" | sed 's/^/  /'
    pass "the log has: $1"
}

check_resources() {
    file=$work/state/$ID/resource_info.json
    [ -r "$file" ] || fail "there is no $file"
    sed 's/^/  /' "$file"
    printf '\n'
    for expected in '"cpu_limit": 2.0' '"cpu_request": 1.0' '"memory_limit": 2147483648' \
        '"memory_request": 1073741824' '"pid_limit": 1000' '"storage_limit": null' \
        '"network_bandwidth": null'; do
        grep -qF "$expected" "$file" || fail "resource_info.json lacks: $expected"
    done
    pass "$1"
}

# Options in the environment must not change what is tried.
for variable in $(env | sed -n 's/^\(RESOURCE_SLOT_[A-Z_]*\|LOADGEN_[A-Z_]*\)=.*/\1/p'); do
    unset "$variable"
done
find_programs
find_pod
work=$(mktemp -d) || fail "there is no temporary directory"
log=$work/log
daemon=
trap '[ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
printf 'trying %s\n' "$("$bin/resource-slot-sandboxer" --version) in $bin"

start "the sandboxer starts"
made=$("$bin/loadgen" pod --endpoint "$work/rs.sock" --id "$ID" "$pod") || fail "no pod can be made"
[ "$made" = "$ID" ] || fail "the pod is called $made"
pass "a pod is made"
logged "Creating ResourceSlot sandbox: $ID"
logged 'Extracted resource info: ResourceInfo { cpu_limit: Some(2.0), cpu_request: Some(1.0), memory_limit: Some(2147483648), memory_request: Some(1073741824), pid_limit: Some(1000), storage_limit: None, network_bandwidth: None }'
logged "ResourceSlot sandbox $ID created successfully"
check_resources "resource_info.json has the resources of the pod"
stop

start "the sandboxer starts again"
logged 'Serving 1 sandboxes'
check_resources "resource_info.json is as before"
shown=$("$bin/resource-slot-sandboxer" inspect --dir "$work/state") || fail "inspect fails"
printf '%s\n' "$shown" | sed 's/^/  /'
printf '%s\n' "$shown" | grep -q "$ID .*ready.*1/2.*1Gi/2Gi" || fail "inspect does not show the pod as ready"
pass "inspect shows the pod, its requests and limits"
stop
printf 'all passed\n'
