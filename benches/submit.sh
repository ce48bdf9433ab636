#!/usr/bin/env bash
# Durable submissions a second over HTTP, by wrk at 1, 16 and 256 connections kept open, to the released program on loopback. In
# the same run the peers: nginx answering a constant 200, which is the ceiling for this client on this machine, and Kannel's
# sendsms with its store on the same disk. Kannel writes a file a message and does not sync it; the relay's yes
# comes after a sync.
#
# What is sent:
#   /sms       a form post of one SMS to a phone of its own
#   sendsms    the GET that Kannel's clients send, to the relay's profile `kannel` and to Kannel
# The emulator runs beside the relay. Two kinds of runs:
#   stored     the platform asks for an hour's patience (429), so the relay only stores
#   sending    the platform takes everything meanwhile, as in everyday work
#
# Environment: SECONDS_EACH a run (5), RUNS of each kind (3), CONNECTIONS ("1 16 256"), NGINX and KANNEL (the directory of bearerbox and
# smsbox) where they are not found by themselves; what is not installed is left out.
# PORT (22625; it and the six after it must be free).
set -euo pipefail
cd "$(dirname "$0")/.."

SECONDS_EACH=${SECONDS_EACH:-5} RUNS=${RUNS:-3} CONNECTIONS=${CONNECTIONS:-1 16 256} PORT=${PORT:-22625}
PATH=$PATH:/usr/sbin
# shellcheck source=benches/common.sh
. benches/common.sh
need wrk wrk
need curl curl
NGINX=${NGINX:-$(command -v nginx || true)}
KANNEL=${KANNEL:-$(dirname "$(command -v bearerbox || echo /)")}
[ -x "$KANNEL/smsbox" ] || KANNEL=""
[ -x "$RELAY" ] || cargo build --release

http=127.0.0.1:$PORT api=127.0.0.1:$((PORT + 1)) constant=127.0.0.1:$((PORT + 2)) sendsms=127.0.0.1:$((PORT + 3))
(umask 077 && echo secret > "$work/bench.password")
cat > "$work/relay.toml" <<TOML
hostname = "bench.example.com"
[http]
connections = 600
connections_per_client = 600
[[http.listener]]
name = "http"
bind = "$http"
profiles = ["kannel"]
[[http.account]]
name = "bench"
password = { file = "bench.password" }
[routing]
domains = ["sms.local"]
allowed = ["+39"]
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
cat > "$work/nginx.conf" <<NGINX
daemon off;
pid $PWD/$work/nginx.pid;
error_log stderr;
worker_processes auto;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path $PWD/$work/nginx;
    server { listen $constant; location / { return 200 "OK\n"; } }
}
NGINX
# No fake centre ever connects to it: it only stores.
cat > "$work/kannel.conf" <<KANNEL
group = core
admin-port = $((PORT + 4))
admin-password = secret
smsbox-port = $((PORT + 5))
box-allow-ip = 127.0.0.1
store-type = spool
store-location = "$PWD/$work/kannel"
log-level = 4

group = smsc
smsc = fake
host = 127.0.0.1
port = $((PORT + 6))
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = ${sendsms#*:}
log-level = 4

group = sendsms-user
username = bench
password = secret
default-sender = Bench
KANNEL
# Every request is to a phone of its own: the thread's number and a count.
cat > "$work/post.lua" <<'LUA'
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
function init() count = 0; headers = { ["Content-Type"] = "application/x-www-form-urlencoded" } end
function request()
    count = count + 1
    local body = string.format("username=bench&password=secret&to=%%2B39347%d%07d&text=Pump+%d+of+plant+7+has+stopped", id, count, count)
    return wrk.format("POST", "/sms", headers, body)
end
LUA
cat > "$work/get.lua" <<'LUA'
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
function init() count = 0 end
function request()
    count = count + 1
    local target = "/cgi-bin/sendsms?username=bench&password=secret&to=%%2B39347%d%07d&text=Pump+%d+of+plant+7+has+stopped"
    return wrk.format("GET", string.format(target, id, count, count))
end
LUA
cat > "$work/done.lua" <<'LUA'
function done(summary)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format("RESULT %d %d\n", (summary.requests - errors.status) / (summary.duration / 1e6), failed))
end
LUA

