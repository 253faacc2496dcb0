//! Memory does not grow with the number of incidents.

use vector_sentinel::simulator::SimulatorConfig;

use crate::harness::{Bench, spawn};

/// Peak memory, in KB, of the program over a first run of so many incidents with three alerts of five pieces each.
async fn peak_kb(incidents: usize) -> u64 {
    let mut config = SimulatorConfig::default();
    config.incidents.initial = incidents;
    config.incidents.alerts_per_incident = 3;
    config.keep_rows = false;
    let bench = Bench::start(config).await;
    let file = bench.file(&bench.pipeline());
    let mut child = spawn(&["run", "-c", file.to_str().unwrap()]);
    bench.until(|stats| stats.distinct_rows == incidents as u64).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    child.kill().await.unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn four_times_as_many_incidents_take_no_more_memory() {
    let (few, many) = (peak_kb(1_500).await, peak_kb(6_000).await);
    println!("peak memory: {few} KB for 1,500 incidents, {many} KB for 6,000");
    // All 6,000 are some 80 MB of JSON.
    assert!(many < few + 10_000, "{few} KB for 1,500 incidents, {many} KB for 6,000");
}
