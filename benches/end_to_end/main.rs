//! Stock Vector with its own sink for the Logs Ingestion API, and with `sentinel_logs` beside it, over the same log lines
//! against the simulator. `docs/performance.md` says what is measured and how; the table there is written by this.
//!
//! It measures only when `cargo bench` starts it, with a Vector on the `PATH` or in `VECTOR_BIN`.

#![allow(missing_docs)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod events;
mod measure;
mod page;
mod pipeline;
mod process;

use measure::Run;
use pipeline::{Contender, Programs};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What `cargo bench` calls it, also when it is asked for some benchmarks only.
const NAME: &str = "end_to_end";
/// With less of any of these three it is a quick look, and the page stays as it is.
const EVENTS: usize = 300_000;
const ROUNDS: usize = 5;
const STEADY_SECS: usize = 15;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) events: usize,
    pub(crate) rounds: usize,
    /// How long lines are written at a steady rate.
    pub(crate) steady_secs: usize,
}

fn main() -> ExitCode {
    let (flags, filters): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    if !filters.is_empty() && !filters.iter().any(|filter| NAME.contains(filter)) {
        return ExitCode::SUCCESS;
    }
    if !flags.iter().any(|flag| flag == "--bench") {
        eprintln!("end_to_end: NOT RUN, it measures only with `cargo bench --bench end_to_end`");
        return ExitCode::SUCCESS;
    }
    if !process::can_measure() {
        eprintln!("end_to_end: NOT RUN, there is no /proc here to read CPU time and memory from");
        return ExitCode::SUCCESS;
    }
    let Some(vector) = find_vector() else {
        eprintln!(
            "end_to_end: NOT RUN, there is no Vector to compare with: put `vector` on the PATH, or name it in VECTOR_BIN. \
             No part of docs/performance.md was measured or changed."
        );
        return ExitCode::SUCCESS;
    };
    match measured(vector) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("end_to_end: FAILED: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measured(vector: PathBuf) -> Result<(), Failure> {
    let size = Size::from_environment()?;
    let plugin = std::env::var_os("VECTOR_SENTINEL_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_vector-sentinel")), PathBuf::from);
    let programs = Programs { vector, plugin };
    let facts = page::Facts::gather(&programs)?;
    if !facts.has_jemalloc {
        eprintln!(
            "\nWARNING: {} has no jemalloc in it, which Vector's releases for Linux have. Without it Vector takes 1.5 to 2 \
             times the CPU, and the comparison flatters vector-sentinel. Take a release from https://vector.dev\n",
            programs.vector.display()
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (runs, lines) = runtime.block_on(alternating(size, &programs))?;
    let table = page::table(&runs, size, lines, &facts);
    println!("\n{table}");
    let is_whole = size.events >= EVENTS && size.rounds >= ROUNDS && size.steady_secs >= STEADY_SECS;
    if is_whole {
        println!("Written to {}", page::write(&table)?.display());
    } else {
        println!("A quick look: docs/performance.md stays as it is.");
    }
    Ok(())
}

/// All runs, in order, and the bytes of the lines. One contender after the other, again and again, so that what else the
/// machine does meets all of them.
async fn alternating(size: Size, programs: &Programs) -> Result<(Vec<(Contender, Run)>, usize), Failure> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("lines");
    let bytes = events::Lines::new(1, 0).write(&file, size.events, "2026-11-23T12:00:00Z".parse()?)?;
    println!("{} lines, {:.1} MB; {} rounds", size.events, bytes as f64 / 1e6, size.rounds);
    let mut runs = Vec::new();
    for round in 1..=size.rounds {
        for contender in Contender::ALL {
            let run = measure::run(contender, size, programs, scratch.path(), &file).await;
            let run = run.map_err(|failure| format!("{}, round {round}: {failure}", contender.title()))?;
            println!("round {round}, {}: {run}", contender.title());
            runs.push((contender, run));
        }
    }
    Ok((runs, bytes))
}

/// The file that `VECTOR_BIN` names, or `vector` on the `PATH`.
fn find_vector() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).map(|dir| dir.join("vector")).find(|file| file.is_file());
    std::env::var_os("VECTOR_BIN").map(PathBuf::from).or_else(on_path)
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

// === impl Size ===

impl Size {
    fn from_environment() -> Result<Self, Failure> {
        Ok(Self {
            events: number("BENCH_EVENTS", EVENTS, 1)?,
            rounds: number("BENCH_ROUNDS", ROUNDS, 1)?,
            steady_secs: number(
                "BENCH_STEADY_SECS",
                STEADY_SECS,
                measure::WARM_UP_SECS + measure::LAST_SECS + 1,
            )?,
        })
    }
}

/// What a variable says.
fn number(variable: &str, default: usize, least: usize) -> Result<usize, Failure> {
    let Ok(text) = std::env::var(variable) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| {
        format!("{variable} must be a whole number of at least {least}, and is '{text}'").into()
    })
}
