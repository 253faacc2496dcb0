//! The `vector-sentinel` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    vector_sentinel::cli::main()
}
