#!/usr/bin/env bash
# Runs every fuzz target, or those named, for SECONDS each, keeps what they found, prints a row of figures
# for each. docs/fuzzing.md tells what they check.
#   fuzz/run.sh SECONDS [TARGET...]
# Needs a nightly toolchain, a C++ compiler and cargo-fuzz (cargo install cargo-fuzz).
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?how many seconds for each target?}
shift
[ $# -gt 0 ] || set -- commands data auth proxy session extraction distilling templates fitting notifications \
    fields profiles framing forwarded messages
# Files of one corpus: what reached new code comes first from the smallest.
most=200
longest=4096
# Seconds for one input, on a busy machine too; cost that is not linear shows here.
slowest=20

# No sanitizer: the relay has no unsafe code, and without one a run does several times as much.
cargo +nightly fuzz build -s none
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '| %s | %s | %s | %s | %s | %s |\n|---|---|---|---|---|---|\n' target executions "a second" "code edges" corpus findings
for target in "$@"; do
    corpus=fuzz/corpus/$target
    findings=fuzz/artifacts/$target
    log=$work/$target.log
    mkdir -p "$work/$target" "$findings"
    case $target in
    extraction | distilling | templates | fitting) dictionary=fuzz/words.dict ;;
    fields | profiles | framing | forwarded | messages) dictionary=fuzz/http.dict ;;
    notifications) dictionary=fuzz/json.dict ;;
    *) dictionary=fuzz/smtp.dict ;;
    esac
    binary=fuzz/target/$(rustc -vV | sed -n 's/^host: //p')/release/$target
    # It ends by itself at the first finding; the figures tell how far it came.
    nice "$binary" "$work/$target" "$corpus" -max_total_time="$seconds" -max_len=$longest \
        -dict=$dictionary -timeout=$slowest -artifact_prefix="$findings/" -print_final_stats=1 >"$log" 2>&1 || tail -n 40 "$log"
    # Of what was found only that which reaches code that nothing before it reaches.
    "$binary" -merge=1 -use_counters=0 -max_len=$longest "$corpus" "$work/$target" >"$work/merge.log" 2>&1
    # Seeds have names, findings have hashes for names.
    seeds=$(find "$corpus" -type f -name '*-*' | wc -l)
    find "$corpus" -type f ! -name '*-*' -printf '%s %p\n' | sort -n | cut -d' ' -f2- |
        tail -n +$((seeds < most ? most - seeds + 1 : 1)) | xargs -r rm --
    printf '| %s | %s | %s | %s | %s | %s |\n' "$target" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
        "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")" \
        "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)" \
        "$(find "$corpus" -type f | wc -l)" \
        "$(find "$findings" -type f | wc -l)"
done
