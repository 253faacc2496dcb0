//! The table in `docs/performance.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, Utc};
use runtime::clock::Clock;

use crate::measure::{LAST_SECS, RATE, Run, WARM_UP_SECS};
use crate::pipeline::{Contender, Programs};
use crate::{Failure, Size, root};

const PAGE: &str = "docs/performance.md";
const BEGIN: &str = "<!-- written by `cargo bench --bench end_to_end`: begin -->";
const END: &str = "<!-- written by `cargo bench --bench end_to_end`: end -->";
/// What jemalloc's messages begin with, and so every program that has it.
const JEMALLOC: &[u8] = b"<jemalloc>";

/// The name of our process.
const PLUGIN: &str = "vector-sentinel";

/// Where and with what it was measured.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    machine: String,
    load: String,
    vector: String,
    pub(crate) has_jemalloc: bool,
    plugin: String,
    rustc: String,
    date: DateTime<Utc>,
}

/// What several runs say of one figure.
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

/// A line of the table: its name, its decimal places, whether it is compared with stock Vector's, and its figure of a run.
type Measure = (&'static str, usize, bool, fn(&Run) -> f64);

const MEASURES: [Measure; 14] = [
    ("rows in the table", 0, false, |run| run.rows as f64),
    ("**CPU seconds, all processes, from start to last row**", 2, true, |run| run.cpu),
    ("the same without starting", 2, true, |run| run.cpu_of_work),
    ("… of these Vector", 2, true, |run| of_program(&run.work_by_program, "vector")),
    ("… of these `vector-sentinel`", 2, false, |run| of_program(&run.work_by_program, PLUGIN)),
    ("MB on the wire", 1, true, |run| run.wire_bytes as f64 / 1e6),
    ("MB of JSON", 1, true, |run| run.json_bytes as f64 / 1e6),
    ("requests", 0, true, |run| run.requests as f64),
    ("peak memory in MB, all processes", 0, true, |run| run.peak_mb.values().sum()),
    ("… of these `vector-sentinel`", 0, false, |run| of_program(&run.peak_mb, PLUGIN)),
    ("wall seconds", 1, true, |run| run.seconds),
    ("steady: seconds from line to row, p50", 2, true, |run| run.p50),
    ("steady: seconds from line to row, p99", 2, true, |run| run.p99),
    ("steady: CPU seconds a second, all processes", 3, true, |run| run.steady_cpu),
];

/// The table, with what it was measured with.
pub(crate) fn table(runs: &[(Contender, Run)], size: Size, bytes: usize, facts: &Facts) -> String {
    let mut text = facts.lines();
    let megabytes = bytes as f64 / 1e6;
    // Writing to a text cannot fail.
    writeln!(
        text,
        "| measured | {} lines, {megabytes:.0} MB, {} rounds of each in turn: the median (smallest–largest); then {RATE} lines a \
         second for {} s, without the first {} s and the last {} s |\n",
        size.events,
        size.rounds,
        size.steady_secs,
        WARM_UP_SECS,
        LAST_SECS,
    )
    .ok();
    let titles = Contender::ALL.map(Contender::title);
    writeln!(text, "| | {} | {} | × | {} | × |\n|---|---|---|---|---|---|", titles[0], titles[1], titles[2])
        .ok();
    for (name, digits, is_compared, of) in MEASURES {
        let figures = Contender::ALL.map(|contender| {
            let runs = runs.iter().filter(|(of_run, _)| *of_run == contender);
            Spread::of(runs.map(|(_, run)| of(run)).collect())
        });
        let ratio = |figure: &Spread| {
            let is_there = is_compared && figures[0].median > 0.0;
            if is_there { format!("{:.2}", figure.median / figures[0].median) } else { String::new() }
        };
        let [stock, gzip, plain] = figures.each_ref().map(|figure| figure.shown(digits));
        writeln!(
            text,
            "| {name} | {stock} | {gzip} | {} | {plain} | {} |",
            ratio(&figures[1]),
            ratio(&figures[2])
        )
        .ok();
    }
    text
}

/// Puts the table between the marks of the page, and answers where that is.
pub(crate) fn write(table: &str) -> Result<PathBuf, Failure> {
    let path = root().join(PAGE);
    let page = std::fs::read_to_string(&path)?;
    let (head, rest) = page.split_once(BEGIN).ok_or("the page has no mark where the table begins")?;
    let (_, tail) = rest.split_once(END).ok_or("the page has no mark where the table ends")?;
    std::fs::write(&path, format!("{head}{BEGIN}\n\n{table}\n{END}{tail}"))?;
    Ok(path)
}

fn of_program(figures: &BTreeMap<String, f64>, name: &str) -> f64 {
    // Linux keeps the first 15 bytes of a name, which is all of both.
    figures.get(name).copied().unwrap_or_default()
}

/// The first line that a program prints.
fn said(program: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned())
}

/// The first line of a file of `/proc` that begins so, without that.
fn of_proc(file: &str, begin: &str) -> String {
    let text = std::fs::read_to_string(Path::new("/proc").join(file)).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(begin)).unwrap_or("unknown");
    line.trim_start_matches([' ', '\t', ':']).to_owned()
}

// === impl Facts ===

impl Facts {
    pub(crate) fn gather(programs: &Programs) -> Result<Self, Failure> {
        let cores = std::thread::available_parallelism()?;
        let kb: f64 = of_proc("meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
        let rustc = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
        // A copy of the sources without git has no commit to tell.
        let commit = said(Path::new("git"), &["describe", "--always", "--dirty"]).unwrap_or_default();
        Ok(Self {
            machine: format!("{}, {cores} cores, {:.0} GB", of_proc("cpuinfo", "model name"), kb / 976_562.5),
            load: of_proc("loadavg", "").split(' ').next().unwrap_or_default().to_owned(),
            vector: said(&programs.vector, &["--version"])?,
            has_jemalloc: {
                let program = std::fs::read(&programs.vector)?;
                program.windows(JEMALLOC.len()).any(|bytes| bytes == JEMALLOC)
            },
            plugin: format!("{} {commit}", said(&programs.plugin, &["--version"])?),
            rustc: said(&rustc, &["--version"])?,
            date: Clock::system().now(),
        })
    }

    /// The head of a table, with what is known.
    fn lines(&self) -> String {
        let allocator = if self.has_jemalloc {
            "with jemalloc, as its releases for Linux have it"
        } else {
            "**WITHOUT jemalloc, which its releases have: Vector looks 1.5 to 2 times slower here than it is**"
        };
        format!(
            "| | |\n|---|---|\n| date | {} |\n| machine | {}; load when it began: {} |\n| Vector | {}, {allocator} |\n\
             | ours | {} |\n| compiler | {} |\n",
            self.date.format("%Y-%m-%d"),
            self.machine,
            self.load,
            self.vector,
            self.plugin,
            self.rustc
        )
    }
}

// === impl Spread ===

impl Spread {
    fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |at: usize| figures.get(at).copied().unwrap_or_default();
        let (count, last) = (figures.len(), figures.len().saturating_sub(1));
        Self { least: at(0), median: f64::midpoint(at(last / 2), at(count / 2)), most: at(last) }
    }

    fn shown(&self, digits: usize) -> String {
        let [least, median, most] =
            [self.least, self.median, self.most].map(|figure| format!("{figure:.digits$}"));
        if least == most { median } else { format!("{median} ({least}–{most})") }
    }
}
