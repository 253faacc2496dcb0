# What CI runs, by the same names. `just` alone lists them.

_list:
    @just --list --unsorted

# All that CI checks, in its order.
ci: fmt lints docs deny benches test

# Whether the code is formatted.
fmt:
    cargo fmt --all --check

# Clippy over every crate and target, warnings denied.
lints:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The API documentation of every crate, warnings denied.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

# Dependencies: bans, licences, sources. Advisories need a database from the network, and are not checked here.
deny:
    cargo fetch --locked
    cargo deny --offline check bans licenses sources

# Whether the benchmarks still compile.
benches:
    cargo check --workspace --benches --locked

# The README's own command. Most tests wait most of the time: more run at a time than there are cores.
test:
    RUST_TEST_THREADS="${RUST_TEST_THREADS:-6}" cargo test --locked

# The throughput of rows and of reading on this machine; and, where there is a Vector, the table of docs/performance.md.
bench:
    cargo bench --locked

# What has changed in pages and fixtures that tests hold against the code is written anew.
update:
    UPDATE_EXPECT=1 cargo test --locked -p vector-sentinel --test it readme
