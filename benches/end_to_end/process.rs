//! What the processes of a pipeline cost, as Linux counts it in `/proc`.

use std::collections::BTreeMap;
use std::path::Path;

/// The length of a tick in seconds, in which Linux counts the time of processes for users.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
const TICK: f64 = 0.01;

/// One process, or all of one name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time in seconds, with that of its children that have ended.
    pub(crate) cpu: f64,
    /// The most memory it ever had, in MB.
    pub(crate) peak_mb: f64,
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    name: String,
    parent: u32,
    ticks: u64,
}

/// Whether this machine has what is read here.
pub(crate) fn can_measure() -> bool {
    Path::new("/proc/self/stat").exists()
}

/// A process and everything that it has started, by name.
pub(crate) fn usage(root: u32) -> BTreeMap<String, Usage> {
    let all = processes();
    let mut found: BTreeMap<String, Usage> = BTreeMap::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        open.extend(all.iter().filter(|(_, stat)| stat.parent == pid).map(|(child, _)| *child));
        let Some(stat) = all.get(&pid) else { continue };
        let usage = found.entry(stat.name.clone()).or_default();
        usage.cpu += stat.ticks as f64 * TICK;
        usage.peak_mb += peak_mb(pid);
    }
    found
}

/// CPU seconds of all.
pub(crate) fn cpu(usage: &BTreeMap<String, Usage>) -> f64 {
    usage.values().map(|usage| usage.cpu).sum()
}

fn processes() -> BTreeMap<u32, Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // One that ends meanwhile is not there any more.
    pids.filter_map(|pid: u32| Some((pid, stat(pid)?))).collect()
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may have any character in it.
    let (head, rest) = text.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // utime, stime, cutime and cstime are the fields 14 to 17 of the line; the state is the third.
    let ticks = fields.get(11..15)?.iter().map(|ticks| ticks.parse().unwrap_or(0)).sum();
    Some(Stat { name: name.to_owned(), parent: fields.get(1)?.parse().ok()?, ticks })
}

fn peak_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    let kb: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0.0);
    kb * 1_024.0 / 1_000_000.0
}