# One run of requests by $1 to $2 with $3 connections. Sets `result`: those a second that were answered 2xx.
wrk_run() {
    local failed threads=2
    [ "$3" -gt 1 ] || threads=1
    cat "$work/$1.lua" "$work/done.lua" > "$work/script.lua"
    wrk --threads "$threads" --connections "$3" --duration "${SECONDS_EACH}s" --timeout 10s --script "$work/script.lua" \
        "http://$2/" > "$work/wrk.log" 2>&1
    read -r _ result failed < <(grep '^RESULT' "$work/wrk.log")
    if [ "$failed" -ne 0 ]; then
        echo "$failed requests to $2 were not answered 2xx:" >&2
        cat "$work/wrk.log" >&2
        tail -n 3 "$work"/*.log >&2
        exit 1
    fi
}

# The relay with a new spool; $1 is `stored` or `sending`, $2 and $3 as for wrk_run.
relay_run() {
    local emulator relay
    rm -rf "$work/spool"
    start emulator.log "$RELAY" emulator --bind "$api" --delay 86400
    emulator=$pid
    await "$api"
    [ "$1" != stored ] || shut_gate "$api"
    start relay.log "$RELAY" run --config "$work/relay.toml"
    relay=$pid
    await "$http"
    if [ "$1" = stored ]; then
        # The SMS that meets the 429 and shuts the gate.
        curl -sSf -o /dev/null -d 'username=bench&password=secret&to=%2B393470000000&text=first' "http://$http/sms"
        await_patience
    fi
    wrk_run "$2" "$http" "$3"
    stop "$relay"
    stop "$emulator"
}

nginx_run() {
    start nginx.log "$NGINX" -p "$work" -c "$PWD/$work/nginx.conf"
    local serving=$pid
    await "$constant"
    wrk_run post "$constant" "$1"
    stop "$serving"
}

kannel_run() {
    local bearer box
    rm -rf "$work/kannel"
    mkdir -p "$work/kannel"
    start bearerbox.log "$KANNEL/bearerbox" "$work/kannel.conf"
    bearer=$pid
    await "127.0.0.1:$((PORT + 5))"
    start smsbox.log "$KANNEL/smsbox" "$work/kannel.conf"
    box=$pid
    await "$sendsms"
    wrk_run get "$sendsms" "$1"
    stop "$box"
    stop "$bearer"
}

echo "Runs of $SECONDS_EACH s, $RUNS of each kind, submissions a second that were answered 2xx: median (least)."
echo "$(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg), a sync of this disk takes $(sync_time) ms."
line='%-12s%18s%18s%18s%12s%18s%18s%14s\n'
# shellcheck disable=SC2059 # one format for all lines
printf "$line" connections "/sms, stored" "/sms, sending" nginx stored/nginx "sendsms, stored" Kannel stored/Kannel
for connections in $CONNECTIONS; do
    stored=() sending=() constants=() profile=() kannel=()
    # The kinds take turns, so that a busy minute of the machine hits all of them.
    for _ in $(seq "$RUNS"); do
        relay_run stored post "$connections"
        stored+=("$result")
        relay_run sending post "$connections"
        sending+=("$result")
        relay_run stored get "$connections"
        profile+=("$result")
        if [ -n "$NGINX" ]; then
            nginx_run "$connections"
            constants+=("$result")
        fi
        if [ -n "$KANNEL" ]; then
            kannel_run "$connections"
            kannel+=("$result")
        fi
    done
    of_nginx=- nginx_cell="not installed" of_kannel=- kannel_cell="not installed"
    if [ -n "$NGINX" ]; then
        nginx_cell=$(cell "${constants[@]}") of_nginx=$(ratio "$(median "${stored[@]}")" "$(median "${constants[@]}")")
    fi
    if [ -n "$KANNEL" ]; then
        kannel_cell=$(cell "${kannel[@]}") of_kannel=$(ratio "$(median "${profile[@]}")" "$(median "${kannel[@]}")")
    fi
    # shellcheck disable=SC2059
    printf "$line" "$connections" "$(cell "${stored[@]}")" "$(cell "${sending[@]}")" "$nginx_cell" "$of_nginx" \
        "$(cell "${profile[@]}")" "$kannel_cell" "$of_kannel"
done
echo "After it, a sync takes $(sync_time) ms."
