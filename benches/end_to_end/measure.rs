//! One run of one pipeline: first all lines of a file as fast as it can, then lines that are written at a steady rate.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use runtime::clock::Clock;
use simulator::Stats;

use crate::events::{Lines, origin};
use crate::pipeline::{Contender, Programs, Running};
use crate::process::{Usage, cpu, usage};
use crate::{Failure, Size};

/// Lines a second in the steady part.
pub(crate) const RATE: usize = 2_000;
/// How often lines are written there.
const TICK: Duration = Duration::from_millis(10);
/// So many seconds of the steady part are not looked at: Vector reads a file less often that has been quiet.
pub(crate) const WARM_UP_SECS: usize = 5;
/// Nor are so many of its last: with no lines after them, those wait for their batch to time out.
pub(crate) const LAST_SECS: usize = 2;
/// A pipeline that delivers nothing for so long has lost something.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long rows that nobody expects may still come.
const AFTER: Duration = Duration::from_secs(2);

/// What one run took.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Rows of the file's lines that are in the table: all of them, each once.
    pub(crate) rows: usize,
    /// CPU seconds of all processes, from the start to the last row.
    pub(crate) cpu: f64,
    /// CPU seconds of all processes, from the file's appearance to the last row: without what starting costs.
    pub(crate) cpu_of_work: f64,
    /// The same for each program.
    pub(crate) work_by_program: BTreeMap<String, f64>,
    /// Wall time of that, in seconds.
    pub(crate) seconds: f64,
    /// Bytes of all bodies, as they came.
    pub(crate) wire_bytes: u64,
    /// Bytes of all bodies, decompressed.
    pub(crate) json_bytes: u64,
    pub(crate) requests: u64,
    /// The most memory of each program, in MB.
    pub(crate) peak_mb: BTreeMap<String, f64>,
    /// From line to row at a steady rate, in seconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// CPU seconds of all processes at the steady rate, for each second.
    pub(crate) steady_cpu: f64,
}

/// Runs it, and stops it whatever becomes of it.
pub(crate) async fn run(
    contender: Contender,
    size: Size,
    programs: &Programs,
    scratch: &Path,
    file: &Path,
) -> Result<Run, Failure> {
    let mut running = Running::start(contender, programs, scratch).await?;
    let result = measured(&running, size, file).await;
    let words = running.last_words();
    let stopped = running.stop().await;
    let (run, expected) = result.map_err(|failure| format!("{failure}\n{words}"))?;
    let status = stopped?;
    if !status.success() {
        return Err(format!("it ended with {status}\n{}", running.last_words()).into());
    }
    check(&running, expected)?;
    Ok(run)
}

async fn measured(running: &Running, size: Size, file: &Path) -> Result<(Run, usize), Failure> {
    let clock = Clock::system();
    // The first line: when its row is there, everything is connected and has its token.
    let mut lines = Lines::new(2, size.events);
    let steady = running.path("steady.log");
    let mut text = String::new();
    lines.push(&mut text, clock.now());
    std::fs::write(&steady, &text)?;
    arrived(running, 1).await?;

    let pid = running.pid()?;
    let (before, stats_before, began) = (usage(pid), running.simulator.stats(), clock.monotonic());
    std::fs::hard_link(file, running.path("lines.log"))?;
    arrived(running, size.events + 1).await?;
    let seconds = (clock.monotonic() - began).as_secs_f64();
    let (after, stats) = (usage(pid), running.simulator.stats());
    let work = |name: &String| after[name].cpu - before.get(name).map_or(0.0, |usage| usage.cpu);

    let (from, began_steady) = (clock.now() + seconds_of(WARM_UP_SECS)?, clock.monotonic());
    let written = write_steadily(&clock, &mut lines, &steady, size.steady_secs).await?;
    let until = clock.now() - seconds_of(LAST_SECS)?;
    let expected = size.events + 1 + written;
    arrived(running, expected).await?;
    let steady_cpu = (cpu(&usage(pid)) - cpu(&after)) / (clock.monotonic() - began_steady).as_secs_f64();
    clock.sleep(AFTER).await;
    let latencies = latencies(running, &(from..until));
    let run = Run {
        rows: size.events,
        cpu: cpu(&after),
        cpu_of_work: cpu(&after) - cpu(&before),
        work_by_program: after.keys().map(|name| (name.clone(), work(name))).collect(),
        seconds,
        wire_bytes: stats.ingestion_bytes_wire - stats_before.ingestion_bytes_wire,
        json_bytes: stats.ingestion_bytes_json - stats_before.ingestion_bytes_json,
        requests: stats.ingestion_requests - stats_before.ingestion_requests,
        peak_mb: after.iter().map(|(name, Usage { peak_mb, .. })| (name.clone(), *peak_mb)).collect(),
        p50: percentile(&latencies, 50),
        p99: percentile(&latencies, 99),
        steady_cpu,
    };
    Ok((run, expected))
}

