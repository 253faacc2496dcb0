//! Many rows that meet every fault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use runtime::delivery::{BatchStatus, Deliver};
use simulator::Fault;

use super::{mixed, numbers, rows, sink_and_start, spool_files, status, world};
use crate::in_process::in_simulated_time;

/// Has rows meet faults, and the sink be stopped and started, until all have arrived: how many of them came twice.
fn rows_that_came_twice(faults: &[Fault], count: u64) -> usize {
    in_simulated_time(async {
        let world = world();
        let mut rng = fastrand::Rng::with_seed(7);
        let mut sink = sink_and_start(&world).await;
        let (mut next, mut owed) = (0, BTreeMap::<_, BTreeSet<u64>>::new());
        while next < count {
            let stream = ["Custom-Good_CL", "Custom-Bad_CL", "Custom-Other_CL"][rng.usize(0..3)];
            let fault = if rng.bool() { Fault::Pass } else { faults[rng.usize(0..faults.len())].clone() };
            world.simulator.faults().at_path(stream, fault);
            let mut parts = Vec::new();
            for to in ["Good", "Bad", "Other"] {
                let count = rng.u64(0..200);
                parts.push(rows(to, rng.usize(0..2), next..next + count));
                owed.entry(to).or_default().extend(next..next + count);
                next += count;
            }
            assert_eq!(sink.deliver(mixed(&parts)).await, BatchStatus::Delivered);
            if rng.u8(0..40) == 0 {
                sink.stop().await;
                sink = sink_and_start(&world).await;
            }
            if rng.u8(0..10) == 0 {
                world.clock.sleep(Duration::from_secs(rng.u64(1..120))).await;
            }
        }
        world.simulator.faults().clear();
        while world.simulator.stats().rows_ingested < next {
            world.clock.sleep(Duration::from_secs(1)).await;
        }
        let mut twice = 0;
        for (to, owed) in owed {
            loop {
                let there = numbers(&world, to);
                let different: BTreeSet<_> = there.iter().copied().collect();
                assert!(different.is_subset(&owed));
                if different.len() == owed.len() {
                    twice += there.len() - owed.len();
                    break;
                }
                world.clock.sleep(Duration::from_secs(10)).await;
            }
        }
        sink.stop().await;
        assert_eq!(spool_files(&world), Vec::<PathBuf>::new());
        twice
    })
}

#[test]
fn of_fifty_thousand_mixed_rows_that_meet_faults_and_restarts_none_is_lost_and_none_comes_twice() {
    let faults = [
        status(403, None),
        status(404, None),
        status(429, Some("90")),
        status(500, None),
        status(503, None),
        Fault::Reset,
        Fault::ExpireToken,
        Fault::Delay(Duration::from_secs(3)),
    ];
    assert_eq!(rows_that_came_twice(&faults, 50_000), 0);
}

#[test]
fn of_fifty_thousand_mixed_rows_whose_answers_are_lost_none_is_lost() {
    let faults =
        [Fault::ResetAfter, Fault::CutBody, Fault::Delay(Duration::from_secs(90)), status(503, None)];
    assert!(rows_that_came_twice(&faults, 50_000) > 0, "the faults were not met");
}
