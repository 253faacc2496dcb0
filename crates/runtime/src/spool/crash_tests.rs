//! What was said to be appended comes back after a crash, wherever it comes, unless it was removed.

use std::collections::BTreeSet;

use super::tests::{number, record, spool};
use super::*;
use crate::files::MemoryDisk;

/// What a process has been told.
#[derive(Default)]
struct Told {
    appended: BTreeSet<u64>,
    /// Removed, or about to be.
    removing: BTreeSet<u64>,
}

/// Appends records and delivers some of them, not in order, until the power goes.
async fn live(disk: &MemoryDisk, told: &mut Told, first: u64) -> Result<(), SpoolError> {
    let spool = spool(disk);
    let mut held = Vec::new();
    for n in first..first + 12 {
        let id = spool.append(record(n, n % 5 == 0)).await?;
        told.appended.insert(n);
        if n % 5 == 0 {
            held.push((id, n));
        }
        if n % 3 == 2 {
            let Some(one) = spool.take().await? else { continue };
            let Some(other) = spool.take().await? else { continue };
            told.removing.insert(number(&other));
            spool.remove(other.id).await?;
            spool.release(one.id).await?;
        }
        if n % 4 == 3
            && let Some((id, n)) = held.pop()
        {
            told.removing.insert(n);
            spool.remove(id).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn whichever_operation_the_power_goes_at_what_was_appended_comes_back() {
    for seed in 0..12 {
        let mut rng = fastrand::Rng::with_seed(seed);
        for fuse in 1..80 {
            let (disk, mut told) = (MemoryDisk::default(), Told::default());
            // Power goes twice, and the second time in what the first has left.
            for (run, fuse) in [fuse, rng.u64(1..60)].into_iter().enumerate() {
                disk.fuse(fuse);
                live(&disk, &mut told, run as u64 * 100).await.ok();
                disk.crash(&mut rng);
            }
            let spool = spool(&disk);
            let mut there = BTreeSet::new();
            while let Some(record) = spool.take().await.unwrap() {
                assert!(
                    there.insert(number(&record)),
                    "seed {seed}, {fuse}: {} is there twice",
                    number(&record)
                );
                spool.remove(record.id).await.unwrap();
            }
            let owed: BTreeSet<_> = told.appended.difference(&told.removing).copied().collect();
            let lost: Vec<_> = owed.difference(&there).collect();
            assert!(lost.is_empty(), "seed {seed}, operation {fuse}: {lost:?} are lost of {owed:?}");
            assert_eq!(spool.backlog(), Backlog::default());
        }
    }
}
