#!/usr/bin/env bash
# Durable accepts a second: 1 KiB mails by postfix's smtp-source at 1, 16 and 100 connections, one
# mail a connection and many a connection, to the released program on loopback. In the same run
# postfix's smtp-sink as the peer, which stores nothing, and a sync of this disk, so that figures of
# different machines can be compared.
#
# The emulator runs beside the relay. Two kinds of runs:
#   stored   the platform asks for an hour's patience (429), so the relay only stores
#   sending  the platform takes everything meanwhile, as in everyday work
#
# Environment: MAILS a run (2000), RUNS of each kind (3), CONNECTIONS ("1 16 100"),
# SMTP_SOURCE and SMTP_SINK where they are not found by themselves,
# PORT (22525; it and the two after it must be free).
set -euo pipefail
cd "$(dirname "$0")/.."

MAILS=${MAILS:-2000} RUNS=${RUNS:-3} CONNECTIONS=${CONNECTIONS:-1 16 100} PORT=${PORT:-22525}
# One run takes no longer, whatever happens.
LIMIT=60
PATH=$PATH:/usr/sbin
SMTP_SOURCE=${SMTP_SOURCE:-$(command -v smtp-source || true)}
SMTP_SINK=${SMTP_SINK:-$(command -v smtp-sink || true)}
if [ -z "$SMTP_SOURCE" ]; then
    echo "smtp-source is not installed. It comes with postfix: apt-get install postfix" >&2
    echo "or set SMTP_SOURCE (and SMTP_SINK) to where it is." >&2
    exit 69
fi
command -v curl >/dev/null || { echo "curl is not installed: apt-get install curl" >&2; exit 69; }
RELAY=target/release/sms-relay
[ -x "$RELAY" ] || cargo build --release

# Under target, because /tmp may be in memory, where nothing is durable.
mkdir -p target/bench
work=$(mktemp -d target/bench/accept.XXXXXX)
started=()
finish() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

smtp=127.0.0.1:$PORT api=127.0.0.1:$((PORT + 1)) sink=127.0.0.1:$((PORT + 2))
cat > "$work/relay.toml" <<TOML
hostname = "bench.example.com"
[smtp]
connections = 300
connections_per_client = 300
[[smtp.listener]]
name = "smtp"
bind = "$smtp"
[routing]
domains = ["sms.local"]
# smtp-source -N puts a number before each recipient: every mail is to a phone of its own.
allowed = ["+1", "+2", "+3", "+4", "+5", "+6", "+7", "+8", "+9"]
[defaults]
sender = "Bench"
[spool]
directory = "spool"
[gateway]
url = "http://$api"
credentials = "emulator"
[reporting]
to = "off"
TOML

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

# One run against $1 with $2 connections; $3 is `-d` to keep them open. Prints accepts a second.
source_run() {
    local begun ended
    begun=$(date +%s%N)
    # shellcheck disable=SC2086 # an empty option is no argument
    if ! timeout "$LIMIT" "$SMTP_SOURCE" -4 $3 -s "$2" -m "$MAILS" -l 1024 -N -f ups@example.com \
        -t 5550001000@sms.local "inet:$1" >"$work/source.log" 2>&1; then
        echo "smtp-source failed or took longer than $LIMIT s:" >&2
        tail -n 3 "$work/source.log" "$work"/relay.log >&2
        exit 1
    fi
    ended=$(date +%s%N)
    echo $((MAILS * 1000000000 / (ended - begun)))
}

# The relay with a new spool; $1 is `stored` or `sending`.
relay_run() {
    local emulator relay
    rm -rf "$work/spool"
    start emulator.log "$RELAY" emulator --bind "$api" --delay 86400
    emulator=$pid
    await "$api"
    if [ "$1" = stored ]; then
        curl -sSf -o /dev/null -H 'Content-Type: application/json' "http://$api/emulator/faults" \
            -d '{"fault": {"kind": "status", "code": 429, "retry_after": "3600"}}'
    fi
    start relay.log "$RELAY" run --config "$work/relay.toml"
    relay=$pid
    await "$smtp"
    if [ "$1" = stored ]; then
        # The mail that meets the 429 and shuts the gate.
        "$SMTP_SOURCE" -4 -f ups@example.com -t 393470000000@sms.local "inet:$smtp"
        sleep 0.3
    fi
    result=$(source_run "$smtp" "$2" "$3")
    stop "$relay"
    stop "$emulator"
}

sink_run() {
    local user=()
    # It refuses to serve as root.
    [ "$(id -u)" -ne 0 ] || user=(-u nobody)
    start sink.log "$SMTP_SINK" -4 "${user[@]}" "$sink" 256
    local sinking=$pid
    await "$sink"
    result=$(source_run "$sink" "$1" "$2")
    stop "$sinking"
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

echo "$MAILS mails of 1 KiB a run, $RUNS runs each, accepts a second: median (least)."
echo "$(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg), a sync of this disk takes $(sync_time) ms."
printf '%-24s%20s%20s%20s%14s\n' "" "relay, stored" "relay, sending" "smtp-sink" "stored/sink"
for keep in "" -d; do
    for connections in $CONNECTIONS; do
        stored=() sending=() peer=()
        # The kinds take turns, so that a busy minute of the machine hits all of them.
        for _ in $(seq "$RUNS"); do
            relay_run stored "$connections" "$keep"
            stored+=("$result")
            relay_run sending "$connections" "$keep"
            sending+=("$result")
            if [ -n "$SMTP_SINK" ]; then
                sink_run "$connections" "$keep"
                peer+=("$result")
            fi
        done
        name="$connections $([ -n "$keep" ] && echo "kept open" || echo "new each mail")"
        cell() { echo "$(median "$@") ($(least "$@"))"; }
        if [ -n "$SMTP_SINK" ]; then
            ratio=$(awk -v a="$(median "${stored[@]}")" -v b="$(median "${peer[@]}")" 'BEGIN { printf "%.2f", a / b }')
            shown=$(cell "${peer[@]}")
        else
            ratio=- shown="not installed"
        fi
        printf '%-24s%20s%20s%20s%14s\n' "$name" "$(cell "${stored[@]}")" "$(cell "${sending[@]}")" "$shown" "$ratio"
    done
done
echo "After it, a sync takes $(sync_time) ms."
