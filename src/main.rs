//! The `vector-sentinel` command.

fn main() {}
