# What the scripts here share: processes that end with the script, a place on the disk, and figures. Sourced, not run.

# What is not a file of the disk is in memory, where nothing is durable: so not under /tmp.
mkdir -p target/bench
work=$(mktemp -d target/bench/run.XXXXXX)
started=()
finish() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

RELAY=target/release/sms-relay

# Says what is missing and ends, unless the command $1 is there; $2 is its package.
need() {
    command -v "$1" >/dev/null || { echo "$1 is not installed: apt-get install $2" >&2; exit 69; }
}

# Waits until something listens.
await() {
    for _ in $(seq 200); do
        if (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; then return; fi
        sleep 0.05
    done
    echo "nothing listens on $1; is the port free? PORT=... chooses another; the end of the log:" >&2
    tail -n 5 "$work"/*.log >&2
    exit 1
}

# Sets `pid`.
start() {
    local log=$1
    shift
    "$@" >"$work/$log" 2>&1 &
    pid=$!
    started+=("$pid")
}

stop() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# Waits until the relay has said in its log that the platform wants patience.
await_patience() {
    for _ in $(seq 200); do
        if grep -q 'HTTP 429' "$work/relay.log"; then return; fi
        sleep 0.05
    done
    echo "the relay has not met the 429; the end of its log:" >&2
    tail -n 5 "$work/relay.log" >&2
    exit 1
}

# Has the emulator at $1 ask for an hour's patience.
shut_gate() {
    curl -sSf -o /dev/null -H 'Content-Type: application/json' "http://$1/emulator/faults" \
        -d '{"fault": {"kind": "status", "code": 429, "retry_after": "3600"}}'
}

# 4 KiB in place and synced, 500 times: milliseconds each.
sync_time() {
    local file=$work/sync begun ended
    dd if=/dev/zero of="$file" bs=4k count=500 conv=fsync status=none
    begun=$(date +%s%N)
    dd if=/dev/zero of="$file" bs=4k count=500 oflag=dsync conv=notrunc status=none
    ended=$(date +%s%N)
    rm -f "$file"
    awk -v ns=$(((ended - begun) / 500)) 'BEGIN { printf "%.3f", ns / 1e6 }'
}

median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
least() { printf '%s\n' "$@" | sort -n | head -n 1; }
cell() { echo "$(median "$@") ($(least "$@"))"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }
