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
# shellcheck source=benches/common.sh
. benches/common.sh
need curl curl
[ -x "$RELAY" ] || cargo build --release

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
        shut_gate "$api"
    fi
    start relay.log "$RELAY" run --config "$work/relay.toml"
    relay=$pid
    await "$smtp"
    if [ "$1" = stored ]; then
        # The mail that meets the 429 and shuts the gate.
        "$SMTP_SOURCE" -4 -f ups@example.com -t 393470000000@sms.local "inet:$smtp"
        await_patience
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
        if [ -n "$SMTP_SINK" ]; then
            of_sink=$(ratio "$(median "${stored[@]}")" "$(median "${peer[@]}")")
            shown=$(cell "${peer[@]}")
        else
            of_sink=- shown="not installed"
        fi
        printf '%-24s%20s%20s%20s%14s\n' "$name" "$(cell "${stored[@]}")" "$(cell "${sending[@]}")" "$shown" "$of_sink"
    done
done
echo "After it, a sync takes $(sync_time) ms."
