//! Exit codes, after `sysexits.h`, as Vector uses them.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use model::problem::Problem;

/// What the help says about them.
pub(super) const HELP: &str = "Exit codes: 0 done; 1 it ran and failed; 64 wrong command line; 75 stopped while \
something was being delivered, which may arrive twice next time; 78 something is wrong in the pipeline file";

/// The command line cannot be understood.
pub(super) fn usage() -> ExitCode {
    ExitCode::from(64)
}

/// Stopped while something was being delivered.
pub(super) fn gave_up() -> ExitCode {
    ExitCode::from(75)
}

/// It failed, and `why` says of what.
pub(super) fn failed(why: &(impl Display + ?Sized)) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

/// Prints what is wrong with pipeline files.
pub(super) fn problems(paths: &[PathBuf], problems: &[Problem]) -> ExitCode {
    let noun = if problems.len() == 1 { "problem" } else { "problems" };
    eprintln!("{}: {} {noun}", names(paths), problems.len());
    for problem in problems {
        eprintln!("  {problem}");
        excerpt(problem);
    }
    ExitCode::from(78)
}

/// Prints what works, but perhaps not as its author thinks.
pub(super) fn warnings(warnings: &[Problem]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
        excerpt(warning);
    }
}

/// Prints the line that a problem is about.
fn excerpt(problem: &Problem) {
    if let Some(line) = problem.place.as_ref().and_then(|place| place.excerpt()) {
        eprintln!("  {line}");
    }
}

/// The names of files, as a sentence has them.
pub(super) fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Prints what Vector says is wrong with its part of a pipeline file.
pub(super) fn refused_by_vector(paths: &[PathBuf], message: &str) -> ExitCode {
    eprintln!("{}: Vector refuses the stock components:", names(paths));
    for line in message.lines() {
        eprintln!("  {line}");
    }
    ExitCode::from(78)
}
