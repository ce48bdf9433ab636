# What CI runs, before you push it.
check:
    bash .ci/run

# Formats the code.
fmt:
    cargo fmt

# The main job with everything embedded.
demo:
    cargo run --release -- demo

# Licences, advisories and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check

# The benchmarks that need nothing else; docs/performance.md has the figures.
bench:
    cargo bench

# Durable accepts a second, with postfix's smtp-source as the client (apt-get install postfix).
bench-accept:
    bash benches/accept.sh

# Durable submissions a second over HTTP, with wrk, beside nginx and Kannel (apt-get install wrk nginx-light kannel).
bench-submit:
    bash benches/submit.sh

# Two weeks of the simulated room with a storm of so many mails and all the usual ones; docs/architecture.md tells what it checks.
room mails="100000":
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 ROOM_STORM={{mails}} ROOM_USUAL=100 cargo test --release --lib app::room::every_mail_of_two -- --nocapture

# Every fuzz target for so many seconds; docs/fuzzing.md tells what they check (needs nightly and cargo-fuzz).
fuzz seconds="60":
    fuzz/run.sh {{seconds}}
