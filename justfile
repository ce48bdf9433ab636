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

# The benchmarks that run by themselves.
bench:
    cargo bench

# Durable accepts a second and latency, with postfix's smtp-source as the client.
bench-accept:
    bash benches/accept.sh