/// Waits until so many rows are in the table.
async fn arrived(running: &Running, rows: usize) -> Result<(), Failure> {
    let there = |stats: &Stats| stats.rows_ingested >= rows as u64;
    let mut last = None;
    loop {
        let waited = tokio::time::timeout(PATIENCE, running.simulator.wait_until(there)).await;
        if waited.is_ok() {
            return Ok(());
        }
        let stats = running.simulator.stats();
        if last == Some(stats.rows_ingested) {
            let (there, by_status) = (stats.rows_ingested, stats.ingestion_by_status);
            return Err(format!(
                "{there} of {rows} rows are there, and no more come; answers: {by_status:?}"
            )
            .into());
        }
        last = Some(stats.rows_ingested);
    }
}

/// Appends lines to a file, each with the time when it was written, and answers how many.
async fn write_steadily(
    clock: &Clock,
    lines: &mut Lines,
    path: &Path,
    secs: usize,
) -> Result<usize, Failure> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    let began = clock.monotonic();
    let (mut text, mut written) = (String::new(), 0);
    let all = RATE * secs;
    while written < all {
        clock.sleep(TICK).await;
        let due = usize::try_from((clock.monotonic() - began).as_millis())? * RATE / 1_000;
        text.clear();
        let now = clock.now();
        let more = due.min(all) - written;
        (0..more).for_each(|_| lines.push(&mut text, now));
        written += more;
        file.write_all(text.as_bytes())?;
    }
    Ok(written)
}

/// From line to row of all lines that were written in that time, sorted.
fn latencies(running: &Running, time: &Range<DateTime<Utc>>) -> Vec<f64> {
    let mut found: Vec<f64> = Vec::new();
    for row in running.simulator.rows() {
        let written = row.columns.get("message").and_then(origin).map(|(written, _)| written);
        found.extend(written.filter(|at| time.contains(at)).map(|at| (row.at - at).as_seconds_f64()));
    }
    found.sort_by(f64::total_cmp);
    found
}

fn seconds_of(count: usize) -> Result<TimeDelta, Failure> {
    Ok(TimeDelta::seconds(i64::try_from(count)?))
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

/// Each line is in the table once, with all its columns, and nothing else is.
fn check(running: &Running, expected: usize) -> Result<(), Failure> {
    let stats = running.simulator.stats();
    let lost = [&stats.columns_vanished, &stats.type_mismatches, &stats.fields_truncated];
    if lost.iter().any(|columns| !columns.is_empty()) {
        return Err(format!("rows have lost columns: {lost:?}").into());
    }
    let mut times = vec![0_usize; expected];
    for row in running.simulator.rows() {
        let number = row.columns.get("message").and_then(origin).map(|(_, number)| number);
        match number.and_then(|number| times.get_mut(number)) {
            Some(times) => *times += 1,
            None => return Err(format!("a row is none of the lines: {:?}", row.columns).into()),
        }
    }
    let (missing, twice) =
        (times.iter().filter(|times| **times == 0).count(), times.iter().filter(|times| **times > 1).count());
    if missing + twice > 0 {
        let by_status = stats.ingestion_by_status;
        return Err(format!(
            "of {expected} lines {missing} are missing and {twice} came twice; answers: {by_status:?}"
        )
        .into());
    }
    Ok(())
}

// === impl Run ===

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows, CPU {:.2} s ({:.2} s without starting: {}), {:.1} s, {:.1} MB on the wire, {} requests, \
             p50 {:.2} s, p99 {:.2} s",
            self.rows,
            self.cpu,
            self.cpu_of_work,
            shown(&self.work_by_program, 2),
            self.seconds,
            self.wire_bytes as f64 / 1e6,
            self.requests,
            self.p50,
            self.p99
        )
    }
}

/// Figures by program.
pub(crate) fn shown(figures: &BTreeMap<String, f64>, digits: usize) -> String {
    let shown = figures.iter().map(|(name, figure)| format!("{name} {figure:.digits$}"));
    shown.collect::<Vec<_>>().join(", ")
}
